// The examples of the documentation do what they say: each is run as a user's module, in a folder that has the example model and
// an installed transweld, and what it prints must hold, in their order, the comments after its calls of console.log.
import { fork, spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { none, root } from '../laws/sources.ts'
import type { Outcome } from './child.ts'
import { type Example, examples, onlyDeclares, promised } from './extract.ts'

const BATCH = 16           // examples a process: one that dies takes no more than these along
const SECONDS = 100        // for a batch; the longest takes 5
const PAGES = ['README.md', 'docs/cuda.md', 'docs/models.md', 'docs/tokenizers.md']     // not hub.md, which needs the hub

/** A folder in which the examples find what they name: the model, texts of TypeScript in `src` and `test`, and the package. */
function place(): string {
  const folder = mkdtempSync(join(tmpdir(), 'transweld-examples-'))
  mkdirSync(join(folder, 'node_modules'))
  const links = { 'node_modules/transweld': '', examples: 'examples', docs: 'docs', src: 'lib/text', test: 'test/text' }
  for (const [name, target] of Object.entries(links)) symlinkSync(join(root, target), join(folder, name), 'dir')
  copyFileSync(join(root, 'README.md'), join(folder, 'README.md'))
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  const compilerOptions = {
    target: 'es2022', lib: ['es2023', 'esnext.disposable'], module: 'esnext', moduleResolution: 'bundler', moduleDetection: 'force',
    noCheck: true, types: [],       // npm run check looks at their types
  }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['example-*.ts'] }))
  return folder
}

/** The same work on less text: 16 thousand tokens for a million. */
const shorter = (code: string): string => code.replace(/\btokens: 1e6\b/, 'tokens: 16384').replace(/\btokens: 65536\b/, 'tokens: 2048')

/** What one process tells of its modules, and how it ended. */
function batch(folder: string, paths: readonly string[]): Promise<{ outcomes: Outcome[], ending: string }> {
  const child = fork(join(root, 'dist/test/docs/child.js'), paths, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
  const outcomes: Outcome[] = []
  let words = ''
  child.stderr!.setEncoding('utf8').on('data', (text: string) => { words += text })
  child.on('message', message => { outcomes.push(message as Outcome) })
  const timer = setTimeout(() => child.kill('SIGKILL'), SECONDS * 1000)
  return new Promise(resolve => child.on('close', (code, signal) => {
    clearTimeout(timer)
    resolve({ outcomes, ending: `${signal ?? `exit code ${code}`} ${words}`.trim() })
  }))
}

/** What is wrong with one example, or nothing. */
function judge({ place, code }: Example, outcome: Outcome | undefined, ending: string): string[] {
  if (outcome === undefined) return [`${place}: did not come to its end (${ending})`]
  if (outcome.error !== undefined) return [`${place}: ${outcome.error}`]
  let at = 0
  for (const line of promised(code)) {
    at = outcome.printed.indexOf(line, at) + 1
    if (at === 0) return [`${place}: says that it prints "${line}" but printed\n        ${outcome.printed.join('\n        ')}`]
  }
  return []
}

/** Compiles and runs all; one line of complaint for each that is not as it says. */
async function run(list: readonly Example[]): Promise<string[]> {
  const folder = place(), found: string[] = []
  try {
    list.forEach(({ code }, i) => writeFileSync(join(folder, `example-${i}.ts`), shorter(code)))
    const compiled = spawnSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', folder], { encoding: 'utf8' })
    assert.is(compiled.status, 0, compiled.stdout + compiled.stderr)
    const path = (i: number): string => join(folder, `example-${i}.js`)
    for (let from = 0; from < list.length; from += BATCH) {
      const part = list.slice(from, from + BATCH)
      const { outcomes, ending } = await batch(folder, part.map((_, i) => path(from + i)))
      found.push(...part.flatMap((example, i) => judge(example, outcomes.find(one => one.path === path(from + i)), ending)))
      if (outcomes.length === part.length && ending !== 'exit code 0') found.push(`${part[0]!.place} and ${part.length - 1} after it: ${ending}`)
    }
    return found
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test('every example of lib/, of the README and of the named pages runs and prints what its comments say', async () => {
  const list = examples(PAGES)
  assert.ok(PAGES.every(page => list.some(({ place }) => place.startsWith(page))), 'a page without an example')
  const running = list.filter(({ code }) => !onlyDeclares(code))
  assert.ok(running.length >= 30, `${running.length} of ${list.length} examples do more than declare functions`)
  assert.ok(running.filter(({ code }) => promised(code).length > 0).length >= 30, 'few examples say what they print')
  none(await run(list))
})

test('an example that throws, says what is not so, hangs or ends the process is found', async () => {
  const planted = [
    "import { topK } from 'transweld'\ntopK(0)",
    "console.log('a')   // b",
    "console.log(1)   // 1\nconsole.log(2)   // 2",
    'await new Promise(() => {})',
    'console.log(3)   // 3',
  ]
  const found = await run(planted.map((code, i) => ({ place: `planted:${i}`, code })))
  assert.is(found.length, 4, found.join('\n'))
  assert.match(found[0]!, /^planted:0: TransweldError: expected .* for k/)
  assert.match(found[1]!, /^planted:1: says that it prints "b" but printed\s+a$/)
  assert.match(found[2]!, /^planted:3: did not come to its end \(exit code 13/)
  assert.match(found[3]!, /^planted:4: did not come to its end/)
})

test('the examples are built on what a user gets', () => {
  assert.ok(existsSync(join(root, 'dist/lib/index.js')))
  none(examples(PAGES).filter(({ code }) => /from '(?!transweld'|node:)/.test(code)).map(({ place }) => place))
})

test.run()
