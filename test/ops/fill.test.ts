// fill: one value everywhere in the view and nowhere else.
import { test } from 'uvu'
import { fill } from '../../lib/tensor/ops.ts'
import { each } from './backend.ts'
import { sameBits } from './tolerance.ts'

each('floats by value, the rest by bits', async b => {
  for (const [rows, columns] of [[1, 1], [0, 3], [1, 31], [7, 33], [3, 257]] as const) {
    for (const value of [0, -0, 0.1, NaN, -Infinity]) {
      const out = b.room(rows, columns)
      fill({ value, out })
      sameBits(`${value}`, await b.down(out), new Float64Array(rows * columns).fill(Math.fround(value)))
    }
    for (const [dtype, bits, wanted] of [
      ['u32', 0xFFFFFFFF, 0xFFFFFFFF], ['u32', 2 ** 32 + 7, 7], ['u64', 2 ** 40 + 1, 2 ** 40 + 1],
      ['i8', 0x1FE, -2], ['bf16', 0x13F80, 1], ['f16', 0xBC00, -1],
    ] as const) {
      const out = b.room(rows, columns, dtype)
      fill({ bits, out })
      sameBits(dtype, await b.down(out), new Float64Array(rows * columns).fill(wanted))
    }
  }
})

test.run()
