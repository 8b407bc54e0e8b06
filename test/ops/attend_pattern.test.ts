// attend_pattern: the pattern of attend, beside tiles of 32 rows and blocks of 256 keys.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { attend, attendFrozen, attendPattern } from '../../lib/tensor/ops.ts'
import { each } from './backend.ts'
import type { Bench } from './backend.ts'
import { random } from './cases.ts'
import { attend as attended, attendPattern as truth } from './reference.ts'
import type { Scores } from './reference.ts'
import { close, expected, sameBits } from './tolerance.ts'

async function run(b: Bench, { q, k, ...options }: Scores): Promise<Float64Array> {
  const out = b.room(options.heads * q.rows, q.rows)
  attendPattern({ ...options, q: b.up(q), k: b.up(k), out })
  return b.down(out)
}

function scores(T: number, heads: number, width: number, keyHeads = heads, spread = 1): Scores {
  return {
    q: random(1, T, heads * width, -spread, spread), k: random(2, T, keyHeads * width, -spread, spread),
    heads, keyHeads, scale: Math.fround(1 / Math.sqrt(width)),
  }
}

// Of one scale throughout: a row that one key takes all of has a 1 without error, beside small numbers whose scores have many digits.
const check = async (b: Bench, what: string, s: Scores): Promise<void> => close(what, await run(b, s), expected(r => truth(s, r).data))

each('no row, one, primes, beside a tile, shared heads', async b => {
  for (const [T, heads, width, keyHeads] of [[0, 2, 4, 2], [1, 1, 1, 1], [7, 3, 5, 1], [31, 2, 16, 2], [32, 4, 8, 2], [33, 1, 64, 1], [67, 6, 9, 3]] as const) {
    const s = scores(T, heads, width, keyHeads)
    await check(b, `${T} rows, ${heads}/${keyHeads}×${width}`, s)
    sameBits('again', await run(b, s), await run(b, s))
  }
})

each('beside a block of keys', async b => {
  for (const T of [256, 257, 300]) await check(b, `${T} rows`, scores(T, 1, 2))
})

each('windows and caps', async b => {
  for (const window of [1, 2, 40, 256, 1000]) await check(b, `window ${window}`, { ...scores(270, 1, 2), window })
  await check(b, 'cap', { ...scores(40, 2, 16, 1, 3), cap: 2 })
  await check(b, 'cap and window', { ...scores(70, 2, 16, 1, 3), cap: 2, window: 9 })
  await check(b, 'sharp', scores(40, 1, 16, 1, 12))
})

each('zeros where a row does not see, whatever is there; ones in sum', async b => {
  const s = { ...scores(60, 2, 8), window: 20 }, before = await run(b, s)
  for (let row = 0; row < 120; row++) {
    let sum = 0
    for (let j = 0; j < 60; j++) {
      const p = before[row * 60 + j]!, i = row % 60
      if (j > i || j <= i - 20) assert.is(p, 0, `row ${row}, key ${j}`)
      sum += p
    }
    assert.ok(Math.abs(sum - 1) < 1e-6, `row ${row} sums to ${sum}`)
  }
  s.k.data.fill(NaN, 50 * 16)
  const after = await run(b, s)
  for (const h of [0, 1]) sameBits(`head ${h}`, after.subarray(h * 3600, h * 3600 + 3000), before.subarray(h * 3600, h * 3600 + 3000))
})

each('the pattern times the values is attention', async b => {
  for (const [T, heads, keyHeads, width, options] of [[40, 2, 2, 8, {}], [270, 2, 1, 4, { window: 60, cap: 3 }], [257, 1, 1, 16, {}]] as const) {
    const s = { ...scores(T, heads, width, keyHeads, 2), ...options }, v = random(3, T, keyHeads * width)
    const q = b.up(s.q), k = b.up(s.k), x = b.up(v), pattern = b.room(heads * T, T), [one, two] = [b.room(T, heads * width), b.room(T, heads * width)]
    attend({ ...s, q, k, v: x, starts: b.ints([0, T], 'u32'), out: one })
    attendPattern({ ...s, q, k, out: pattern })
    attendFrozen({ heads, keyHeads, pattern, x, out: two })
    const wanted = expected(r => attended({ ...s, v, starts: [0, T] }, r).data, heads * width)
    close(`attend of ${T}`, await b.down(one), wanted)
    close(`the map of ${T}`, await b.down(two), wanted)
  }
})

test.run()
