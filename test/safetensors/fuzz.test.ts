// A file with a few random wounds is read or refused with a TransweldError, within a second and without a crash. Fixed seed.
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { TransweldError } from '../../lib/native/error.ts'
import { parseSafetensors } from '../../lib/safetensors/reader.ts'
import { f32, handmade } from './bytes.ts'

const SEED = 20260722
const sound = handmade({ __metadata__: { format: 'pt' }, a: f32([2, 3], 0, 24), h: { dtype: 'F16', shape: [4], data_offsets: [24, 32] }, z: f32([0], 32, 32) }, 32)

type Wound = { kind: 'flip' | 'cut' | 'insert' | 'number' | 'length', at: number, value: number }
const wound: fc.Arbitrary<Wound> = fc.record({ kind: fc.constantFrom('flip', 'cut', 'insert', 'number', 'length'), at: fc.nat(sound.length + 40), value: fc.nat(255) })
const NUMBERS = ['9007199254740993', '1e308', '-1', '4294967296', '18446744073709551615', '0.5', '1e400', '00', 'NaN', '{"a":1}']

function apply(bytes: Uint8Array, { kind, at, value }: Wound): Uint8Array {
  const place = at % (bytes.length + 1), copy = Buffer.from(bytes)
  if (kind === 'flip') { if (place < copy.length) copy[place]! ^= 1 << value % 8; return copy }
  if (kind === 'cut') return copy.subarray(0, place)
  if (kind === 'insert') return Buffer.concat([copy.subarray(0, place), Buffer.alloc(1 + value % 20, value), copy.subarray(place)])
  if (kind === 'length') { if (copy.length >= 8) copy.writeBigUInt64LE(BigInt(value) << BigInt(at % 56)); return copy }
  // A digit of the header becomes a strange number, and the header's length follows, so that the wound reaches the checks behind the length.
  const text = copy.toString('latin1', 8, Math.max(8, copy.length - 32)), digits = [...text.matchAll(/\d+/g)]
  const match = digits[at % Math.max(1, digits.length)]
  if (match === undefined) return copy
  return handmade(text.slice(0, match.index) + NUMBERS[value % NUMBERS.length]! + text.slice(match.index + match[0].length), copy.subarray(-32))
}

test('one to five wounds', async () => {
  let read = 0, refused = 0
  await fc.assert(fc.asyncProperty(fc.array(wound, { minLength: 1, maxLength: 5 }), async wounds => {
    const start = performance.now()
    try {
      const file = await parseSafetensors(wounds.reduce(apply, sound))
      for (const name of file.names) {
        const tensor = await file.read(name)
        const { start: from, end } = file.entry(name)
        assert.is(tensor.bytes.length, end - from)
        await file.readFloat32(name)
      }
      read++
    } catch (error) {
      if (!(error instanceof TransweldError)) throw error
      refused++
    }
    assert.ok(performance.now() - start < 1000)
  }), { seed: SEED, numRuns: 5000 })
  assert.ok(read > 20 && refused > 1000, `seed ${SEED}: ${read} read, ${refused} refused: the wounds miss one side`)
})

test.run()
