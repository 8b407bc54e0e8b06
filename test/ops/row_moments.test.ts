// row_moments: four dot products a row, to the bit.
import { test } from 'uvu'
import { rowMoments } from '../../lib/tensor/ops.ts'
import { each } from './backend.ts'
import { add, rowDot } from './canonical.ts'
import { hostileRows, random } from './cases.ts'
import { matrix, rowMoments as truth } from './reference.ts'
import { close, expected, sameBits } from './tolerance.ts'

each('random and hostile rows', async b => {
  const shapes = [[1, 1], [0, 5], [3, 7], [7, 31], [33, 16], [31, 33], [2, 1031]]
  const pairs = shapes.map(([rows, width]) => [random(1, rows!, width!), random(2, rows!, width!)] as const)
  for (const [x, y] of [...pairs, [hostileRows(3, 24, 37), random(4, 24, 37)] as const, [random(5, 9, 20), random(5, 9, 20)] as const]) {
    const out = b.room(x.rows, 4), madd = b.madd
    rowMoments({ a: b.up(x), b: b.up(y), out })
    const actual = await b.down(out)
    close(`${x.rows}×${x.columns}`, actual, expected(r => truth(x, y, r).data, 4))
    if (!madd) continue
    const difference = matrix(x.rows, x.columns, x.data.map((value, i) => add(value, -y.data[i]!)))
    sameBits(`${x.rows}×${x.columns}`, actual, matrix(x.rows, 4, (n, i) => {
      const [p, q] = ([[x, x], [x, y], [y, y], [difference, difference]] as const)[i]!
      return rowDot(p, n, q, n, madd)
    }).data)
  }
})

test.run()
