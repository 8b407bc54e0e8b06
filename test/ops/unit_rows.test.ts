// unit_rows: norms to the bit, rows scaled to a norm, zero rows left alone.
import { test } from 'uvu'
import { unitRows } from '../../lib/tensor/ops.ts'
import { each } from './backend.ts'
import { rowDot } from './canonical.ts'
import { hostileRows, random } from './cases.ts'
import { matrix, rowNorms, scaleRows } from './reference.ts'
import type { Matrix } from './reference.ts'
import { close, expected, sameBits } from './tolerance.ts'

const SHAPES = [[1, 1], [0, 4], [3, 7], [7, 31], [33, 16], [31, 33], [2, 1031]] as const

each('norms alone, to the bit', async b => {
  for (const weight of [...SHAPES.map(([rows, columns]) => random(1, rows, columns)), hostileRows(2, 24, 35)]) {
    const tensor = b.up(weight), norms = b.room(1, weight.rows)
    unitRows({ weight: tensor, target: 0, norms })
    sameBits('weight', await b.down(tensor), weight.data)
    const actual = await b.down(norms), madd = b.madd
    close('norms', actual, expected(r => rowNorms(weight, r).data, 1))
    if (madd) sameBits('norms', actual, matrix(1, weight.rows, (_, f) => Math.fround(Math.sqrt(rowDot(weight, f, weight, f, madd)))).data)
  }
})

each('scaled to a norm', async b => {
  const zeroRow = (m: Matrix): Matrix => matrix(m.rows, m.columns, (f, d) => f === 1 ? 0 : m.data[f * m.columns + d]!)
  for (const [rows, columns] of SHAPES) {
    for (const target of [1, 0.1]) {
      const weight = zeroRow(random(3, rows, columns)), tensor = b.up(weight), norms = b.room(1, rows)
      unitRows({ weight: tensor, target, norms })
      const scaled = await b.down(tensor)
      close(`${rows}×${columns} to ${target}`, scaled, expected(r => scaleRows(weight, Math.fround(target), r).data, columns))
      close('norms afterwards', await b.down(norms), expected(r => rowNorms(scaleRows(weight, Math.fround(target), r), r).data))
      const alone = b.up(weight)
      unitRows({ weight: alone, target })
      sameBits('without norms', await b.down(alone), scaled)
    }
  }
})

test.run()
