// fill_random: the same draws on every backend, for any shape, layout and offset.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { fillRandom } from '../../lib/tensor/ops.ts'
import { each } from './backend.ts'
import { matrix, normalAt, uniformAt } from './reference.ts'
import { sameBits } from './tolerance.ts'

const SEED = 0x0123456789ABCD
const SHAPES = [[1, 1], [0, 3], [1, 3], [7, 5], [3, 33], [2, 257]] as const
const OFFSETS = [0, 1, 3, 4, 1e6, 2 ** 34 - 3, 2 ** 40 + 1]

each('uniform bits', async b => {
  for (const [rows, columns] of SHAPES) {
    for (const offset of OFFSETS) {
      const out = b.room(rows, columns)
      fillRandom({ distribution: 'uniform', seed: SEED, offset, low: 0, high: 1, out })
      sameBits(`${rows}×${columns} from ${offset}`, await b.down(out),
        matrix(rows, columns, (row, column) => uniformAt(SEED, offset + row * columns + column, 0, 1)).data)
    }
  }
})

each('a range of numbers', async b => {
  const out = b.room(5, 67)
  fillRandom({ distribution: 'uniform', seed: SEED, offset: 2, low: -0.25, high: 0.75, out })
  const values = await b.down(out)
  values.forEach((value, i) => {
    // low + (high − low)·u is one or two roundings of a number below 1.
    assert.ok(Math.abs(value - uniformAt(SEED, 2 + i, -0.25, 0.75)) <= 2 ** -24)
    assert.ok(value >= -0.25 && value <= 0.75)
  })
})

each('normal', async b => {
  for (const [rows, columns] of SHAPES) {
    for (const offset of OFFSETS) {
      const out = b.room(rows, columns)
      fillRandom({ distribution: 'normal', seed: SEED, offset, low: 1, high: 2, out })
      const values = await b.down(out)
      values.forEach((value, i) => {
        const wanted = normalAt(SEED, offset + i, 1, 2)
        // A deviation reaches 5.8: the draw, its product with 2 and the sum with 1 are each off by half an ulp of at most 16.
        const near = Math.abs(value - wanted) <= 3 * 2 ** -21
        if (!near) assert.unreachable(`${rows}×${columns} from ${offset}, element ${i}: ${value}, expected ${wanted}`)
      })
    }
  }
  const out = b.room(100, 1000)
  fillRandom({ distribution: 'normal', seed: 5, offset: 0, low: 0, high: 1, out })
  const values = await b.down(out)
  const mean = values.reduce((sum, value) => sum + value) / 1e5
  const square = values.reduce((sum, value) => sum + value * value) / 1e5
  assert.ok(Math.abs(mean) < 0.015 && Math.abs(square - 1) < 0.02, `mean ${mean}, second moment ${square}`)
})

test.run()
