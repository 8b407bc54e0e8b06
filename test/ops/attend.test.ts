// attend: causal attention of packed sequences, beside the blocks of 256 keys; shared key heads, windows, caps, caches.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { attend } from '../../lib/tensor/ops.ts'
import { each } from './backend.ts'
import type { Bench } from './backend.ts'
import { random } from './cases.ts'
import { attend as truth, matrix } from './reference.ts'
import type { Attend, Cache, Matrix } from './reference.ts'
import { close, expected, sameBits } from './tolerance.ts'
import type { Expected } from './tolerance.ts'

async function run(b: Bench, { cache, starts, q, k, v, ...options }: Attend): Promise<Float64Array> {
  const out = b.room(q.rows, q.columns)
  attend({
    ...options, q: b.up(q), k: b.up(k), v: b.up(v), starts: b.ints([...starts], 'u32'),
    ...(cache && { keyStarts: b.ints([...cache.starts], 'u32'), keyCounts: b.ints([...cache.counts], 'u32') }), out,
  })
  return b.down(out)
}

/** Truths by name: each is computed once for all devices and layouts. */
const truths = new Map<string, Expected>()

async function check(b: Bench, what: string, c: Attend): Promise<Float64Array> {
  const wanted = truths.get(what) ?? expected(r => truth(c, r).data, c.q.columns), actual = await run(b, c)
  truths.set(what, wanted)
  close(what, actual, wanted)
  return actual
}

const startsOf = (lengths: readonly number[]): number[] => lengths.reduce((all, length) => [...all, all.at(-1)! + length], [0])

/** Queries, keys and values of given sequence lengths; `spread` makes the scores. */
function packed(lengths: readonly number[], heads: number, width: number, spread = 1, keyHeads = heads): Attend {
  const starts = startsOf(lengths), rows = starts.at(-1)!
  return {
    q: random(1, rows, heads * width, -spread, spread), k: random(2, rows, keyHeads * width, -spread, spread), v: random(3, rows, keyHeads * width),
    heads, keyHeads, scale: Math.fround(1 / Math.sqrt(width)), starts,
  }
}

const rowsOf = (m: Matrix, from: number, to: number): Matrix => matrix(to - from, m.columns, m.data.subarray(from * m.columns, to * m.columns))

/** The last `queries` rows of each sequence, its keys in a cache of poison: sequences backwards, gaps of three rows. */
function cached(c: Attend, queries: readonly number[]): { call: Attend, rows: number[] } {
  const lengths = queries.map((_, b) => c.starts[b + 1]! - c.starts[b]!)
  const starts: number[] = []
  let end = 3
  for (let b = lengths.length - 1; b >= 0; b--) {
    starts[b] = end
    end += lengths[b]! + 3
  }
  const cache: Cache = { starts, counts: lengths }
  const place = (m: Matrix): Matrix => {
    const all = matrix(end, m.columns, () => NaN)
    lengths.forEach((length, b) => all.data.set(rowsOf(m, c.starts[b]!, c.starts[b]! + length).data, starts[b]! * m.columns))
    return all
  }
  const rows = queries.flatMap((count, b) => Array.from({ length: count }, (_, i) => c.starts[b + 1]! - count + i))
  const q = matrix(rows.length, c.q.columns, (i, d) => c.q.data[rows[i]! * c.q.columns + d]!)
  return { call: { ...c, q, k: place(c.k), v: place(c.v), starts: startsOf(queries), cache }, rows }
}

each('sequences of one, of none, of primes, several heads', async b => {
  for (const [lengths, heads, width] of [
    [[1], 1, 1], [[], 1, 4], [[3, 1, 7], 2, 5], [[31, 0, 33], 3, 16], [[17], 1, 64], [[67], 2, 33], [[5, 64, 2], 4, 8], [[9], 1, 500],
    [[19], 2, 80], [[21], 1, 96], [[13], 1, 128], [[11], 1, 256],
  ] as const) {
    const c = packed(lengths, heads, width), what = `${lengths.join('+')} ${heads}×${width}`
    sameBits(`${what}, again`, await run(b, c), await check(b, what, c))
  }
})

each('more keys than a block', async b => {
  for (const lengths of [[256], [257], [3, 530]]) await check(b, `${lengths} keys`, packed(lengths, 1, 3))
})

each('heads that share keys', async b => {
  for (const [lengths, heads, keyHeads, width] of [
    [[2, 1], 4, 1, 8], [[37], 6, 2, 16], [[5, 41], 7, 1, 9], [[270], 3, 1, 5], [[1, 1, 1], 8, 4, 64],
  ] as const) {
    await check(b, `${lengths.join('+')} ${heads}/${keyHeads}×${width}`, packed(lengths, heads, width, 1, keyHeads))
  }
})

each('a window of one key, of few, beside a block, of more than there are', async b => {
  for (const window of [1, 2, 3, 17, 255, 256, 257, 1000]) {
    await check(b, `window ${window}`, { ...packed([5, 270], 2, 4, 1, 1), window })
  }
  const c = { ...packed([300], 1, 8), window: 1 }
  sameBits('a window of one gives the values', await run(b, c), c.v.data)
})

each('a cap flattens scores', async b => {
  for (const [cap, spread] of [[50, 1], [2, 3], [0.01, 2], [30, 40]] as const) await check(b, `cap ${cap}`, { ...packed([50, 3], 2, 16, spread), cap })
  await check(b, 'cap and window', { ...packed([290], 2, 8, 3, 1), cap: 5, window: 100 })
})

