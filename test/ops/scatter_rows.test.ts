// scatter_rows: rows of any dtype to their places; the others stay, and of an index that comes twice the last row, whole.
import { test } from 'uvu'
import { scatterRows } from '../../lib/tensor/ops.ts'
import { each } from './backend.ts'
import { randomIntegers, randomPattern } from './cases.ts'
import { matrix, scatterRows as truth } from './reference.ts'
import { sameBits } from './tolerance.ts'

each('every dtype', async b => {
  for (const [rows, columns, count] of [[1, 1, 1], [7, 3, 0], [33, 1, 5], [31, 33, 31], [5, 257, 2], [64, 16, 9], [3, 0, 2]] as const) {
    for (const dtype of ['f32', 'bf16', 'f16', 'i8', 'u32', 'u64'] as const) {
      const source = matrix(count, columns, randomIntegers(1, count * columns, 120)), old = matrix(rows, columns, randomIntegers(2, rows * columns, 120))
      const { index } = randomPattern(3, 1, count, rows), out = b.up(old, dtype)
      scatterRows({ source: b.up(source, dtype), index: b.ints(index, 'u32'), out })
      sameBits(`${dtype} ${rows}×${columns} ${count}`, await b.down(out), truth(source, index, old).data)
    }
  }
})

each('an index that comes twice leaves its last row', async b => {
  const [rows, columns, count] = [7, 700, 300], index = randomIntegers(4, count, rows)
  const source = matrix(count, columns, n => n), old = matrix(rows, columns, () => -1), out = b.up(old)
  scatterRows({ source: b.up(source), index: b.ints(index, 'u32'), out })
  sameBits('rows', await b.down(out), truth(source, index, old).data)
})

test.run()
