// recon_loss: both losses, their gradients, and the flag that stops an update.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { reconLoss } from '../../lib/tensor/ops.ts'
import { each } from './backend.ts'
import type { Bench } from './backend.ts'
import { random } from './cases.ts'
import { reconLoss as truth } from './reference.ts'
import type { Matrix } from './reference.ts'
import { close, expectedAll, sameBits } from './tolerance.ts'

async function run(b: Bench, loss: 'fvu' | 'sumMse', weight: number, y: Matrix, yHat: Matrix, ok = 1, variance?: number):
  Promise<{ stats: Float64Array, dy: Float64Array, ok: number }> {
  const stats = b.room(1, 8), dy = b.room(y.rows, y.columns), flag = b.ints([ok], 'u32')
  const varianceOf = variance === undefined ? undefined : b.up(random(9, 1, 8))
  const given = varianceOf && b.up({ rows: 1, columns: 8, data: Float64Array.of(0, 0, variance!, 0, 0, 0, 0, 0) })
  reconLoss({ loss, weight, y: b.up(y), yHat: b.up(yHat), ...(given && { varianceOf: given }), dy, stats, ok: flag })
  return { stats: await b.down(stats), dy: await b.down(dy), ok: (await b.down(flag))[0]! }
}

each('both losses, their gradients and stats', async b => {
  for (const [rows, width] of [[1, 1], [2, 1], [3, 7], [31, 33], [33, 16], [257, 5], [600, 3], [40, 127]] as const) {
    for (const loss of ['fvu', 'sumMse'] as const) {
      if (rows === 1 && loss === 'fvu') continue // one row has no variance: see below
      for (const variance of [undefined, Math.fround(3.7)]) {
        const y = random(1, rows, width, 2, 4), yHat = random(2, rows, width, 2, 4), weight = Math.fround(0.3)
        const args = { loss, weight, y, yHat, ...(variance !== undefined && { variance }) }
        const what = `${loss} ${rows}×${width} ${variance}`
        const result = await run(b, loss, weight, y, yHat, 1, variance)
        const [stats, dy] = expectedAll(r => {
          const { stats, dy } = truth(args, r)
          return [stats, dy.data]
        }, [1])
        close(`${what} stats`, result.stats, stats!)
        close(`${what} dy`, result.dy, dy!)
        assert.is(result.ok, 1)
        assert.is((await run(b, loss, weight, y, yHat, 0, variance)).ok, 0, 'a flag that is down stays down')
        const again = await run(b, loss, weight, y, yHat, 1, variance)
        sameBits(`${what} again`, [...again.stats, ...again.dy], [...result.stats, ...result.dy])
      }
    }
  }
})

each('a loss that is not finite lowers the flag', async b => {
  const y = random(3, 5, 9), yHat = random(4, 5, 9)
  for (const bad of [NaN, Infinity, -Infinity, 3e38]) {
    const spoilt = { ...yHat, data: yHat.data.map((value, i) => i === 17 ? Math.fround(bad) : value) }
    for (const loss of ['fvu', 'sumMse'] as const) assert.is((await run(b, loss, 1, y, spoilt)).ok, 0, `${loss} ${bad}`)
  }
  const constant = random(5, 1, 9)
  assert.is((await run(b, 'fvu', 1, constant, random(6, 1, 9))).ok, 0, 'no variance')
})

test.run()