each('scores of a hundred: one key takes all', async b => {
  const c = packed([40], 2, 16, 12)
  await check(b, 'sharp', c)
  await check(b, 'all equal', { ...c, k: matrix(40, 32, () => 1) })
})

each('a sequence has the same bits alone and packed', async b => {
  for (const options of [{}, { window: 40, cap: 3 }]) {
    const lengths = [5, 261, 33], c = { ...packed(lengths, 4, 9, 2, 2), ...options }, all = await run(b, c)
    for (const i of [0, 1, 2]) {
      const [from, to] = [c.starts[i]!, c.starts[i + 1]!]
      const alone = await run(b, { ...c, q: rowsOf(c.q, from, to), k: rowsOf(c.k, from, to), v: rowsOf(c.v, from, to), starts: [0, to - from] })
      sameBits(`sequence ${i}`, alone, all.subarray(from * 36, to * 36))
    }
  }
})

each('a row has the same bits from a cache, in whatever pieces it is asked for', async b => {
  for (const options of [{}, { window: 70 }, { window: 300, cap: 2 }, { cap: 20 }]) {
    const c = { ...packed([530, 3, 301], 2, 16, 2, 1), ...options }, all = await run(b, c)
    for (const queries of [[1, 1, 1], [2, 0, 3], [4, 1, 5], [17, 3, 90], [230, 2, 301], [0, 0, 0]]) {
      const { call, rows } = cached(c, queries), actual = await run(b, call)
      rows.forEach((row, i) => {
        sameBits(`${queries.join('+')} queries, row ${row}`, actual.subarray(i * 32, (i + 1) * 32), all.subarray(row * 32, (row + 1) * 32))
      })
    }
  }
})

each('a cache against the truth', async b => {
  for (const [lengths, queries, heads, keyHeads, width] of [
    [[1], [1], 1, 1, 4], [[40, 7], [1, 1], 4, 2, 20], [[600], [1], 2, 1, 16], [[33], [8], 1, 1, 80], [[300], [12], 3, 3, 6],
  ] as const) {
    const { call } = cached(packed(lengths, heads, width, 2, keyHeads), queries)
    await check(b, `${lengths.join('+')} keys, ${queries.join('+')} queries, ${heads}/${keyHeads}×${width}`, call)
  }
})

each('what comes later, or lies before the window, changes nothing', async b => {
  for (const poison of [NaN, Infinity]) {
    const c = packed([50], 1, 8), before = await run(b, c)
    for (const m of [c.k, c.v]) m.data.fill(poison, 40 * 8)
    sameBits('first 40 rows', (await run(b, c)).subarray(0, 40 * 8), before.subarray(0, 40 * 8))
    const w = { ...packed([300], 2, 8, 1, 1), window: 20 }, all = await run(b, w)
    for (const m of [w.k, w.v]) m.data.fill(poison, 0, 265 * 8)
    sameBits('last 16 rows', (await run(b, w)).subarray(284 * 16), all.subarray(284 * 16))
    for (const queries of [1, 9]) {
      const { call } = cached(w, [queries])
      sameBits(`${queries} of them from a cache`, await run(b, call), all.subarray((300 - queries) * 16))
    }
  }
})

each('more short sequences than wait for each other at once', async b => {
  const lengths = Array.from({ length: 600 }, (_, i) => i % 5), c = packed(lengths, 8, 2, 1, 1)
  await check(b, '600 sequences', c)
})

each('a NaN that is seen spoils the rows that see it, and no other', async b => {
  for (const [name, where] of [['k', 'key'], ['v', 'value']] as const) {
    const c = packed([3, 280], 1, 8)
    c[name].data[(3 + 270) * 8 + 2] = NaN
    const actual = await run(b, c)
    for (const row of [0, 2, 3, 272]) assert.ok(!Number.isNaN(actual[row * 8 + 2]!), `row ${row} does not see the ${where}`)
    for (const row of [273, 282]) assert.ok(Number.isNaN(actual[row * 8 + 2]!), `row ${row} sees the ${where}`)
  }
})

each('a block of keys whose scores are all -Infinity weighs nothing', async b => {
  const c = packed([300], 1, 4)
  for (let i = 0; i < 300; i++) for (let d = 0; d < 4; d++) {
    c.q.data[i * 4 + d] = 1e30
    c.k.data[i * 4 + d] = i < 256 ? -1e30 : 1e-30 * d
  }
  const actual = await run(b, c)
  assert.ok(Number.isNaN(actual[0]!), 'a row that sees nothing else has no softmax')
  for (let row = 256; row < 300; row++) assert.ok(actual.subarray(row * 4, row * 4 + 4).every(Number.isFinite), `row ${row}`)
})

each('wrong arguments are told in words', async b => {
  const c = packed([4], 2, 4)
  const fails = async (call: Attend, words: RegExp): Promise<void> => {
    let message = ''
    try { await run(b, call) } catch (error) { message = (error as Error).message }
    assert.match(message, words)
  }
  await fails({ ...c, starts: [1, 4] }, /expected .*starts/)
  await fails({ ...c, starts: [0, 3] }, /expected .*starts/)
  await fails({ ...c, cache: { starts: [0], counts: [3] } }, /expected .*key_counts|as many keys/)
  await fails({ ...c, cache: { starts: [1], counts: [4] } }, /expected .*key_starts|keys that lie/)
  await fails({ ...c, keyHeads: 3 }, /keyHeads/)
})

test.run()
