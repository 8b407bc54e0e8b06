// Writes docs/api/*.md, a page a folder of lib/, from what lib/index.ts exports: names and order from its export lines, shapes
// and words from the declarations in dist/. `--check` writes nothing and fails if a page is stale. An export without a
// docstring, or a function or class without an example, fails too.
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'

process.chdir(dirname(dirname(fileURLToPath(import.meta.url))))
const OUT = 'docs/api'

/** Position after the text at `at` that holds no code: a comment or a quoted string; `at` itself if there is none. */
function skip(text, at) {
  const quiet = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/y
  quiet.lastIndex = at
  return quiet.test(text) ? quiet.lastIndex : at
}

/** The declaration that begins at `from`, to its closing brace (class, interface) or semicolon. */
function declaration(text, from, braced) {
  let depth = 0
  for (let at = from; at < text.length; at++) {
    const after = skip(text, at)
    if (after > at) { at = after - 1; continue }
    if ('{(['.includes(text[at])) depth++
    if ('})]'.includes(text[at]) && --depth === 0 && braced && text[at] === '}') return text.slice(from, at + 1)
    if (text[at] === ';' && depth === 0) return text.slice(from, at)
  }
  throw new Error(`no end of ${text.slice(from, from + 60)}`)
}

/** The exported declarations of one source file by name: kind, docstring and the declarations (several if overloaded). */
function declarations(source) {
  const text = readFileSync(join('dist', source.replace(/\.ts$/, '.d.ts')), 'utf8')
  const found = new Map()
  const head = /(\/\*\*(?:(?!\*\/)[\s\S])*\*\/\s*)?^export (?:declare )?(?:abstract )?(function|class|const|let|interface|type) ([\w$]+)/gm
  for (const match of text.matchAll(head)) {
    const [all, comment = '', kind, name] = match
    const code = declaration(text, match.index + comment.length, kind === 'class' || kind === 'interface')
    const entry = found.get(name) ?? { name, kind, doc: '', code: [] }
    entry.doc ||= comment
    // A type and a constant of one name are one entry.
    if (kind === 'function' || kind === 'class') entry.kind = kind
    entry.code.push(code.replace(/^export (declare )?/, '').replace(/^\s*#private;\n/gm, ''))
    found.set(name, entry)
  }
  return found
}

/** What a module exports, followed through its export-from lines: [name, source file, name there], in order of the text. */
function exported(source) {
  const text = readFileSync(source, 'utf8').replace(/\/\*[\s\S]*?\*\/|^\s*\/\/[^\n]*/gm, '')
  const out = []
  const lines = /export (?:type )?(?:\*|\{([^}]*)\}) from '([^']+)'|^export (?:async )?(?:function\*?|class|const|interface|type) ([\w$]+)/gm
  for (const match of text.matchAll(lines)) {
    const [, list, from, own] = match
    if (own) { out.push([own, source, own]); continue }
    const inner = exported(posix.join(posix.dirname(source), from))
    if (list === undefined) { out.push(...inner); continue }
    for (const item of list.split(',').map(part => part.trim().replace(/^type /, '')).filter(Boolean)) {
      const [name, alias = name] = item.split(/\s+as\s+/)
      const origin = inner.find(([known]) => known === name)
      if (!origin) throw new Error(`${source} exports ${name}, which ${from} does not declare`)
      out.push([alias, origin[1], origin[2]])
    }
  }
  return out
}

/** A docstring as Markdown: prose, then parameters, then what comes back and what is thrown, then the example. */
function prose(doc) {
  const text = doc.replace(/^\/\*\*|\*\/\s*$/g, '').split('\n').map(line => line.replace(/^\s*\* ?/, '')).join('\n').trim()
  const [first = '', ...tags] = text.split(/^(?=@)/m)
  const tidy = part => part.trim().replace(/\{@link ([^}]+)\}/g, '`$1`')
  const of = tag => tags.filter(part => part.startsWith(`@${tag}`)).map(part => tidy(part.slice(tag.length + 1)))
  const lines = [tidy(first)]
  const parameters = of('param').map(part => `- \`${part.split(/\s/)[0]}\` ${part.replace(/^\S+\s*(-\s*)?/, '').replace(/\s*\n\s*/g, ' ')}`)
  if (parameters.length) lines.push(parameters.join('\n'))
  for (const part of of('returns')) lines.push(`Returns ${part}`)
  for (const part of of('throws')) lines.push(`Throws ${part}`)
  for (const part of of('example')) lines.push(`\`\`\`ts\n${part.replace(/^```\w*\n|\n```$/g, '')}\n\`\`\``)
  return lines.filter(Boolean).join('\n\n')
}

const pages = new Map()
const faults = []
for (const [name, source, original] of exported('lib/index.ts')) {
  const entry = declarations(source).get(original)
  if (!entry) throw new Error(`no declaration of ${original} in the output of ${source}`)
  if (!entry.doc) faults.push(`${source}: ${original} is public and has no docstring`)
  // A class may show its use at one of its members.
  const shown = entry.kind === 'class' ? entry.doc + entry.code.join() : entry.doc
  if (['function', 'class'].includes(entry.kind) && !shown.includes('@example')) faults.push(`${source}: ${original} is public and has no @example`)
  const folder = source.split('/').length > 2 ? source.split('/')[1] : 'index'
  const page = pages.get(folder) ?? []
  page.push(`## ${name}\n\n${prose(entry.doc)}\n\nDeclared in \`${source}\`:\n\n\`\`\`typescript\n${entry.code.join('\n')}\n\`\`\`\n`)
  pages.set(folder, page)
}
if (!pages.size) faults.push('lib/index.ts exports nothing')

const wanted = new Map([...pages].map(([folder, entries]) => [`${folder}.md`,
  `<!-- Generated by \`npm run docs\` from the docstrings of lib/${folder}/. Edit those. -->\n# ${folder}\n\n${entries.join('\n')}`]))
const present = existsSync(OUT) ? readdirSync(OUT) : []
const stale = [...wanted].filter(([file, text]) => !present.includes(file) || readFileSync(join(OUT, file), 'utf8') !== text).map(([file]) => file)
const gone = present.filter(file => !wanted.has(file))
if (process.argv.includes('--check')) {
  for (const file of [...stale, ...gone]) faults.push(`${OUT}/${file} is stale: run npm run docs`)
} else {
  mkdirSync(OUT, { recursive: true })
  for (const file of gone) rmSync(join(OUT, file))
  for (const file of stale) writeFileSync(join(OUT, file), wanted.get(file))
  console.log(`${wanted.size} pages in ${OUT}, ${stale.length} written, ${gone.length} removed`)
}
for (const fault of faults) console.log(fault)
process.exitCode = faults.length ? 1 : 0
