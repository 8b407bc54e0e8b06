// The boundary on a device that enqueues: the CUDA backend's own sources, run by the CPU. Memory and its limit, two devices in one
// call, and failures that show long after the call: they belong to the op, not to whoever waits next.
import { existsSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Tensor, axpy, devices, embedRows, fill, matmul, openDevice, reduceRows } from '../../lib/index.ts'
import { cudaHostPath } from '../../lib/native/load.ts'
import { child, codeOf, rejection } from '../boundary/child.ts'

const MIB = 2 ** 20
const LIBRARY = cudaHostPath()
const reason = LIBRARY === undefined ? 'the kernels are not built for the CPU (npm run build:host, with cmake and g++)' : ''
if (reason) console.log(`skipped: ${reason}`)
const emulated = reason ? test.skip : test

emulated('three devices, one for each order of threads, none of them chosen by itself', async () => {
  assert.ok(existsSync(LIBRARY!), LIBRARY)
  const report = devices()
  assert.equal(report.refused.filter(one => one.path === LIBRARY), [])
  assert.equal(report.devices.map(one => one.device).filter(name => name.startsWith('cuda-host')), ['cuda-host:0', 'cuda-host:1', 'cuda-host:2'])
  const { stdout } = await child('console.log(openDevice().device)', { env: { TRANSWELD_CUDA_LIBRARY: '/nowhere.so', TRANSWELD_DEVICE: '' } })
  assert.is(stdout.trim(), 'cpu')
  using device = openDevice('cuda-host:1')
  assert.is(device.device, 'cuda-host:1')
})

emulated('tensors of two devices in one call', () => {
  using one = openDevice('cuda-host:0'), two = openDevice('cuda-host:1'), cpu = openDevice('cpu')
  using a = one.tensor('f32', 2, 2), b = two.tensor('f32', 2, 2), c = cpu.tensor('f32', 2, 2)
  assert.is(codeOf(() => axpy({ x: a, out: b })), 'ERR_DEVICE_MISMATCH')
  assert.is(codeOf(() => axpy({ x: a, out: c })), 'ERR_DEVICE_MISMATCH')
})

emulated('memory is accounted as it is taken and given back', async () => {
  using device = openDevice('cuda-host:0')
  const before = device.memory().used
  const t = device.tensor('f32', 256, 1024)
  assert.is(device.memory().used - before, MIB)
  t.dispose()
  await device.wait()
  assert.is(device.memory().used, before)
  assert.ok(device.memory().peak >= before + MIB)
})

emulated('the limit is reached: how much was asked for, and what was there still works', async () => {
  using device = openDevice('cuda-host:0', { memoryLimit: 8 * MIB })
  const held: Tensor<'f32'>[] = []
  assert.throws(() => { for (let i = 0; i < 9; i++) held.push(device.tensor('f32', 256, 1024)) }, (error: { code: string, message: string }) =>
    error.code === 'ERR_OUT_OF_MEMORY' && /\[256, 1024\] f32/.test(error.message) && /1048576/.test(error.message))
  assert.ok(held.length >= 4 && held.length <= 8, `${held.length} tensors of 1 MiB`)
  for (const [i, t] of held.entries()) fill({ out: t, value: i })
  for (const [i, t] of held.entries()) assert.is((await t.view(255, 256).read()).at(-1), i)
  held.pop()!.dispose()
  await device.wait()
  held.push(device.tensor('f32', 256, 1024))
  const { used, limit } = device.memory()
  assert.is(limit, 8 * MIB)
  assert.ok(used <= limit)
})

emulated('scratch that does not fit poisons the result and nothing else', async () => {
  using device = openDevice('cuda-host:0', { memoryLimit: 4 * MIB })
  using x = device.from(new Float32Array(600 * 64).fill(1), 600, 64), out = device.tensor('f32', 1, 64)
  const rest: Tensor[] = []
  for (const bytes of [MIB, 2 ** 16, 256]) {
    try { for (;;) rest.push(device.tensor('i8', 1, bytes)) } catch { /* no room for one more of this size */ }
  }
  reduceRows({ x, out })                       // 600 rows are three chunks: their sums lie in scratch
  const error = await rejection(out.read())
  assert.is(error.code, 'ERR_OUT_OF_MEMORY')
  assert.match(error.message, /^reduce_rows failed: out of memory: \d+ bytes of scratch; x \[600, 64\] f32/)
  assert.ok((await x.read()).every(value => value === 1))
  for (const t of rest) t.dispose()
  reduceRows({ x, out })
  assert.ok((await out.read()).every(value => value === 600))
})

emulated('an index out of range shows late, where something that depends on it is read, with the op that met it', async () => {
  using device = openDevice('cuda-host:0')
  using table = device.from(new Float32Array(21).fill(1), 7, 3), bad = device.from(Uint32Array.of(0, 7), 1, 2)
  using out = device.tensor('f32', 2, 3), square = device.tensor('f32', 2, 2), last = device.tensor('f32', 2, 2)
  using other = device.tensor('f32', 2, 3)
  embedRows({ ids: bad, table, out })
  fill({ out: other, value: 5 })
  matmul({ a: out, b: out, c: square })
  for (let i = 0; i < 4; i++) axpy({ x: square, out: last })
  assert.ok((await other.read()).every(value => value === 5), 'what does not depend on it is read first, and is clean')
  const error = await rejection(last.read())
  assert.is(error.code, 'ERR_INVALID_ARGUMENT')
  assert.match(error.message, /^embed_rows failed: expected ids below V for ids but received 7; ids \[1, 2\] u32, table \[7, 3\] f32, out \[2, 3\] f32$/)
  assert.is((await rejection(out.read())).message, error.message)
  assert.ok((await table.read()).every(value => value === 1), 'inputs are not harmed')
})

emulated('a whole overwrite heals, and the device goes on', async () => {
  using device = openDevice('cuda-host:2')
  using table = device.from(new Float32Array(21).fill(1), 7, 3), ids = device.from(Uint32Array.of(9, 9), 1, 2)
  using out = device.tensor('f32', 2, 3)
  embedRows({ ids, table, out })
  fill({ out, value: 3 })
  await device.wait()
  assert.ok((await out.read()).every(value => value === 3))
  ids.write(Uint32Array.of(0, 6))
  embedRows({ ids, table, out })
  assert.ok((await out.read()).every(value => value === 1))
})

test.run()
