// rope: whole and partial heads of any width, places in any order, a strided part of a wider product; to the bit.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { rope } from '../../lib/tensor/ops.ts'
import { each } from './backend.ts'
import type { Bench } from './backend.ts'
import type { MultiplyAdd } from './canonical.ts'
import { random, randomIntegers } from './cases.ts'
import { at, matrix, rope as truth } from './reference.ts'
import type { Matrix } from './reference.ts'
import { close, expected, sameBits } from './tolerance.ts'

interface Given { x: Matrix, heads: number, places: readonly number[], angles: Matrix }

/** Cosines, then sines, of the positions 0 ... P − 1 at the frequencies of a model. */
const table = (places: number, half: number): Matrix => matrix(places, 2 * half, (p, j) =>
  Math.fround((j < half ? Math.cos : Math.sin)(p * 10000 ** (-(j % half) / half))))

async function run(b: Bench, { x, heads, places, angles }: Given): Promise<Float64Array> {
  const turned = b.up(x)
  rope({ x: turned, heads, places: b.ints(places, 'u32'), angles: b.up(angles) })
  return b.down(turned)
}

/** The two multiply-adds of a pair of columns. */
function canonical({ x, heads, places, angles }: Given, madd: MultiplyAdd): Float64Array {
  const width = x.columns / heads, half = angles.columns / 2
  return matrix(x.rows, x.columns, (n, d) => {
    const j = d % width, angle = j % half, here = at(x, n, d)
    if (j >= 2 * half) return here
    const cosine = at(angles, places[n]!, angle), sine = at(angles, places[n]!, half + angle)
    const turned = Math.fround(at(x, n, j < half ? d + half : d - half) * sine)
    return madd(here, cosine, j < half ? -turned : turned)
  }).data
}

each('rows × heads × width, of which 2·half turn', async b => {
  for (const [rows, heads, width, half] of [
    [1, 1, 2, 1], [0, 2, 4, 2], [5, 1, 1, 0], [3, 2, 7, 3], [7, 3, 64, 32], [2, 4, 64, 16], [9, 2, 66, 33], [1, 32, 128, 64], [17, 1, 256, 128],
    [4, 5, 35, 9],
  ] as const) {
    const given = { x: random(1, rows, heads * width), heads, places: randomIntegers(2, rows, 50), angles: table(50, half) }
    const what = `${rows}×${heads}×${width} ${half}`, actual = await run(b, given)
    close(what, actual, expected(r => truth(given, r).data))
    if (b.madd) sameBits(what, actual, canonical(given, b.madd))
  }
})

each('queries within a product of queries, keys and values: the rest stays', async b => {
  const whole = random(3, 6, 96), angles = table(9, 8), places = [0, 8, 3, 3, 1, 7], product = b.up(whole)
  rope({ x: product.view(0, 6, 32, 64), heads: 2, places: b.ints(places, 'u32'), angles: b.up(angles) })
  const part = await run(b, { x: matrix(6, 32, (n, d) => at(whole, n, 32 + d)), heads: 2, places, angles })
  const wanted = matrix(6, 96, (n, d) => d >= 32 && d < 64 ? part[n * 32 + d - 32]! : at(whole, n, d))
  sameBits('product', await b.down(product), wanted.data)
})

each('a row has the same bits in any batch; at place 0 it stays; NaN spoils its pair alone', async b => {
  const x = random(4, 40, 2 * 64), angles = table(40, 32), places = Array.from({ length: 40 }, (_, n) => n)
  x.data[7 * 128 + 5] = NaN
  const all = await run(b, { x, heads: 2, places, angles })
  for (const n of [0, 7, 8, 39]) {
    const one = await run(b, { x: matrix(1, 128, x.data.subarray(n * 128, n * 128 + 128)), heads: 2, places: [n], angles })
    sameBits(`row ${n}`, one, all.subarray(n * 128, n * 128 + 128))
  }
  sameBits('place 0', all.subarray(0, 128), x.data.subarray(0, 128))
  assert.equal([...all.keys()].filter(i => Number.isNaN(all[i]!)), [7 * 128 + 5, 7 * 128 + 5 + 32])
})

each('a turn keeps the length of a pair', async b => {
  const x = random(5, 12, 64), angles = table(1000, 32)
  const turned = await run(b, { x, heads: 1, places: randomIntegers(6, 12, 1000), angles })
  for (let n = 0; n < 12; n++) for (let j = 0; j < 32; j++) {
    const length = (m: ArrayLike<number>): number => Math.hypot(m[n * 64 + j]!, m[n * 64 + j + 32]!)
    assert.ok(Math.abs(length(turned) - length(x.data)) < 4e-7, `${n}, ${j}`)
  }
})

test.run()
