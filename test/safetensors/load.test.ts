// Tensors of a file straight into device memory: every pair of dtypes beside plain conversion, turned, by rows, in pieces and by
// several threads; and what is wrong with a file.
import { open, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { devices } from '../../lib/native/backend.ts'
import { openSafetensors, parseSafetensors } from '../../lib/safetensors/reader.ts'
import { type TensorToWrite, writeSafetensors } from '../../lib/safetensors/writer.ts'
import { type Device, openDevice } from '../../lib/tensor/device.ts'
import type { FloatDtype } from '../../lib/tensor/dtype.ts'
import { failsWith, inFolder } from '../model/tiny.ts'
import { isAsked } from '../ops/asked.ts'
import { random } from '../ops/cases.ts'
import { fromBits, roundTo as narrowed, toBits } from '../ops/reference.ts'

const NAMES = { f32: 'F32', bf16: 'BF16', f16: 'F16' } as const
const FLOATS = ['f32', 'bf16', 'f16'] as const

const roundTo = (dtype: FloatDtype, x: number): number => dtype === 'f32' ? Math.fround(x) : narrowed(dtype, x)

// A tensor of a file whose numbers are those of `values` rounded to its dtype.
function stored(dtype: FloatDtype, shape: readonly number[], values: ArrayLike<number>): TensorToWrite {
  const data = dtype === 'f32' ? Float32Array.from(values) : Uint16Array.from(values, x => toBits(dtype, roundTo(dtype, x)))
  return { dtype: NAMES[dtype], shape, data } as TensorToWrite
}

async function read(device: Device, file: string, name: string, dtype: FloatDtype, rows: number, columns: number, options = {}): Promise<Float64Array> {
  await using weights = await openSafetensors(file)
  using out = device.tensor(dtype, rows, columns)
  await weights.load(name, out, options)
  const data = await out.read()
  return Float64Array.from(data, x => dtype === 'f32' ? x : fromBits(dtype, x))
}

for (const { device: name } of devices().devices.filter(isAsked)) {
  const each = (what: string, work: (device: Device) => Promise<void>): void => test(`${name}: ${what}`, async () => { using device = openDevice(name); await work(device) })

  each('every dtype into every dtype, whole, turned, by rows', device => inFolder(async folder => {
    const [rows, columns] = [67, 35], file = join(folder, 'x.safetensors'), values = random(1, rows, columns, -3, 3).data
    values[0] = 2 ** -20   // subnormal in f16
    values[1] = 60000
    await writeSafetensors(file, Object.fromEntries(FLOATS.map(dtype => [dtype, stored(dtype, [rows, columns], values)])))
    for (const from of FLOATS) {
      for (const to of FLOATS) {
        const expected = Array.from(values, x => roundTo(to, roundTo(from, x)))
        assert.equal([...await read(device, file, from, to, rows, columns)], expected, `${from} to ${to}`)
        const turned = Array.from({ length: rows * columns }, (_, i) => expected[i % rows * columns + Math.floor(i / rows)]!)
        assert.equal([...await read(device, file, from, to, columns, rows, { turned: true })], turned, `${from} to ${to}, turned`)
        assert.equal([...await read(device, file, from, to, 9, columns, { rows: [31, 40] })], expected.slice(31 * columns, 40 * columns), `${from} to ${to}, rows`)
      }
    }
  }))

  each('into a part of a tensor; the rest stays', device => inFolder(async folder => {
    const file = join(folder, 'x.safetensors'), values = random(2, 6, 5).data
    await writeSafetensors(file, { x: stored('f32', [6, 5], values), v: stored('bf16', [5], values.slice(0, 5)) })
    await using weights = await openSafetensors(file)
    using out = device.from(new Float32Array(90).fill(7), 9, 10)
    await weights.load('x', out.view(2, 8, 3, 8))
    await weights.load('v', out.view(8, 9, 0, 5))
    const data = await out.read()
    const expected = Array.from({ length: 90 }, (_, i) => {
      const r = Math.floor(i / 10), c = i % 10
      if (r === 8 && c < 5) return roundTo('bf16', values[c]!)
      return r >= 2 && r < 8 && c >= 3 && c < 8 ? Math.fround(values[(r - 2) * 5 + c - 3]!) : 7
    })
    assert.equal([...data], expected)
  }))

  each('more than one piece, by several threads: 9 MB', device => inFolder(async folder => {
    const [rows, columns] = [1201, 1999], file = join(folder, 'x.safetensors'), values = Float32Array.from({ length: rows * columns }, (_, i) => i % 8191 - 4000)
    await writeSafetensors(file, { x: { dtype: 'F32', shape: [rows, columns], data: values } })
    for (const dtype of ['f32', 'bf16'] as const) {
      const data = await read(device, file, 'x', dtype, rows, columns)
      assert.ok(data.every((x, i) => x === roundTo(dtype, values[i]!)), dtype)
      const turned = await read(device, file, 'x', dtype, columns, rows, { turned: true })
      assert.ok(turned.every((x, i) => x === roundTo(dtype, values[i % rows * columns + Math.floor(i / rows)]!)), `${dtype}, turned`)
    }
  }))

  each('int8: the scale of a row is its largest number / 127, and no element is off by more than half of it', device => inFolder(async folder => {
    const [rows, columns] = [37, 83], file = join(folder, 'x.safetensors'), values = random(3, rows, columns, -2, 2).data
    values.fill(0, 5 * columns, 6 * columns)
    await writeSafetensors(file, { x: stored('bf16', [rows, columns], values) })
    await using weights = await openSafetensors(file)
    using out = device.tensor('i8', rows, columns), scales = device.tensor('f32', 1, rows)
    await weights.load('x', out, { scales })
    const [codes, scale] = [await out.read(), await scales.read()]
    for (let r = 0; r < rows; r++) {
      const row = Array.from(values.slice(r * columns, (r + 1) * columns), x => roundTo('bf16', x)), most = Math.max(...row.map(Math.abs))
      assert.is(scale[r], Math.fround(most / 127), `scale ${r}`)
      for (const [k, x] of row.entries()) assert.ok(Math.abs(codes[r * columns + k]! * scale[r]! - x) <= scale[r]! * 0.5001, `row ${r}`)
    }
    await failsWith('ERR_SHAPE_MISMATCH', /scales/, () => weights.load('x', out))
  }))

  each('NaN and infinity are refused with their place, and the tensor is poisoned', device => inFolder(async folder => {
    const file = join(folder, 'x.safetensors'), values = random(4, 30, 7).data
    values[100] = NaN
    const other = random(5, 30, 7).data
    other[209] = -Infinity
    await writeSafetensors(file, { nan: stored('f32', [30, 7], values), infinite: stored('bf16', [30, 7], other), good: stored('f32', [1, 2], [1, 2]) })
    await using weights = await openSafetensors(file)
    using out = device.tensor('f32', 30, 7), turned = device.tensor('bf16', 7, 30)
    await failsWith('ERR_NOT_FINITE', /"nan".*index 100/, () => weights.load('nan', out))
    await failsWith('ERR_NOT_FINITE', /"nan"/, () => out.read())
    await failsWith('ERR_NOT_FINITE', /"infinite".*index 209/, () => weights.load('infinite', turned, { turned: true }))
    using good = device.tensor('f32', 1, 2)
    await weights.load('good', good)
    assert.equal([...await good.read()], [1, 2])
  }))

  each('a file that is closed meanwhile stays open until its loads are done', device => inFolder(async folder => {
    const [rows, columns] = [1200, 1000], file = join(folder, 'x.safetensors')
    const values = Float32Array.from({ length: rows * columns }, (_, i) => i % 1000)
    await writeSafetensors(file, { x: { dtype: 'F32', shape: [rows, columns], data: values } })
    using out = device.tensor('f32', rows, columns)
    const weights = await openSafetensors(file), loads = [0, 1, 2, 3].map(() => weights.load('x', out))
    await weights.close()
    await Promise.all(loads)
    assert.ok((await out.read()).every((x, i) => x === i % 1000))
  }))

  each('a file that was cut after it was opened; shapes that do not fit; a closed file; a disposed tensor', device => inFolder(async folder => {
    const file = join(folder, 'x.safetensors')
    await writeSafetensors(file, { x: stored('f32', [64, 64], random(6, 64, 64).data), i: { dtype: 'I32', shape: [2], data: new Int32Array(2) } as unknown as TensorToWrite })
    const weights = await openSafetensors(file)
    const out = device.tensor('f32', 64, 64)
    await failsWith('ERR_SHAPE_MISMATCH', /64,64|64, 64/, () => weights.load('x', out.view(0, 63)))
    await failsWith('ERR_UNSUPPORTED', /I32/, () => weights.load('i', out))
    await failsWith('ERR_FORMAT', /no tensor "y"/, () => weights.load('y', out))
    const handle = await open(file, 'r+'), { size } = await handle.stat()
    await handle.close()
    await truncate(file, size - 8000)
    await failsWith('ERR_FORMAT', /cut short/, () => weights.load('x', out))
    out.dispose()
    await failsWith('ERR_DISPOSED', /disposed/, () => weights.load('x', out))
    await weights.close()
    await failsWith('ERR_DISPOSED', /closed/, () => weights.load('x', out))
    const memory = await parseSafetensors(new Uint8Array([2, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0x7d]))
    await failsWith('ERR_FORMAT', /no tensor/, () => memory.load('x', out))
  }))
}

test.run()
