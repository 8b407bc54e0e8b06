// gather_rows: rows by index, of any dtype, repeated and in any order.
import { test } from 'uvu'
import { gatherRows } from '../../lib/tensor/ops.ts'
import { each } from './backend.ts'
import { randomIntegers } from './cases.ts'
import { gatherRows as truth, matrix } from './reference.ts'
import { sameBits } from './tolerance.ts'

each('every dtype', async b => {
  for (const [rows, columns, count] of [[1, 1, 1], [3, 7, 0], [5, 1, 33], [31, 33, 7], [2, 257, 5], [9, 16, 64]] as const) {
    for (const dtype of ['f32', 'bf16', 'f16', 'i8', 'u32', 'u64'] as const) {
      const source = matrix(rows, columns, randomIntegers(1, rows * columns, 120))
      const index = randomIntegers(2, count, rows), out = b.room(count, columns, dtype)
      gatherRows({ source: b.up(source, dtype), index: b.ints(index, 'u32'), out })
      sameBits(`${dtype} ${rows}×${columns} ${count}`, await b.down(out), truth(source, index).data)
    }
  }
})

test.run()
