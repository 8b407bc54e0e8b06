// What a file may be called, how long it may grow, how it begins, and what no source may contain.
import { posix } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { breaches, code, files, none, read } from './sources.ts'

const FOLDERS = ['lib', 'src', 'cuda', 'test', 'bench', 'examples', 'docs']
const ENDINGS = ['.ts', '.mjs', '.js', '.cc', '.h', '.cu', '.cuh', '.cmake', '.sh', '.py', '.md']
const CODE = ['.ts', '.mjs', '.cc', '.h', '.cu', '.cuh', '.cmake', '.sh']
const BANNED = ['utils', 'util', 'helpers', 'helper', 'common', 'misc', 'core', 'base', 'manager', 'new', 'v2',
  'aux', 'con', 'nul', 'prn'] // names that Windows keeps for itself
const PRINTS = /\b(printf|fprintf|puts|perror)\s*\(|\bstd::(cout|cerr|clog|exit|abort)\b/
const LONGEST = 400 // lines
const WIDEST = 200 // columns outside quoted text, the bound; the habit is 140

/** The first comment of a file, or '' if it begins with anything else. */
function opening(text: string): string {
  const body = text.replace(/^#!.*\n/, '').trimStart()
  return /^(\/\*[\s\S]*?\*\/|(?:\/\/[^\n]*\n?)+|(?:#(?!include|pragma|if|define)[^\n]*\n?)+|"""[\s\S]*?""")/.exec(body)?.[0] ?? ''
}

test('names: no drawer for things without a name', () => {
  const paths = files(FOLDERS, ENDINGS)
  assert.ok(paths.length > 20, `only ${paths.length} files seen`)
  const found = paths.filter(path => path.split('/').slice(1).some(part => BANNED.includes(part.replace(/\..*$/, '').toLowerCase())))
  none(found)
})

test('length: at most 400 lines, or the first comment says why', () => {
  const paths = files(FOLDERS, CODE)
  assert.ok(paths.length > 20, `only ${paths.length} files seen`)
  const found = paths.flatMap(path => {
    const text = read(path)
    const lines = text.split('\n').length - 1
    return lines > LONGEST && !/longer than|400 lines/i.test(opening(text)) ? [`${path}: ${lines} lines`] : []
  })
  none(found)
})

test('beginning: the first comment gives the reason of the file, or that of its header does', () => {
  const paths = files(FOLDERS, CODE)
  const told = (path: string) => opening(read(path)).length >= 20
  const header = (path: string) => path.replace(/\.cc$/, '.h')
  const found = paths.filter(path => !told(path) && !(paths.includes(header(path)) && told(header(path))))
  none(found)
})

test('width and blanks', () => {
  const found = files(FOLDERS, CODE).flatMap(path => {
    const text = read(path)
    const bare = code(text, { quotes: true }).split('\n').map(line => line.trimEnd().replace(/(\S) +/g, '$1 ')).join('\n')
    return [...breaches(path, bare, new RegExp(`^.{${WIDEST + 1},}`)), ...breaches(path, text, /[ \t]+$|\t/)]
      .concat(text.endsWith('\n') && !text.endsWith('\n\n') ? [] : [`${path}: ends with one line break`])
  })
  none(found)
})

test('TypeScript: single quotes, no semicolons at line ends', () => {
  const paths = files(['lib', 'test', 'bench', 'examples'], ['.ts'])
  assert.ok(paths.length > 20)
  const found = paths.flatMap(path => breaches(path, code(read(path), { quotes: true }), /;\s*$/))
  none(found)
})

test('nothing prints but the command line', () => {
  const typescript = files(['lib'], ['.ts']).filter(path => posix.dirname(path) !== 'lib/cli')
  const native = files(['src', 'cuda'], ['.cc', '.h', '.cu', '.cuh'])
  assert.ok(typescript.length > 0 && native.length > 0)
  const found = [
    ...typescript.flatMap(path => breaches(path, code(read(path), { quotes: true }), /\bconsole\.|\bprocess\.(stdout|stderr|exit\()/)),
    ...native.flatMap(path => breaches(path, code(read(path), { quotes: true }), PRINTS)),
  ]
  none(found)
})

test('nothing promises later work', () => {
  const promise = new RegExp(['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X', 'not impl' + 'emented'].map(word => `\\b${word}\\b`).join('|'))
  const found = files(FOLDERS, [...CODE, '.md', '.py']).flatMap(path => breaches(path, read(path), promise))
  none(found)
})

test('every skipped test has its line in test/QUARANTINE.md', () => {
  const quarantine = read('test/QUARANTINE.md')
  const skips = (path: string) => /\.skip\b|\bskip\b\s*=/.test(code(read(path), { quotes: true }))
  const found = files(['test'], ['.test.ts']).filter(path => skips(path) && !quarantine.includes(path))
  none(found)
})

test.run()
