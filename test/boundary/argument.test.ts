// What a call refuses, and with which words: wrong dtype, shape, range, device, key; nothing is enqueued then.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { axpy, embedRows, featureMajor, fill, matmul, openDevice, patternFixed, patternRagged, sparseEncode, sparseScatter } from '../../lib/index.ts'
import { codeOf } from './child.ts'

const device = openDevice('cpu')
const x = device.from(new Float32Array(12), 3, 4)
const w = device.from(new Float32Array(20), 5, 4)
const c = device.tensor('f32', 3, 5)

function message(body: () => unknown): string {
  try { body() } catch (error) { return (error as Error).message }
  return 'nothing was thrown'
}

test('a shape that does not fit names op, argument, what was expected and what was received', () => {
  const wrong = () => matmul({ a: x, b: w, c: x })
  assert.is(codeOf(wrong), 'ERR_SHAPE_MISMATCH')
  assert.is(message(wrong), 'expected a tensor [3, 5] f32 for c of matmul but received [3, 4] f32')
  assert.is(message(() => matmul({ a: x, b: w, bias: x, c })), 'expected a tensor [1, 5] f32 for bias of matmul but received [3, 4] f32')
})

test('a wrong dtype is a shape mismatch that lists the dtypes that fit', () => {
  const ids = device.tensor('u32', 3, 4)
  assert.is(message(() => matmul({ a: ids, b: w, c })), 'expected a tensor [any, any] f32 or bf16 or f16 for a of matmul but received [3, 4] u32')
  assert.is(codeOf(() => embedRows({ ids: x, table: w, out: x })), 'ERR_SHAPE_MISMATCH')
  ids.dispose()
})

test('what is no tensor at all is an invalid argument', () => {
  for (const wrong of [undefined, null, 3, 'x', {}, new Float32Array(12)]) {
    assert.is(codeOf(() => matmul({ a: wrong as never, b: w, c })), 'ERR_INVALID_ARGUMENT', String(wrong))
  }
  for (const wrong of [undefined, null, 3]) assert.is(codeOf(() => matmul(wrong as never)), 'ERR_INVALID_ARGUMENT', String(wrong))
})

test('an unknown key names the nearest one', () => {
  const wrong = () => matmul({ a: x, b: w, c, bais: x } as never)
  assert.is(codeOf(wrong), 'ERR_UNKNOWN_OPTION')
  assert.match(message(wrong), 'did you mean "bias"')
})

test('an unknown word lists the words', () => {
  assert.is(message(() => matmul({ a: x, b: w, c, activation: 'gelu' as never })),
    'expected "linear" or "relu" or "geluTanh" or "geluErf" or "silu" or "quickGelu" for activation of matmul but received "gelu"')
})

test('numbers that are not finite, flags that are not boolean', () => {
  assert.is(codeOf(() => axpy({ alpha: NaN, x, out: x })), 'ERR_INVALID_ARGUMENT')
  assert.is(codeOf(() => matmul({ a: x, b: w, c, accumulate: 1 as never })), 'ERR_INVALID_ARGUMENT')
  assert.is(codeOf(() => fill({ out: x, bits: 1 })), 'ERR_INVALID_ARGUMENT')
})

test('tensors of two devices do not mix', () => {
  using other = openDevice('cpu')
  assert.is(codeOf(() => matmul({ a: x, b: other.tensor('f32', 5, 4), c })), 'ERR_DEVICE_MISMATCH')
})

test('an output may not overlap an input, but a neighbouring view may be one', async () => {
  using both = device.tensor('f32', 4, 8)
  fill({ out: both, value: 1 })
  assert.is(codeOf(() => matmul({ a: both.view(0, 4, 0, 4), b: both.view(0, 4, 3, 7), c: both.view(0, 4, 3, 7) })), 'ERR_INVALID_ARGUMENT')
  assert.is(codeOf(() => axpy({ x: both.view(0, 2), out: both.view(1, 3) })), 'ERR_INVALID_ARGUMENT')
  axpy({ x: both.view(0, 4, 0, 4), alpha: 3, out: both.view(0, 4, 4, 8) })
  axpy({ x: both, y: both, out: both })
  assert.equal([...(await both.read()).subarray(0, 8)], [2, 2, 2, 2, 6, 6, 6, 6])
})

test('a view lies inside its tensor', () => {
  for (const [from, to, left, right] of [[0, 4, 0, 4], [-1, 2, 0, 4], [2, 1, 0, 4], [0, 3, 0, 5], [0, 3, 3, 2], [0.5, 1, 0, 4]] as const) {
    assert.is(codeOf(() => x.view(from, to, left, right)), 'ERR_INVALID_ARGUMENT', `${from} ${to} ${left} ${right}`)
  }
  assert.is(x.view(3, 3).rows, 0)
  assert.is(x.view(1, 2, 4).columns, 0)
})

test('K is at most the features to choose from', () => {
  assert.is(codeOf(() => patternFixed(device, 3, 6, 5)), 'ERR_INVALID_ARGUMENT')
  using codes = patternFixed(device, 3, 2, 5), z = codes.plane(), counts = device.tensor('u64', 1, 4)
  using subset = device.from(Uint32Array.of(4), 1, 1)
  assert.match(message(() => sparseEncode({ x, weight: w, subset, rule: 'topk', codes, z, counts })), 'at most the 1 features')
})

test('rules want their kind of pattern, screens their shadow', () => {
  using fixed = patternFixed(device, 3, 2, 5), ragged = patternRagged(device, 3, 9, 5), counts = device.tensor('u64', 1, 4)
  using z = fixed.plane(), zRagged = ragged.plane()
  assert.is(codeOf(() => sparseEncode({ x, weight: w, rule: 'positive', codes: fixed, z, counts })), 'ERR_INVALID_ARGUMENT')
  assert.is(codeOf(() => sparseEncode({ x, weight: w, rule: 'topk', codes: ragged, z: zRagged, counts })), 'ERR_INVALID_ARGUMENT')
  assert.is(codeOf(() => sparseEncode({ x, weight: w, rule: 'topk', screen: 'int8', codes: fixed, z, counts })), 'ERR_INVALID_ARGUMENT')
  assert.is(codeOf(() => featureMajor({} as never)), 'ERR_INVALID_ARGUMENT')
  assert.is(codeOf(() => sparseScatter({ mode: 'adam', terms: [] })), 'ERR_INVALID_ARGUMENT')
})

test('options of a device are closed', () => {
  assert.is(codeOf(() => openDevice('cpu', { memoryLimt: 1 } as never)), 'ERR_UNKNOWN_OPTION')
  assert.is(codeOf(() => openDevice('cpu', { memoryLimit: -1 })), 'ERR_INVALID_ARGUMENT')
  assert.is(codeOf(() => openDevice('gpu')), 'ERR_INVALID_ARGUMENT')
  assert.is(codeOf(() => device.tensor('f64' as never, 1, 1)), 'ERR_INVALID_ARGUMENT')
  assert.is(codeOf(() => device.tensor('f32', -1, 1)), 'ERR_INVALID_ARGUMENT')
  assert.is(codeOf(() => device.tensor('f32', 2 ** 40, 2 ** 40)), 'ERR_INVALID_ARGUMENT')
})

test.run()
