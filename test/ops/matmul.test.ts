// matmul: both contractions, every storage, bias, activation, accumulation; linear products to the bit.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { matmul } from '../../lib/tensor/ops.ts'
import { each } from './backend.ts'
import type { Bench } from './backend.ts'
import { add, canonicalChunkedDot, rowDot } from './canonical.ts'
import { hostileRows, random } from './cases.ts'
import { at, matmul as truth, matrix, stored, transposed } from './reference.ts'
import type { Activation, Matmul } from './reference.ts'
import { close, expected, sameBits } from './tolerance.ts'

type Floats = 'f32' | 'bf16' | 'f16'
/** [M, K, N] */
const SHAPES = [
  [1, 1, 1], [0, 5, 3], [3, 7, 31], [7, 31, 3], [33, 16, 33], [5, 33, 129], [67, 17, 67], [2, 257, 9], [9, 600, 5], [31, 128, 65],
  [130, 5, 131], [3, 1030, 5],
] as const

async function product(b: Bench, c: Matmul, storage: readonly [Floats, Floats] = ['f32', 'f32']): Promise<Float64Array> {
  const [rows, columns] = c.contract === 'columns' ? [c.a.rows, c.b.rows] : [c.a.columns, c.b.columns]
  const out = c.old ? b.up(c.old) : b.room(rows, columns)
  matmul({
    contract: c.contract, activation: c.activation, accumulate: c.old !== undefined,
    a: b.up(c.a, storage[0]), b: b.up(c.b, storage[1]), ...(c.bias && { bias: b.up(c.bias) }), c: out,
  })
  return b.down(out)
}

async function check(b: Bench, what: string, given: Matmul, storage: readonly [Floats, Floats] = ['f32', 'f32']): Promise<void> {
  const actual = await product(b, given, storage)
  const c = { ...given, a: stored(given.a, storage[0]), b: stored(given.b, storage[1]) }
  const columns = c.contract === 'columns' ? c.b.rows : c.b.columns
  close(what, actual, expected(r => truth(c, r).data, columns))
  sameBits(`${what}, again`, await product(b, given, storage), actual)
  const madd = b.madd
  if (!madd || c.activation !== 'linear') return
  const rows = c.contract === 'columns' ? c.a.rows : c.a.columns
  sameBits(what, actual, matrix(rows, columns, (m, n) => {
    let sum = c.contract === 'columns' ? rowDot(c.a, m, c.b, n, madd) : canonicalChunkedDot(c.a.rows, k => at(c.a, k, m), k => at(c.b, k, n), madd)
    if (c.bias) sum = add(sum, at(c.bias, 0, n))
    return c.old ? add(sum, at(c.old, m, n)) : sum
  }).data)
}

for (const contract of ['columns', 'rows'] as const) {
  const shaped = ([m, k, n]: readonly [number, number, number]): Matmul => {
    const a = random(1, m, k), b = random(2, n, k)
    return { contract, activation: 'linear', a: contract === 'columns' ? a : transposed(a), b: contract === 'columns' ? b : transposed(b) }
  }

  each(`${contract}: shapes, bias, accumulation`, async b => {
    for (const shape of SHAPES) {
      const [m, , n] = shape, bias = random(3, 1, n), old = random(4, m, n), plain = shaped(shape)
      await check(b, `${shape}`, plain)
      await check(b, `${shape} bias`, { ...plain, bias })
      await check(b, `${shape} bias, old`, { ...plain, bias, old })
    }
  })

  each(`${contract}: storage`, async b => {
    for (const left of ['f32', 'bf16', 'f16'] as const) {
      for (const right of ['f32', 'bf16', 'f16'] as const) {
        for (const shape of [[3, 7, 31], [33, 65, 17]] as const) await check(b, `${left} ${right} ${shape}`, shaped(shape), [left, right])
      }
    }
  })

  each(`${contract}: activations, with what they add to`, async b => {
    for (const activation of ['relu', 'geluTanh', 'geluErf'] as const satisfies Activation[]) {
      const shape = [33, 9, 37] as const
      const wide = { ...shaped(shape), a: contract === 'columns' ? random(5, 33, 9, -4, 4) : random(5, 9, 33, -4, 4) }
      await check(b, activation, { ...wide, activation, bias: random(6, 1, 37) })
      await check(b, `${activation} old`, { ...wide, activation, old: random(7, 33, 37) })
    }
  })
}

each('activations over their whole range', async b => {
  const special = [-1e4, 1e4, -100, 100, 1e-30, -1e-30, -0, Infinity, -Infinity, NaN].map(Math.fround)
  const values = [...Array.from({ length: 1300 }, (_, i) => Math.fround((i - 650) / 50)), ...special]
  const a = matrix(values.length, 1, values), one = matrix(1, 1, [1])
  for (const activation of ['relu', 'geluTanh', 'geluErf'] as const) {
    const actual = await product(b, { contract: 'columns', activation, a, b: one })
    const wanted = expected(r => truth({ contract: 'columns', activation, a, b: one }, r).data, 5) // neighbours share their error
    values.forEach((x, i) => {
      if (x === -Infinity && activation !== 'relu') return // −∞·0: the limit and NaN are both in use
      const one = (all: Float64Array): Float64Array => all.subarray(i, i + 1)
      close(`${activation}(${x})`, [actual[i]!], { truth: one(wanted.truth), plain: one(wanted.plain), allowed: one(wanted.allowed) })
    })
  }
})

each('a row has the same bits in any batch; hostile rows spoil no other', async b => {
  const a = hostileRows(8, 36, 70), weights = random(9, 45, 70)
  const all = await product(b, { contract: 'columns', activation: 'linear', a, b: weights })
  for (const n of [0, 1, 5, 6, 7, 10, 35]) {
    const row = matrix(1, 70, a.data.subarray(n * 70, n * 70 + 70))
    sameBits(`row ${n}`, await product(b, { contract: 'columns', activation: 'linear', a: row, b: weights }), all.subarray(n * 45, n * 45 + 45))
  }
  assert.ok(all.subarray(0, 45).every(Number.isFinite) && all.subarray(6 * 45, 7 * 45).every(Number.isNaN))
})

each('long sums have the same bits in any batch, whoever adds their chunks', async b => {
  const [m, k, n] = [2, 1030, 900], x = random(10, m, k), weights = random(11, n, k), old = random(12, m, n)
  const all = await product(b, { contract: 'columns', activation: 'linear', a: x, b: weights, old })
  for (const [row, column] of [[0, 0], [1, 517], [1, 899]] as const) {
    const a = matrix(1, k, x.data.subarray(row * k, row * k + k)), one = matrix(1, k, weights.data.subarray(column * k, column * k + k))
    const alone = await product(b, { contract: 'columns', activation: 'linear', a, b: one, old: matrix(1, 1, [at(old, row, column)]) })
    sameBits(`${row}, ${column}`, alone, all.subarray(row * n + column, row * n + column + 1))
  }
})

test.run()
