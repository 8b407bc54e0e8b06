// transweld_native: the recorded cases hold on the CPU with several threads and on the emulated GPU, and a result that is wrong by
// one bit is caught. Needs cmake and a C++ compiler; without them there is nothing to run.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { cudaHostPath, native, root } from '../../lib/native/load.ts'
import { SIGNATURES } from '../../lib/native/abi.ts'

const SECONDS = 1000
const FEW = 2500            // cases; 3100 when this was written
const OPS = Object.keys(SIGNATURES).length

const folder = mkdtempSync(join(tmpdir(), 'transweld-native-'))
const program = process.env.TRANSWELD_NATIVE_PROGRAM ?? join(root(), 'build-native/Release/transweld_native')
const cases = join(root(), 'build/cases.bin')
const node = (...args: string[]) => spawnSync(process.execPath, args, { cwd: root(), encoding: 'utf8', timeout: SECONDS * 1000 })
const isBuilt = (process.env.TRANSWELD_NATIVE_PROGRAM !== undefined || node('test/cmake.mjs', 'native', '--optional').status === 0) && existsSync(program)
const built = isBuilt ? test : test.skip
const emulated = isBuilt && cudaHostPath() !== undefined ? test : test.skip

interface Ended { status: number | null, text: string, passed: number, failed: number, skipped: number }

/** The program's output and its sums. */
function run(args: readonly string[], env: NodeJS.ProcessEnv = {}): Ended {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', env: { ...process.env, ...env }, timeout: SECONDS * 1000 })
  const sums = /(\d+) passed, (\d+) failed, (\d+) skipped\n$/.exec(stdout)?.slice(1).map(Number) ?? [0, 0, 0]
  return { status, text: stdout + stderr, passed: sums[0]!, failed: sums[1]!, skipped: sums[2]! }
}

/** All right, and not because nothing ran. */
function sound(ended: Ended, least: number): void {
  assert.is(ended.failed, 0, ended.text)
  assert.is(ended.status, 0, ended.text)
  assert.ok(ended.passed >= least, ended.text)
}

test.after(() => rmSync(folder, { recursive: true }))

/** Whether nothing that the cases are made from has changed since they were. */
function isFresh(): boolean {
  const time = (path: string): number => statSync(join(root(), path)).mtimeMs
  const sources = ['dist/test/ops', 'dist/test/native'].flatMap(path =>
    readdirSync(join(root(), path), { recursive: true }).map(file => join(path, String(file))).filter(file => /(?<!native.*test)\.js$/.test(file)))
  const made = [...sources, 'build/Release/transweld.node'].filter(path => existsSync(join(root(), path)))
  return existsSync(cases) && made.every(path => time(path) < time('build/cases.bin'))
}

built('the tests of ops, recorded', () => {
  if (isFresh()) return
  const { status, stdout, stderr } = node('dist/test/native/generate.js', cases)
  assert.is(status, 0, stdout + stderr)
  const bits = native().devices('').devices[0]!.bits
  assert.match(stdout, new RegExp(`cases.bin: \\d{4,} cases, \\d+ contents, [\\d.]+ MB, class ${bits}`))
})

built('the CPU with 1, 2 and 3 threads', () => {
  const ended = run([cases])
  sound(ended, 3 * FEW)
  assert.is(ended.text.match(/^\w+ +\d+ cases  passed/gm)?.length, 3 * OPS, ended.text)
  assert.is(ended.skipped, 0, ended.text)
})

built('a bit that is wrong in any expected result is found', () => {
  for (const spoil of [1, 40, 333, 6000]) {
    const ended = run(['--threads', '2', '--spoil', String(spoil), cases])
    assert.is(ended.status, 1, ended.text)
    assert.is(ended.failed, 1, `the ${spoil}th: ${ended.text}`)
    assert.match(ended.text, /1 FAILED.*\n  case \d+: .* element \d+ is .*, expected .* to the bit; 1 of \d+ differ/)
  }
})

built('another class of bits, a damaged file, one that is missing, words that mean nothing', () => {
  const { bits } = native().devices('').devices[0]!
  const foreign = run(['--threads', '1', cases], { TRANSWELD_ISA: bits === 'baseline' ? 'avx2' : 'baseline' })
  assert.is(foreign.status, 1)
  assert.match(foreign.text, /the cases hold the bits of class \w+, cpu has class \w+|expected one of .* for TRANSWELD_ISA/)
  const damaged = join(folder, 'damaged.bin')
  spawnSync('cp', [cases, damaged])
  truncateSync(damaged, 100_000)
  for (const [args, words] of [
    [[damaged], /the file of cases is cut short/], [[join(folder, 'nowhere')], /expected a file of cases at/],
    [['--fast', cases], /unexpected --fast/], [[], /usage:/],
    [['--library', join(folder, 'nowhere.so'), cases], /nowhere\.so: cannot open/],
  ] as const) {
    const ended = run(args)
    assert.is(ended.status, 1, ended.text)
    assert.match(ended.text, words)
  }
  writeFileSync(damaged, 'something else altogether')
  assert.match(run([damaged]).text, /is not a file of cases/)
})

emulated('the CUDA kernels, emulated: every op with the bits of the CPU, or within the bounds of a matrix product', () => {
  const ended = run(['--library', cudaHostPath()!, cases])
  sound(ended, FEW)
  assert.is(ended.text.match(/^\w+ +\d+ cases  passed/gm)?.length, OPS, ended.text)
})

built('the bench measures the CPU at a small shape, and refuses what a device is too slow for', () => {
  const json = join(folder, 'bench.json')
  const ended = run(['--bench', '--shape', 'tiny', '--only', 'scatter', '--json', json])
  assert.is(ended.status, 0, ended.text)
  assert.match(ended.text, /sparse_scatter, Adam +[\d.]+ ms .* floor +[\d.]+ ms/)
  assert.ok(existsSync(json))
  assert.match(run(['--bench', '--only', 'fill']).text, /left out on a CPU: --shape gpt2 measures it/)
})

test.run()
