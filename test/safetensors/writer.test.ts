// Writing: the bytes of the format, the same bytes each time, nothing half-written.
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { TransweldError } from '../../lib/native/error.ts'
import { openSafetensors } from '../../lib/safetensors/reader.ts'
import { writeSafetensors, type TensorToWrite } from '../../lib/safetensors/writer.ts'

let folder = ''
test.before.each(async () => { folder = await mkdtemp(join(tmpdir(), 'transweld-')) })
test.after.each(async () => { await rm(folder, { recursive: true }) })

test('the bytes, one by one', async () => {
  const path = join(folder, 'x.safetensors')
  await writeSafetensors(path, { b: { dtype: 'U8', shape: [3], data: Uint8Array.of(7, 8, 9) }, a: { dtype: 'F32', shape: [1, 1], data: new Float32Array([1]) } }, { k: 'é' })
  const json = '{"__metadata__":{"k":"é"},"a":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[3],"data_offsets":[4,7]}}'
  const length = Math.ceil(Buffer.byteLength(json) / 8) * 8
  const expected = Buffer.concat([Buffer.from([length, 0, 0, 0, 0, 0, 0, 0]), Buffer.from(json), Buffer.alloc(length - Buffer.byteLength(json), ' '), Buffer.from([0, 0, 0x80, 0x3f, 7, 8, 9])])
  assert.equal(await readFile(path), expected)
})

test('round trip of every shape and dtype, in any order of keys, from views and from functions', async () => {
  const floats = Float32Array.from({ length: 3_000_001 }, (_, i) => Math.sin(i))
  const inner = new Uint8Array(new Uint8Array(64).fill(5).buffer, 3, 2)
  const tensors: [string, TensorToWrite][] = [
    ['long', { dtype: 'F32', shape: [3_000_001], data: floats }], ['__proto__', { dtype: 'F16', shape: [1], data: inner }],
    ['none', { dtype: 'I64', shape: [4, 0], data: new Uint8Array(0) }], ['scalar', { dtype: 'F64', shape: [], data: new Float64Array([Math.PI]) }],
    ['"quoted\\ \u2028', { dtype: 'BOOL', shape: [2], data: async () => Uint8Array.of(1, 0) }],
  ]
  await writeSafetensors(join(folder, 'a'), new Map(tensors))
  await writeSafetensors(join(folder, 'b'), new Map([...tensors].reverse()))
  assert.is(Buffer.compare(await readFile(join(folder, 'a')), await readFile(join(folder, 'b'))), 0)
  const file = await openSafetensors(join(folder, 'a'))
  assert.is(file.names.length, 5)
  assert.is(Buffer.compare(Buffer.from((await file.readFloat32('long')).data.buffer), Buffer.from(floats.buffer)), 0)
  assert.equal([...(await file.read('__proto__')).bytes], [5, 5])
  assert.equal((await file.read('none')).shape, [4, 0])
  assert.equal([...(await file.read('"quoted\\ \u2028')).bytes], [1, 0])
  assert.is(file.entry('long').start % 4, 0)
  assert.is(file.entry('scalar').start % 8, 0)
  await file.close()
})

test('bytes that do not fit the shape leave the old file', async () => {
  const path = join(folder, 'x')
  await writeFile(path, 'old')
  const wrong: Record<string, TensorToWrite>[] = [
    { a: { dtype: 'F32', shape: [2], data: new Float32Array(3) } },
    { a: { dtype: 'F32', shape: [2], data: async () => new Float32Array(1) } },
    { a: { dtype: 'F32', shape: [-1], data: new Float32Array(0) } },
    { a: { dtype: 'F99' as 'F32', shape: [0], data: new Float32Array(0) } },
    { __metadata__: { dtype: 'F32', shape: [0], data: new Float32Array(0) } },
    { a: { dtype: 'F32', shape: [1], data: new Float32Array(1) }, b: { dtype: 'F32', shape: [1], data: () => Promise.reject(new TransweldError('ERR_DEVICE_LOST', 'gone')) } },
  ]
  for (const tensors of wrong) {
    const error = await writeSafetensors(path, tensors).then(() => undefined, (e: unknown) => e)
    assert.instance(error, TransweldError)
    assert.equal(await readdir(folder), ['x'])
    assert.is(await readFile(path, 'utf8'), 'old')
  }
})

test.run()
