// Native memory: accounted, limited, and an error that leaves everything else usable when it runs out.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Tensor, fill, matmul, openDevice } from '../../lib/index.ts'
import { codeOf, rejection } from './child.ts'

const MIB = 2 ** 20

test('out of memory half-way: the error says how much, and what was there still works', async () => {
  using device = openDevice('cpu', { memoryLimit: 8 * MIB })
  const held: Tensor<'f32'>[] = []
  assert.throws(() => { for (;;) held.push(device.tensor('f32', 256, 1024)) }, (error: { code: string, message: string }) =>
    error.code === 'ERR_OUT_OF_MEMORY' && /\[256, 1024\] f32.*1048576 bytes.*limit of 8388608/.test(error.message))
  assert.ok(held.length >= 6 && held.length <= 8, `${held.length} tensors of 1 MiB`)
  for (const [i, t] of held.entries()) fill({ out: t, value: i })
  for (const [i, t] of held.entries()) assert.is((await t.view(255, 256).read()).at(-1), i)
  held.pop()!.dispose()
  await device.wait()
  held.push(device.tensor('f32', 256, 1024))
  const { used, cached, limit, peak } = device.memory()
  assert.is(limit, 8 * MIB)
  assert.ok(used >= held.length * MIB && used + cached <= limit && peak <= limit, JSON.stringify(device.memory()))
})

test('scratch that does not fit poisons the result and nothing else', async () => {
  using device = openDevice('cpu', { memoryLimit: 6 * MIB })
  using a = device.tensor('f32', 400, 400), b = device.tensor('f32', 400, 400), c = device.tensor('f32', 400, 400)
  using rest = device.tensor('f32', 1, 975_000)
  fill({ out: a, value: 1 })
  fill({ out: b, value: 1 })
  matmul({ a, b, c, contract: 'rows' })
  const error = await rejection(c.read())
  assert.is(error.code, 'ERR_OUT_OF_MEMORY')
  assert.match(error.message, /^matmul failed: .*a \[400, 400\] f32/)
  assert.ok((await a.read()).every(value => value === 1))
  rest.dispose()
  matmul({ a, b, c, contract: 'rows' })
  assert.ok((await c.read()).every(value => value === 400))
})

test('a size that no machine has is an error at once', () => {
  using device = openDevice('cpu')
  assert.is(codeOf(() => device.tensor('u64', 2 ** 40, 1000)), 'ERR_OUT_OF_MEMORY')
  assert.is(codeOf(() => device.tensor('i8', 1, 10)), 'none')
})

test('forgotten tensors make room where the collector may be asked', () => {
  assert.ok(globalThis.gc, 'tests run with --expose-gc')
  using device = openDevice('cpu', { memoryLimit: 8 * MIB })
  for (let i = 0; i < 100; i++) device.tensor('f32', 256, 1024)
  assert.ok(device.memory().used <= 8 * MIB)
})

test('disposed tensors that enqueued work still holds make room too', async () => {
  using device = openDevice('cpu', { memoryLimit: 16 * MIB })
  using out = device.tensor('f32', 512, 512)
  for (let i = 0; i < 60; i++) {
    using a = device.tensor('f32', 512, 512)
    fill({ out: a, value: i })
    matmul({ a, b: a.view(0, 512), c: out })
  }
  assert.is((await out.view(0, 1, 0, 1).read())[0], 512 * 59 * 59)
})

test('forgotten tensors are freed by themselves', async () => {
  using device = openDevice('cpu')
  for (let i = 0; i < 50; i++) device.tensor('f32', 256, 1024)
  for (let i = 0; i < 20 && device.memory().used > 0; i++) {
    globalThis.gc!()
    await new Promise(done => setTimeout(done, 5))
  }
  assert.is(device.memory().used, 0)
})

test('a tensor in use by a view alone is kept', async () => {
  using device = openDevice('cpu')
  const part = (() => device.from(new Float32Array(1000).fill(7), 10, 100).view(3, 4))()
  for (let i = 0; i < 3; i++) {
    globalThis.gc!()
    await new Promise(done => setTimeout(done, 5))
  }
  for (let i = 0; i < 10; i++) fill({ out: device.tensor('f32', 10, 100), value: 0 })
  assert.ok((await part.read()).every(value => value === 7))
})

test.run()
