// Data in and out: every dtype, views with strides, buffers that are changed or handed away right after a call.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Dtype, fill, fillRandom, matmul, openDevice } from '../../lib/index.ts'
import { codeOf } from './child.ts'

const device = openDevice('cpu')

test('every dtype comes back as it went in', async () => {
  const arrays = {
    f32: Float32Array.of(1, -0, NaN, Infinity, 1e-45, 3), bf16: Uint16Array.of(0, 1, 0x3f80, 0x7f80, 0xffff, 2),
    f16: Uint16Array.of(0, 1, 0x3c00, 0x7c00, 0xffff, 2), i8: Int8Array.of(-128, 127, 0, 1, 2, 3),
    u32: Uint32Array.of(0, 1, 0xffffffff, 3, 4, 5), u64: BigUint64Array.of(0n, 1n, 2n ** 64n - 1n, 3n, 4n, 5n),
  }
  for (const [dtype, data] of Object.entries(arrays) as [Dtype, Float32Array][]) {
    using tensor = device.from(data, 2, 3, dtype)
    const back = await tensor.read()
    assert.is(back.constructor, data.constructor, dtype)
    assert.equal(Buffer.from(back.buffer), Buffer.from(data.buffer), dtype)
  }
})

test('views read and write their part alone', async () => {
  using t = device.from(Float32Array.from({ length: 35 }, (_, i) => i), 5, 7)
  const part = t.view(1, 4, 2, 5)
  assert.equal([...await part.read()], [9, 10, 11, 16, 17, 18, 23, 24, 25])
  part.view(1, 2).write(Float32Array.of(-1, -2, -3))
  const all = await t.read()
  assert.equal([...all.subarray(14, 21)], [14, 15, -1, -2, -3, 19, 20])
  assert.is(all.filter(value => value < 0).length, 3)
})

test('no rows and no columns', async () => {
  for (const [rows, columns] of [[0, 5], [5, 0], [0, 0]] as const) {
    using t = device.from(new Float32Array(0), rows, columns)
    fill({ out: t, value: 1 })
    assert.is((await t.read()).length, 0)
  }
})

test('an array may be changed or transferred right after a write, with a busy queue too', async () => {
  using a = device.tensor('f32', 512, 512), product = device.tensor('f32', 512, 512), t = device.tensor('f32', 1, 4)
  fillRandom({ out: a, distribution: 'normal', seed: 1, low: 0, high: 1 })
  for (let i = 0; i < 20; i++) matmul({ a, b: a, c: product })
  const data = Float32Array.of(1, 2, 3, 4)
  t.write(data)
  data.fill(-1)
  const reading = t.read()
  structuredClone(data, { transfer: [data.buffer] })
  assert.equal([...await reading], [1, 2, 3, 4])
})

test('a detached buffer is refused in words', () => {
  using t = device.tensor('f32', 1, 4)
  const data = new Float32Array(4)
  structuredClone(data, { transfer: [data.buffer] })
  assert.throws(() => t.write(data), /4 elements .* received 0\. Was its buffer transferred\?/)
})

test('another array type or length is refused', () => {
  using t = device.tensor('f32', 1, 4)
  assert.is(codeOf(() => t.write(new Float64Array(4) as never)), 'ERR_INVALID_ARGUMENT')
  assert.is(codeOf(() => t.write([1, 2, 3, 4] as never)), 'ERR_INVALID_ARGUMENT')
  assert.is(codeOf(() => t.write(new Float32Array(5))), 'ERR_SHAPE_MISMATCH')
  assert.is(codeOf(() => device.from(new Uint16Array(4) as never, 1, 4)), 'ERR_INVALID_ARGUMENT')
  assert.is(codeOf(() => device.from(new Float32Array(4), 1, 5)), 'ERR_SHAPE_MISMATCH')
})

test('a read sees all that was enqueued before it and nothing after', async () => {
  using t = device.tensor('f32', 1, 1)
  const readings: Promise<Float32Array>[] = []
  for (let i = 0; i < 1000; i++) {
    fill({ out: t, value: i })
    readings.push(t.read())
  }
  assert.equal((await Promise.all(readings)).map(([value]) => value), Array.from({ length: 1000 }, (_, i) => i))
})

test('versions go up with every write, on views too', () => {
  using t = device.tensor('f32', 2, 2)
  const before = t.version
  fill({ out: t.view(0, 1), value: 1 })
  assert.is(t.version, before + 1)
  t.write(new Float32Array(4))
  assert.is(t.version, before + 2)
  codeOf(() => fill({ out: t, bits: 1 }))
  assert.is(t.version, before + 2, 'a refused call writes nothing')
})

test.run()
