// attend: causal attention of packed sequences, beside the blocks of 256 keys.
import { test } from 'uvu'
import { attend } from '../../lib/tensor/ops.ts'
import { each } from './backend.ts'
import type { Bench } from './backend.ts'
import { random } from './cases.ts'
import { attend as truth, matrix } from './reference.ts'
import type { Attend, Matrix } from './reference.ts'
import { close, expected, sameBits } from './tolerance.ts'

async function run(b: Bench, c: Attend): Promise<Float64Array> {
  const out = b.room(c.q.rows, c.q.columns)
  attend({ heads: c.heads, scale: c.scale, q: b.up(c.q), k: b.up(c.k), v: b.up(c.v), starts: b.ints([...c.starts], 'u32'), out })
  return b.down(out)
}

/** Queries, keys and values of given sequence lengths; `spread` makes the scores. */
function packed(lengths: readonly number[], heads: number, width: number, spread = 1): Attend {
  const starts = lengths.reduce((all, length) => [...all, all.at(-1)! + length], [0])
  const rows = starts.at(-1)!, columns = heads * width
  return {
    q: random(1, rows, columns, -spread, spread), k: random(2, rows, columns, -spread, spread), v: random(3, rows, columns),
    heads, scale: Math.fround(1 / Math.sqrt(width)), starts,
  }
}

each('sequences of one, of none, of primes, several heads', async b => {
  for (const [lengths, heads, width] of [
    [[1], 1, 1], [[], 1, 4], [[3, 1, 7], 2, 5], [[31, 0, 33], 3, 16], [[17], 1, 64], [[67], 2, 33], [[5, 64, 2], 4, 8], [[9], 1, 500],
  ] as const) {
    const c = packed(lengths, heads, width), what = `${lengths.join('+')} ${heads}×${width}`
    const actual = await run(b, c)
    close(what, actual, expected(r => truth(c, r).data, c.q.columns))
    sameBits(`${what}, again`, await run(b, c), actual)
  }
})

each('more keys than a block', async b => {
  for (const lengths of [[255], [256], [257], [3, 530]]) {
    const c = packed(lengths, 1, 7)
    close(`${lengths}`, await run(b, c), expected(r => truth(c, r).data, c.q.columns))
  }
})

each('scores of a hundred: one key takes all', async b => {
  const c = packed([40], 2, 16, 12)
  close('sharp', await run(b, c), expected(r => truth(c, r).data, c.q.columns))
  const same: Attend = { ...c, k: matrix(40, 32, () => 1) }
  close('all equal', await run(b, same), expected(r => truth(same, r).data, 32))
})

each('a sequence has the same bits alone and packed', async b => {
  const lengths = [5, 261, 33], c = packed(lengths, 2, 9), all = await run(b, c)
  const part = (m: Matrix, from: number, to: number): Matrix => matrix(to - from, 18, m.data.subarray(from * 18, to * 18))
  for (const i of [0, 1, 2]) {
    const [from, to] = [c.starts[i]!, c.starts[i + 1]!]
    const alone = await run(b, { ...c, q: part(c.q, from, to), k: part(c.k, from, to), v: part(c.v, from, to), starts: [0, to - from] })
    sameBits(`sequence ${i}`, alone, all.subarray(from * 18, to * 18))
  }
})

each('what comes later changes nothing before it', async b => {
  const c = packed([50], 1, 8), before = await run(b, c)
  for (const m of [c.k, c.v]) m.data.fill(NaN, 40 * 8)
  sameBits('first 40 rows', (await run(b, c)).subarray(0, 40 * 8), before.subarray(0, 40 * 8))
})

test.run()
