// Reading: exact values of every float kind, and every way in which a file can be wrong, each refused before its data is read.
import { mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { TransweldError, type ErrorCode } from '../../lib/native/error.ts'
import { openSafetensors, parseSafetensors } from '../../lib/safetensors/reader.ts'
import { f32, handmade } from './bytes.ts'

async function refused(promise: Promise<unknown>, code: ErrorCode, words: RegExp): Promise<void> {
  const error = await promise.then(() => undefined, (e: unknown) => e)
  assert.instance(error, TransweldError)
  assert.is((error as TransweldError).code, code)
  assert.match((error as TransweldError).message, words)
}
const damaged = (bytes: Uint8Array, words: RegExp) => refused(parseSafetensors(bytes), 'ERR_FORMAT', words)

test('values, shapes and metadata of a file made by hand', async () => {
  const data = new Uint8Array(new Float32Array([1.5, -2, 0, 2 ** -149]).buffer)
  const file = await parseSafetensors(handmade({ __metadata__: { format: 'pt' }, b: f32([2], 8, 16), a: f32([1, 2], 0, 8) }, data))
  assert.equal(file.names, ['b', 'a'])
  assert.is(file.metadata.get('format'), 'pt')
  assert.equal([...(await file.readFloat32('a')).data], [1.5, -2])
  assert.equal([...(await file.readFloat32('b')).data], [0, 2 ** -149])
  assert.equal(await file.read('a').then(t => [t.dtype, t.shape, [...t.bytes]]), ['F32', [1, 2], [0, 0, 0xc0, 0x3f, 0, 0, 0, 0xc0]])
})

test('every f16 and bf16 value widens exactly', async () => {
  const words = Uint16Array.from({ length: 65536 }, (_, i) => i)
  const file = await parseSafetensors(handmade({ h: { dtype: 'F16', shape: [65536], data_offsets: [0, 131072] }, b: { dtype: 'BF16', shape: [65536], data_offsets: [131072, 262144] } },
    Buffer.concat([new Uint8Array(words.buffer), new Uint8Array(words.buffer)])))
  const half = (await file.readFloat32('h', { finite: false })).data, brain = (await file.readFloat32('b', { finite: false })).data
  const view = new DataView(new ArrayBuffer(4))
  for (let i = 0; i < 65536; i++) {
    const sign = i & 0x8000 ? -1 : 1, exponent = i >> 10 & 31, mantissa = i & 1023
    const expected = exponent === 31 ? (mantissa ? NaN : sign * Infinity) : exponent === 0 ? sign * mantissa * 2 ** -24 : sign * (1 + mantissa / 1024) * 2 ** (exponent - 15)
    assert.ok(Object.is(half[i], expected), `f16 ${i.toString(16)}: ${half[i]} is not ${expected}`)
    view.setUint32(0, i << 16)
    assert.ok(Object.is(brain[i], view.getFloat32(0)), `bf16 ${i.toString(16)}`)
  }
})

test('a tensor longer than one slice, and an odd header length, read the same from file and memory', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'transweld-'))
  const count = 1_200_003, data = Uint16Array.from({ length: count }, (_, i) => i % 0x7f00)
  const bytes = handmade(`{"x":{"dtype":"BF16","shape":[${count}],"data_offsets":[0,${count * 2}]}} `, new Uint8Array(data.buffer))
  try {
    await writeFile(join(folder, 'x.safetensors'), bytes)
    const file = await openSafetensors(join(folder, 'x.safetensors'))
    const words = new Uint32Array((await file.readFloat32('x')).data.buffer)
    assert.ok(words.every((word, i) => word === data[i]! << 16))
    assert.is(Buffer.compare((await file.read('x')).bytes, new Uint8Array(data.buffer)), 0)
    await truncate(file.path, bytes.length - 2)
    await refused(file.read('x'), 'ERR_FORMAT', /ended at byte/)
    await file.close()
    await file.close()
    await refused(file.read('x'), 'ERR_DISPOSED', /closed/)
    await refused(openSafetensors(file.path), 'ERR_FORMAT', /truncated/)
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('NaN and infinities are refused with tensor and index, unless asked for', async () => {
  for (const [value, word] of [[NaN, /NaN at index 2/], [Infinity, /infinity at index 2/], [-Infinity, /infinity/]] as const) {
    const file = await parseSafetensors(handmade({ w: f32([3], 0, 12) }, new Uint8Array(new Float32Array([1, 2, value]).buffer)))
    await refused(file.readFloat32('w'), 'ERR_NOT_FINITE', word)
    assert.ok(Object.is((await file.readFloat32('w', { finite: false })).data[2], value))
  }
  const half = await parseSafetensors(handmade({ w: { dtype: 'F16', shape: [1], data_offsets: [0, 2] } }, Uint8Array.of(0x00, 0x7c)))
  await refused(half.readFloat32('w'), 'ERR_NOT_FINITE', /"w" holds infinity at index 0/)
})

test('lengths', async () => {
  await damaged(new Uint8Array(0), /at least 8 bytes but it has 0/)
  await damaged(new Uint8Array(7), /has 7/)
  await damaged(handmade('{}', 0, 100_000_001n), /at most 100000000/)
  await damaged(handmade('{}', 0, 2n ** 64n - 1n), /at most 100000000/)
  await damaged(handmade('{}', 0, 3n), /only 2 follow/)
  await damaged(handmade('{}', 0, 0n), /cannot hold/)
  await damaged(handmade('{}', 1), /1 bytes at its end belong to no tensor/)
  await damaged(handmade({ a: f32([2], 0, 8) }, 7), /truncated/)
  await damaged(handmade({ a: f32([2], 0, 8) }, 9), /1 bytes at its end/)
  assert.equal((await parseSafetensors(handmade('{}'))).names, [])
})

test('places', async () => {
  await damaged(handmade({ a: f32([2], 0, 8), b: f32([2], 4, 12) }, 12), /"b" overlaps the one before it by 4/)
  await damaged(handmade({ a: f32([1], 0, 4), b: f32([1], 0, 4) }, 4), /overlaps/)
  await damaged(handmade({ a: f32([1], 0, 4), b: f32([1], 8, 12) }, 12), /4 bytes before tensor "b" belong to no tensor/)
  await damaged(handmade({ a: f32([1], 4, 8) }, 8), /4 bytes before tensor "a"/)
  await damaged(handmade({ a: f32([1], 4, 0) }, 4), /run backwards/)
  await damaged(handmade({ a: f32([3], 0, 8) }, 8), /needs 12 bytes but data_offsets give 8/)
  await damaged(handmade({ a: f32([2 ** 31, 2 ** 31, 2 ** 31], 0, 8) }, 8), /too many/)
  await damaged(handmade({ a: f32([2 ** 53, 0.5], 0, 8) }, 8), /shape is not/)
  const empty = await parseSafetensors(handmade({ z: f32([0, 2 ** 40, 2 ** 40], 4, 4), a: f32([1], 0, 4), y: f32([0], 0, 0), s: f32([], 4, 8) }, 8))
  assert.is((await empty.readFloat32('z')).data.length, 0)
  assert.is((await empty.readFloat32('s')).data.length, 1)
})

test('fields', async () => {
  await damaged(handmade('[]'), /not a JSON object/)
  await damaged(handmade('null'), /not a JSON object/)
  await damaged(handmade('{"a":3}'), /entry is not an object/)
  await damaged(handmade({ a: { dtype: 'F33', shape: [], data_offsets: [0, 4] } }, 4), /unknown dtype "F33"/)
  await damaged(handmade({ a: { dtype: 'toString', shape: [], data_offsets: [0, 4] } }, 4), /unknown dtype/)
  await damaged(handmade({ a: { dtype: 32, shape: [], data_offsets: [0, 4] } }, 4), /unknown dtype/)
  await damaged(handmade({ a: { dtype: 'F32', shape: [-1], data_offsets: [0, 4] } }, 4), /shape is not/)
  await damaged(handmade({ a: { dtype: 'F32', shape: '1', data_offsets: [0, 4] } }, 4), /shape is not/)
  await damaged(handmade({ a: { dtype: 'F32', shape: [1], data_offsets: [0] } }, 4), /pair/)
  await damaged(handmade({ a: { dtype: 'F32', shape: [1], data_offsets: [0, '4'] } }, 4), /pair/)
  await damaged(handmade({ a: { dtype: 'F32', shape: [1] } }, 4), /pair/)
  await damaged(handmade({ a: { ...f32([1], 0, 4), stride: [1] } }, 4), /unknown field "stride"/)
  await damaged(handmade({ __metadata__: { n: 1 } }), /"n" is not a string/)
  await damaged(handmade({ __metadata__: [] }), /not an object/)
})

test('JSON that JSON.parse would take or half take', async () => {
  const entry = JSON.stringify(f32([], 0, 4))
  await damaged(handmade(`{"a":${entry},"a":${entry}}`, 4), /"a" comes twice/)
  await damaged(handmade(`{"a":${entry},"\\u0061":${entry}}`, 4), /"a" comes twice/)
  await damaged(handmade(`{"a":{"dtype":"F32","dtype":"F32","shape":[],"data_offsets":[0,4]}}`, 4), /"dtype" comes twice/)
  await damaged(handmade('{"__metadata__":{},"__metadata__":{}}'), /comes twice/)
  for (const text of ['{ ', '{"a"', '{"a":', '{"a":}', '{"a":1,}', '{,}', '{}{}', '{} x', '{"a":01}', '{"a":+1}', '{"a":.5}', '{"a":tru}', '{"a":"\n"}', '{"a":"\\x"}', '\ufeff{}', "{'a':1}", '[1,]']) {
    await damaged(handmade(text), /not valid JSON/)
  }
  await damaged(handmade('['.repeat(90_000)), /nesting deeper/)
  await damaged(handmade('{"a":'.repeat(90_000)), /nesting deeper/)
  await damaged(Buffer.concat([handmade('', 0, 4n), Uint8Array.of(0x22, 0xff, 0xfe, 0x22)]), /not UTF-8/)
})

test('names like __proto__ are names', async () => {
  const entry = (from: number) => JSON.stringify(f32([1], from, from + 4))
  const file = await parseSafetensors(handmade(`{"__metadata__":{"__proto__":"x"},"__proto__":${entry(0)},"constructor":${entry(4)},"":${entry(8)}}`, new Uint8Array(new Float32Array([1, 2, 3]).buffer)))
  assert.equal(file.names, ['__proto__', 'constructor', ''])
  assert.is((await file.readFloat32('__proto__')).data[0], 1)
  assert.is(file.metadata.get('__proto__'), 'x')
  assert.not.ok(file.has('toString'))
  await refused(file.read('hasOwnProperty'), 'ERR_FORMAT', /holds no tensor/)
})

test('what this version does not read is named, beside tensors that it does', async () => {
  const file = await parseSafetensors(handmade({
    e: { dtype: 'F8_E4M3', shape: [4], data_offsets: [0, 4] }, four: { dtype: 'F4', shape: [2], data_offsets: [4, 5] }, i: { dtype: 'I8', shape: [1], data_offsets: [5, 6] },
  }, 6))
  await refused(file.read('e'), 'ERR_UNSUPPORTED', /"e".* is F8_E4M3/)
  await refused(file.readFloat32('four'), 'ERR_UNSUPPORTED', /F4/)
  await refused(file.readFloat32('i'), 'ERR_UNSUPPORTED', /I8; expected F32, F16 or BF16/)
  assert.is((await file.read('i')).bytes.length, 1)
  await damaged(handmade({ four: { dtype: 'F4', shape: [1], data_offsets: [0, 1] } }, 1), /needs too many bytes/)
})

test('paths that are no file', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'transweld-'))
  try {
    await refused(openSafetensors(join(folder, 'absent')), 'ERR_FILE', /does not exist \(ENOENT\)/)
    await refused(openSafetensors(folder), 'ERR_FILE', /not a regular file|is a folder/)
    await refused(openSafetensors(''), 'ERR_INVALID_ARGUMENT', /a path/)
    assert.equal(await readdir(folder), [])
  } finally {
    await rm(folder, { recursive: true })
  }
})

test.run()
