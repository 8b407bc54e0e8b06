// Used after dispose, disposed while queued, disposed twice: an error or nothing, never a crash.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { fill, fillRandom, matmul, openDevice, screenBytes } from '../../lib/index.ts'
import { codeOf, rejection } from './child.ts'

test('a disposed tensor is refused everywhere', async () => {
  using device = openDevice('cpu')
  const t = device.tensor('f32', 2, 2)
  const part = t.view(0, 1)
  t.dispose()
  assert.ok(t.isDisposed && part.isDisposed)
  for (const use of [() => fill({ out: t, value: 1 }), () => fill({ out: part, value: 1 }), () => t.view(0, 1), () => t.write(new Float32Array(4))]) {
    assert.is(codeOf(use), 'ERR_DISPOSED')
  }
  assert.is((await rejection(t.read())).code, 'ERR_DISPOSED')
  t.dispose()
})

test('disposing of a view leaves the tensor and its other views', async () => {
  using device = openDevice('cpu')
  using t = device.from(Float32Array.of(1, 2), 2, 1)
  const one = t.view(0, 1), two = t.view(1, 2)
  one.dispose()
  assert.is(codeOf(() => one.view(0, 1)), 'ERR_DISPOSED')
  assert.equal([...await two.read()], [2])
  assert.not(t.isDisposed)
})

test('the next tensor in the same place is not taken for the disposed one', async () => {
  using device = openDevice('cpu')
  const old = device.from(Float32Array.of(1), 1, 1)
  old.dispose()
  using fresh = device.from(Float32Array.of(2), 1, 1)
  assert.is(codeOf(() => fill({ out: old, value: 3 })), 'ERR_DISPOSED')
  assert.equal([...await fresh.read()], [2])
})

test('disposed while queued: the work still runs and its result is right', async () => {
  using device = openDevice('cpu')
  const n = 300, ones = new Float32Array(n * n).fill(1)
  using out = device.tensor('f32', n, n)
  for (let i = 0; i < 30; i++) {
    using a = device.from(ones, n, n)
    using b = device.from(ones, n, n)
    matmul({ a, b, c: out, accumulate: i > 0 })
  }
  const reading = out.view(0, 1).read()
  out.dispose()
  assert.ok((await reading).every(value => value === 30 * n))
})

test('`using` gives memory back', async () => {
  using device = openDevice('cpu')
  const before = device.memory().used
  {
    using t = device.tensor('f32', 1000, 100)
    assert.ok(device.memory().used >= before + t.rows * t.columns * 4)
  }
  assert.is(device.memory().used, before)
})

test('a disposed device is refused, its tensors too, and what is awaited is rejected', async () => {
  const device = openDevice('cpu')
  const a = device.tensor('f32', 400, 400), c = device.tensor('f32', 400, 400)
  fillRandom({ out: a, distribution: 'uniform', seed: 3, low: 0, high: 1 })
  for (let i = 0; i < 200; i++) matmul({ a, b: a, c })
  const waits = [rejection(c.read()), rejection(device.wait())]
  device.dispose()
  for (const { code } of await Promise.all(waits)) assert.is(code, 'ERR_DISPOSED')
  assert.ok(device.isDisposed && a.isDisposed)
  for (const use of [() => fill({ out: a, value: 1 }), () => device.tensor('f32', 1, 1), () => device.memory(), () => screenBytes(device, 'int8', 1, 1)]) {
    assert.is(codeOf(use), 'ERR_DISPOSED')
  }
  assert.is((await rejection(a.read())).code, 'ERR_DISPOSED')
  assert.is((await rejection(device.wait())).code, 'ERR_DISPOSED')
  a.dispose()
  device.dispose()
})

test.run()
