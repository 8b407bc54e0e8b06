// cast: between f32, bf16 and f16, rounded to nearest even; also the strided copy.
import { test } from 'uvu'
import { cast } from '../../lib/tensor/ops.ts'
import { each } from './backend.ts'
import { randomFloats } from './cases.ts'
import { fromBits, matrix, neighbour, roundTo } from './reference.ts'
import type { Storage } from './reference.ts'
import { sameBits } from './tolerance.ts'

/** Every bf16 and f16 number that matters, the ties between them and the floats beside those ties. */
function edges(): number[] {
  const values: number[] = [0, -0, NaN, Infinity, -Infinity, 1e-45, -1e-45, 65519, 65520, 65521, 3.4028235e38, 3.39e38, 1e-40]
  for (const storage of ['bf16', 'f16'] as const) {
    for (let bits = 0; bits < 0x8000; bits += 97) {
      const value = fromBits(storage, bits), tie = (value + fromBits(storage, bits + 1)) / 2
      if (Number.isFinite(tie)) values.push(value, tie, -tie, neighbour(Math.fround(tie), 1), neighbour(Math.fround(tie), -1))
    }
  }
  return values.map(Math.fround)
}

const round = (dtype: 'f32' | Storage, value: number): number => dtype === 'f32' ? value : roundTo(dtype, value)

each('every pair of dtypes, edges included', async b => {
  const values = [...edges(), ...randomFloats(1, 500, -100, 100)]
  for (const columns of [1, 7, 33, 129]) {
    const rows = Math.floor(values.length / columns)
    for (const from of ['f32', 'bf16', 'f16'] as const) {
      const source = matrix(rows, columns, values.map(value => round(from, value)))
      for (const to of ['f32', 'bf16', 'f16'] as const) {
        const out = b.room(rows, columns, to)
        cast({ source: b.up(source, from), out })
        sameBits(`${from} to ${to}, ${columns} wide`, await b.down(out), source.data.map(value => round(to, value)))
      }
    }
  }
  const none = b.room(0, 5, 'bf16')
  cast({ source: b.up(matrix(0, 5)), out: none })
  sameBits('no rows', await b.down(none), [])
})

test.run()
