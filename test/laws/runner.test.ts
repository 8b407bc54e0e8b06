// The runner of the tests, tried on planted files: each way in which a test file can look green without being so must fail.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { root } from './sources.ts'

const uvu = pathToFileURL(join(root, 'node_modules/uvu/dist/index.mjs')).href
const HEAD = `import { test } from '${uvu}'\n`
const GOOD = "test('good', () => {})\n"
const END = 'test.run()\n'

/** Runs one planted file; its closing line and the whole output. */
function planted(body: string, env: Record<string, string> = {}): { last: string, text: string, status: number | null } {
  const folder = mkdtempSync(join(tmpdir(), 'transweld-runner-'))
  try {
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
    writeFileSync(join(folder, 'planted.test.js'), HEAD + body)
    const { stdout, status } = spawnSync(process.execPath, [join(root, 'test/run.mjs')],
      { encoding: 'utf8', env: { ...process.env, ...env, TEST_FOLDER: folder } })
    return { last: stdout.trimEnd().split('\n').at(-1) ?? '', text: stdout, status }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Asserts the closing line, that the exit status agrees with it, and that the reason is told. */
function expect(body: string, last: string, reason = '', env: Record<string, string> = {}): void {
  const got = planted(body, env)
  assert.is(got.last, last, got.text)
  assert.is(got.status, / 0 failed/.test(last) ? 0 : 1)
  assert.ok(got.text.includes(reason), got.text)
}

test('counts what passed, failed and was skipped', () => {
  expect(GOOD + END, '1 passed, 0 failed, 0 skipped')
  expect(GOOD + "test('bad', () => { throw new Error('planted') })\n" + END, '1 passed, 1 failed, 0 skipped', 'planted')
  expect(GOOD + "test.skip('later', () => {})\n" + END, '1 passed, 0 failed, 1 skipped')
})

test('shows why a file has skipped, and nothing else of a file that is sound', () => {
  const { text } = planted("console.log('some words')\nconsole.log('skipped: no such tool here')\n" + GOOD + "test.skip('later', () => {})\n" + END)
  assert.match(text, /^planted.* 1 passed, 1 skipped\n  skipped: no such tool here\n/)
  assert.not.match(text, /some words/)
})

test('a file that ran nothing fails', () => {
  expect(GOOD, '0 passed, 1 failed, 0 skipped', 'is test.run() forgotten?')
  expect(END, '0 passed, 1 failed, 0 skipped', 'holds no test')
  expect("throw new Error('early')\n", '0 passed, 1 failed, 0 skipped', 'before its tests had ended')
  expect("test('never', () => new Promise(() => {}))\n" + END, '0 passed, 1 failed, 0 skipped')
})

test('a file that hides tests fails', () => {
  expect(GOOD + "test.on" + "ly('one', () => {})\n" + END, '1 passed, 1 failed, 1 skipped', 'hides the other tests')
})

test('a file that breaks after its tests fails', () => {
  expect(GOOD + END + 'setTimeout(() => { throw new Error(1) }, 100)\n', '1 passed, 1 failed, 0 skipped', 'after its tests')
  expect(GOOD + END + "setTimeout(() => process.kill(process.pid, 'SIGSEGV'), 100)\n", '1 passed, 1 failed, 0 skipped', 'killed by SIGSEGV')
})

test('a file that does not end is ended', () => {
  expect(GOOD + END + 'setInterval(() => {}, 1000)\n', '1 passed, 1 failed, 0 skipped', 'ran longer than 1 s', { TEST_SECONDS: '1' })
})

test('no file at all is a failure', () => {
  const { status, stdout } = spawnSync(process.execPath, [join(root, 'test/run.mjs'), 'no-such-file'], { encoding: 'utf8' })
  assert.is(status, 1)
  assert.match(stdout, /no test file matches no-such-file/)
})

test.run()
