// reduce_rows: sums over rows in chunks of 256, to the bit.
import { test } from 'uvu'
import { reduceRows } from '../../lib/tensor/ops.ts'
import { each } from './backend.ts'
import { canonicalSum } from './canonical.ts'
import { hostileRows, random } from './cases.ts'
import { at, matrix, reduceRows as truth, transposed } from './reference.ts'
import { close, expected, sameBits } from './tolerance.ts'

each('beside the chunk of 256', async b => {
  const shapes = [[0, 3], [1, 1], [3, 7], [31, 33], [255, 5], [256, 17], [257, 16], [513, 31], [1031, 2]]
  const hostile = hostileRows(2, 9, 300)
  for (const x of [...shapes.map(([rows, width]) => random(1, rows!, width!)), transposed(hostile)]) {
    for (const scale of [1, Math.fround(1 / 3)]) {
      const out = b.room(1, x.columns), madd = b.madd
      reduceRows({ scale, x: b.up(x), out })
      const actual = await b.down(out), what = `${x.rows}×${x.columns} by ${scale}`
      close(what, actual, expected(r => truth(x, scale, r).data))
      if (!madd) continue
      const sums = matrix(1, x.columns, (_, c) => canonicalSum(x.rows, n => at(x, n, c), () => 1, madd))
      sameBits(what, actual, sums.data.map(sum => Math.fround(scale * sum)))
    }
  }
})

test.run()
