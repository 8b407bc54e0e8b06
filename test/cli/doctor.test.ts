// `transweld doctor`: what it prints, its JSON, its exit codes; and how the command line says errors.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { command } from '../boundary/child.ts'

test('the device works: words, exit code 0', async () => {
  const { code, stdout, stderr } = await command(['doctor'])
  assert.equal([code, stderr], [0, ''], stdout)
  for (const line of [/^transweld +\d+\.\d+\.\d+/m, /^node +v\d+.*N-API \d+/m, /^addon +.*\.node \(.+\)/m, /^processor +.+ cores, \d+ threads/m, /^device +cpu: /m,
    /^CUDA tried +.*transweld_cuda\.so: /m, /^checked +sparse_encode right .*matmul right .*sparse_decode right/m, /^verdict +cpu works$/m]) assert.match(stdout, line)
})

test('--json holds the same as data', async () => {
  const { code, stdout } = await command(['doctor', '--json'], { env: { TRANSWELD_THREADS: '1' } })
  assert.is(code, 0)
  const report = JSON.parse(stdout)
  assert.equal([report.works, report.fault, report.used.device], [true, '', 'cpu'])
  assert.equal(report.checks.map((one: { op: string, ok: boolean }) => [one.op, one.ok]), [['sparse_encode', true], ['matmul', true], ['sparse_decode', true]])
  assert.is(report.environment.TRANSWELD_THREADS, '1')
  assert.is(report.cpu.threads, '1')
  assert.ok(report.cuda.refused.length > 0 && report.cuda.advice.length > 0)
})

test('the device asked for is missing: exit code 1, the words of the loader', async () => {
  const { code, stdout } = await command(['doctor'], { env: { TRANSWELD_DEVICE: 'cuda:0', TRANSWELD_CUDA_LIBRARY: '/nowhere/transweld_cuda.so' } })
  assert.is(code, 1)
  assert.match(stdout, /^verdict +does not work: .*\/nowhere\/transweld_cuda\.so: cannot open/m)
  assert.match(stdout, /^environment +TRANSWELD_DEVICE=cuda:0$/m)
})

test('an addon that does not load is part of the report', async () => {
  const { code, stdout, stderr } = await command(['doctor', '--json'], { env: { TRANSWELD_ADDON: '/nowhere/transweld.node' } })
  assert.equal([code, stderr], [1, ''])
  assert.match(JSON.parse(stdout).addon.error, /nowhere/)
})

test('what is typed wrong is one line on stderr', async () => {
  const option = await command(['doctor', '--jsn'])
  assert.is(option.code, 1)
  assert.is(option.stderr, "transweld: unknown option '--jsn' (Did you mean --json?) (ERR_UNKNOWN_OPTION)\n")
  const name = await command(['doctr'])
  assert.is(name.code, 1)
  assert.match(name.stderr, /^transweld: unknown command 'doctr'.*\n$/)
})

test.run()
