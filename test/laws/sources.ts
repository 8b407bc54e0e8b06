// The project's own files as its laws see them: lists of paths, and their text with comments or quoted text blanked out.
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The checkout: the nearest folder above this file that has a package.json. */
export const root = ((at: string) => {
  while (!existsSync(join(at, 'package.json'))) at = dirname(at)
  return at
})(dirname(fileURLToPath(import.meta.url)))

/** Paths with forward slashes, relative to the checkout, of the files in `folders` that end in one of `endings`. */
export function files(folders: readonly string[], endings: readonly string[]): string[] {
  return folders.filter(folder => existsSync(join(root, folder)))
    .flatMap(folder => readdirSync(join(root, folder), { recursive: true }).map(name => `${folder}/${String(name).split(sep).join('/')}`))
    .filter(path => endings.some(ending => path.endsWith(ending)) && !path.includes('/node_modules/')).sort()
}

/** A file's text. */
export function read(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

// After these a slash begins a regular expression; elsewhere it divides.
const BEFORE_REGEXP = /(^|[(,=:[!&|?{};+*%<>~^-]|\breturn|\btypeof|\bcase|=>)\s*$/

/** Where the regular expression that begins at `at` ends, or `at` if there is none: a slash inside [ ] does not end it. */
function regexpAt(text: string, at: number): number {
  const pattern = /\/(?:\\.|\[(?:\\.|[^\]\n\\])*\]|[^/[\n\\])+\//y
  pattern.lastIndex = at
  return pattern.test(text) ? pattern.lastIndex : at
}

/**
 * TypeScript, JavaScript or C++ with every comment blanked, and with `quotes` also the inside of strings, templates and
 * regular expressions. Line breaks stay, so that line numbers hold.
 */
export function code(text: string, blank: { quotes: boolean }): string {
  let out = ''
  let at = 0
  const templates: number[] = [] // depth of braces inside each open ${ }
  const keep = (end: number) => { out += text.slice(at, end); at = end }
  const hide = (end: number) => { out += text.slice(at, end).replace(/[^\n]/g, ' '); at = end }
  const quoted = (end: number) => {
    keep(at + 1)
    if (blank.quotes) hide(Math.max(at, end - 1))
    keep(end)
  }
  /** The position after the first unescaped match of `stop` from `from` on, or the end. */
  const after = (stop: RegExp, from: number): number => {
    const pattern = new RegExp(`\\\\[\\s\\S]|${stop.source}`, 'g')
    pattern.lastIndex = from
    for (let hit; (hit = pattern.exec(text)) !== null;) if (!hit[0].startsWith('\\')) return pattern.lastIndex
    return text.length
  }
  /** From the ` or } that begins a piece of template text to its end; ${ opens a level. */
  const template = () => {
    const end = after(/`|\$\{/, at + 1)
    const opens = text.slice(end - 2, end) === '${'
    keep(at + 1)
    if (blank.quotes) hide(Math.max(at, end - (opens ? 2 : 1)))
    keep(end)
    if (opens) templates.push(0)
  }
  while (at < text.length) {
    const c = text[at]
    const two = text.slice(at, at + 2)
    const depth = templates.at(-1)
    if (two === '//') hide(text.indexOf('\n', at) < 0 ? text.length : text.indexOf('\n', at))
    else if (two === '/*') hide(text.indexOf('*/', at) < 0 ? text.length : text.indexOf('*/', at) + 2)
    else if (c === "'" || c === '"') quoted(after(new RegExp(`${c}|\\n`), at + 1))
    else if (c === '`') template()
    else if (c === '/' && BEFORE_REGEXP.test(out.slice(-80)) && regexpAt(text, at) > at) quoted(regexpAt(text, at))
    else if (c === '}' && depth === 0) { templates.pop(); template() }
    else {
      if (depth !== undefined && (c === '{' || c === '}')) templates[templates.length - 1] = depth + (c === '{' ? 1 : -1)
      keep(at + 1)
    }
  }
  return out
}

/** The lines of a file that break a law, each with its place. */
export function breaches(path: string, text: string, law: RegExp): string[] {
  return text.split('\n').flatMap((line, i) => law.test(line) ? [`${path}:${i + 1}: ${line.trim().slice(0, 100)}`] : [])
}

/** Fails with one breach a line; the difference that uvu prints of two values would hide them. */
export function none(found: readonly string[]): void {
  if (!found.length) return
  const error = new Error(`${found.length} found\n      ${found.join('\n      ')}`)
  error.stack = 'Error\n' // where in the laws it was found tells nobody anything
  throw error
}
