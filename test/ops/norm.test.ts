// norm: layer norm with and without bias, and the normalised rows before gain.
import { test } from 'uvu'
import { norm } from '../../lib/tensor/ops.ts'
import { each } from './backend.ts'
import type { Bench } from './backend.ts'
import { random } from './cases.ts'
import { matrix, norm as truth } from './reference.ts'
import type { Matrix } from './reference.ts'
import { close, expectedAll, sameBits } from './tolerance.ts'

async function check(b: Bench, what: string, x: Matrix, epsilon = 1e-5): Promise<void> {
  const gain = random(2, 1, x.columns, 0.5, 1.5), bias = random(3, 1, x.columns)
  const rounded = Math.fround(epsilon)
  const out = b.room(x.rows, x.columns), normalised = b.room(x.rows, x.columns), plain = b.room(x.rows, x.columns)
  norm({ epsilon, x: b.up(x), gain: b.up(gain), bias: b.up(bias), normalised, out })
  const [shifted, rows, unshifted] = expectedAll(r => {
    const { normalised, out } = truth({ x, gain, epsilon: rounded }, r)
    return [truth({ x, gain, bias, epsilon: rounded }, r).out.data, normalised.data, out.data]
  })
  close(`${what} out`, await b.down(out), shifted!)
  close(`${what} normalised`, await b.down(normalised), rows!)
  norm({ epsilon, x: b.up(x), gain: b.up(gain), out: plain })
  close(`${what} no bias`, await b.down(plain), unshifted!)
}

each('shapes, and rows far from zero', async b => {
  for (const [rows, width] of [[1, 1], [0, 5], [3, 7], [7, 31], [33, 16], [5, 33], [2, 1031]] as const) {
    await check(b, `${rows}×${width}`, random(1, rows, width))
    await check(b, `${rows}×${width} about 100`, random(1, rows, width, 99, 101))
  }
  await check(b, 'all equal', matrix(4, 33, () => 3))
  await check(b, 'zeros', matrix(4, 33))
  await check(b, 'tiny', matrix(4, 33, random(4, 4, 33).data.map(value => Math.fround(value * 1e-30))), 0)
})

each('a row has the same bits in any batch; NaN stays in its row', async b => {
  const x = random(5, 12, 45), gain = b.up(matrix(1, 45, () => 1))
  x.data[3 * 45 + 7] = NaN
  const run = async (m: Matrix): Promise<Float64Array> => {
    const out = b.room(m.rows, m.columns)
    norm({ epsilon: 1e-5, x: b.up(m), gain, out })
    return b.down(out)
  }
  const all = await run(x)
  for (let n = 0; n < 12; n++) {
    sameBits(`row ${n}`, await run(matrix(1, 45, x.data.subarray(n * 45, n * 45 + 45))), all.subarray(n * 45, n * 45 + 45))
    if (all.subarray(n * 45, n * 45 + 45).some(Number.isNaN) !== (n === 3)) throw new Error(`NaN in row ${n}`)
  }
})

test.run()
