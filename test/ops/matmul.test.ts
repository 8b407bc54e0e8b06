// matmul: every contraction, every storage, bias, activation, cap, accumulation; linear products to the bit.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { each } from './backend.ts'
import { hostileRows, random } from './cases.ts'
import { SHAPES, check, product, sides } from './product.ts'
import { at, matmul as truth, matrix } from './reference.ts'
import type { Activation } from './reference.ts'
import { close, expected, sameBits } from './tolerance.ts'

const ACTIVATIONS = ['relu', 'geluTanh', 'geluErf', 'silu', 'quickGelu'] as const satisfies Activation[]
const activation = 'linear'

for (const contract of ['columns', 'rows', 'across'] as const) {
  each(`${contract}: shapes, bias, accumulation`, async b => {
    for (const shape of SHAPES) {
      const [m, , n] = shape, bias = random(3, 1, n), old = random(4, m, n), plain = { ...sides(contract, shape), activation } as const
      await check(b, `${shape}`, plain)
      await check(b, `${shape} bias`, { ...plain, bias })
      await check(b, `${shape} bias, old`, { ...plain, bias, old })
    }
  })

  each(`${contract}: storage, few rows and many`, async b => {
    for (const left of ['f32', 'bf16', 'f16'] as const) {
      for (const right of ['f32', 'bf16', 'f16'] as const) {
        for (const shape of [[1, 77, 19], [3, 7, 31], [33, 65, 17]] as const) {
          await check(b, `${left} ${right} ${shape}`, { ...sides(contract, shape), activation }, [left, right])
        }
      }
    }
  })

  each(`${contract}: activations and caps, with what they add to`, async b => {
    const shape = [33, 9, 37] as const, plain = sides(contract, shape)
    const wide = { ...plain, a: matrix(plain.a.rows, plain.a.columns, plain.a.data.map(x => 4 * x)) }
    for (const activation of ACTIVATIONS) {
      await check(b, activation, { ...wide, activation, bias: random(6, 1, 37) })
      await check(b, `${activation} old`, { ...wide, activation, old: random(7, 33, 37) })
    }
    await check(b, 'cap', { ...wide, activation: 'linear', cap: 1.5, bias: random(6, 1, 37), old: random(7, 33, 37) })
    await check(b, 'cap after an activation', { ...wide, activation: 'relu', cap: 3 })
  })
}

const special = [-1e4, 1e4, -100, 100, 1e-30, -1e-30, -0, Infinity, -Infinity, NaN].map(Math.fround)
const values = [...Array.from({ length: 1300 }, (_, i) => Math.fround((i - 650) / 50)), ...special]

each('activations and caps over their whole range', async b => {
  const a = matrix(values.length, 1, values), one = matrix(1, 1, [1])
  for (const given of [...ACTIVATIONS.map(activation => ({ activation })), { activation, cap: 1 } as const, { activation, cap: 30 } as const]) {
    const call = { contract: 'columns', ...given, a, b: one } as const
    const actual = await product(b, call)
    const wanted = expected(r => truth(call, r).data, 5) // neighbours share their error
    values.forEach((x, i) => {
      const one = (all: Float64Array): Float64Array => all.subarray(i, i + 1)
      close(`${JSON.stringify(given)} of ${x}`, [actual[i]!], { truth: one(wanted.truth), plain: one(wanted.plain), allowed: one(wanted.allowed) })
    })
  }
})

for (const contract of ['columns', 'across'] as const) {
  each(`${contract}: a row has the same bits in any batch; hostile rows spoil no other`, async b => {
    const a = hostileRows(8, 36, 70), weights = sides(contract, [1, 70, 45], 9).b
    const all = await product(b, { contract, activation, a, b: weights })
    for (const n of [0, 1, 5, 6, 7, 10, 35]) {
      const row = matrix(1, 70, a.data.subarray(n * 70, n * 70 + 70))
      sameBits(`row ${n}`, await product(b, { contract, activation, a: row, b: weights }), all.subarray(n * 45, n * 45 + 45))
    }
    assert.ok(all.subarray(0, 45).every(Number.isFinite) && all.subarray(6 * 45, 7 * 45).every(Number.isNaN))
  })
}

each('long sums have the same bits in any batch, whoever adds their chunks', async b => {
  const [m, k, n] = [2, 1030, 900], x = random(10, m, k), weights = random(11, n, k), old = random(12, m, n)
  const all = await product(b, { contract: 'columns', activation, a: x, b: weights, old })
  for (const [row, column] of [[0, 0], [1, 517], [1, 899]] as const) {
    const a = matrix(1, k, x.data.subarray(row * k, row * k + k)), one = matrix(1, k, weights.data.subarray(column * k, column * k + k))
    const alone = await product(b, { contract: 'columns', activation, a, b: one, old: matrix(1, 1, [at(old, row, column)]) })
    sameBits(`${row}, ${column}`, alone, all.subarray(row * n + column, row * n + column + 1))
  }
})

test.run()
