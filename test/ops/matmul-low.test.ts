// matmul with weights of low precision: integers with scales, and arithmetic rounded to bf16.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { matmul } from '../../lib/tensor/ops.ts'
import { each } from './backend.ts'
import { hostileRows, random } from './cases.ts'
import { SHAPES, check, integers, product, sides } from './product.ts'
import { matrix, stored } from './reference.ts'
import { sameBits } from './tolerance.ts'

const activation = 'linear'

for (const contract of ['columns', 'across'] as const) {
  each(`${contract}: integers with scales`, async b => {
    for (const shape of SHAPES) {
      const [m, , n] = shape, plain = { ...integers(contract, shape), activation } as const
      await check(b, `${shape}`, plain)
      await check(b, `${shape} bias, old`, { ...plain, bias: random(3, 1, n), old: random(4, m, n) })
    }
    const many = integers(contract, [33, 65, 17])
    for (const left of ['bf16', 'f16'] as const) await check(b, `${left} a`, { ...many, activation }, [left, 'f32'])
    await check(b, 'activation and cap', { ...many, activation: 'silu', cap: 0.5 })
  })
}

each('rounded: shapes, storage of a, what follows the sum', async b => {
  for (const shape of SHAPES) {
    const [m, , n] = shape, plain = { ...sides('columns', shape), activation, rounded: true } as const
    await check(b, `${shape}`, plain, ['f32', 'bf16'])
    await check(b, `${shape} bias, old`, { ...plain, bias: random(3, 1, n), old: random(4, m, n) }, ['f32', 'bf16'])
  }
  const many = { ...sides('columns', [33, 65, 17]), rounded: true } as const
  for (const left of ['bf16', 'f16'] as const) await check(b, `${left} a`, { ...many, activation }, [left, 'bf16'])
  await check(b, 'activation and cap', { ...many, activation: 'geluTanh', cap: 0.5 }, ['f32', 'bf16'])
})

each('rounded: the bits of a row depend on the row alone', async b => {
  for (const k of [70, 1030]) {
    const a = hostileRows(8, 36, k), weights = random(9, 53, k)
    const all = await product(b, { contract: 'columns', activation, rounded: true, a, b: weights }, ['f32', 'bf16'])
    for (const [first, rows] of [[0, 1], [1, 1], [5, 3], [7, 9], [10, 1], [35, 1], [0, 12]] as const) {
      const some = matrix(rows, k, a.data.subarray(first * k, (first + rows) * k))
      const alone = await product(b, { contract: 'columns', activation, rounded: true, a: some, b: weights }, ['f32', 'bf16'])
      sameBits(`rows ${first} on, ${rows}, of ${k}`, alone, all.subarray(first * 53, (first + rows) * 53))
    }
    const narrow = await product(b, { contract: 'columns', activation, rounded: true, a: stored(a, 'bf16'), b: weights }, ['bf16', 'bf16'])
    sameBits('a that is bf16 already', narrow, all)
    assert.ok(all.subarray(0, 53).every(Number.isFinite) && all.subarray(6 * 53, 7 * 53).every(Number.isNaN))
  }
})

each('integers: hostile rows spoil no other, few rows or many', async b => {
  const a = hostileRows(8, 36, 70), { b: codes, scales } = integers('columns', [1, 70, 45])
  const all = await product(b, { contract: 'columns', activation, a, b: codes, scales })
  for (const [first, rows] of [[0, 1], [5, 3], [6, 2], [10, 12]] as const) {
    const some = matrix(rows, 70, a.data.subarray(first * 70, (first + rows) * 70))
    const alone = await product(b, { contract: 'columns', activation, a: some, b: codes, scales })
    sameBits(`rows ${first} on`, alone, all.subarray(first * 45, (first + rows) * 45))
  }
  assert.ok(all.subarray(0, 45).every(Number.isFinite) && all.subarray(6 * 45, 7 * 45).every(Number.isNaN))
})

// Rows of 16-byte multiples, as weights have them: a few rows then take a path of their own on some devices.
each('few rows have the bits that they have among many, in every storage', async b => {
  const [m, k, n] = [33, 1040, 35], a = hostileRows(8, m, k), weights = hostileRows(9, n, k), codes = integers('columns', [1, k, n])
  for (const right of ['f32', 'bf16', 'f16', 'i8'] as const) {
    for (const left of ['f32', 'bf16'] as const) {
      for (const rounded of right === 'bf16' ? [false, true] : [false]) {
        const given = { contract: 'columns', activation, rounded, ...(right === 'i8' ? { b: codes.b, scales: codes.scales } : { b: weights }) } as const
        const storage = [left, right === 'i8' ? 'f32' : right] as const, all = await product(b, { ...given, a }, storage)
        for (const [first, rows] of [[0, 1], [6, 3], [9, 8], [17, 16]] as const) {
          const some = matrix(rows, k, a.data.subarray(first * k, (first + rows) * k))
          const alone = await product(b, { ...given, a: some }, storage)
          sameBits(`${left} ${right} ${rounded} rows ${first} on, ${rows}`, alone, all.subarray(first * n, (first + rows) * n))
        }
      }
    }
  }
})

each('few rows, with what follows the sum', async b => {
  for (const [m, k, n] of [[1, 64, 65], [7, 2064, 33], [16, 96, 130]] as const) {
    const end = { activation: 'silu', bias: random(3, 1, n), old: random(4, m, n) } as const
    await check(b, `${m} f32`, { ...sides('columns', [m, k, n]), ...end })
    await check(b, `${m} i8`, { ...integers('columns', [m, k, n]), ...end, cap: 1 })
    for (const right of ['bf16', 'f16'] as const) await check(b, `${m} ${right}`, { ...sides('columns', [m, k, n]), ...end }, ['f16', right])
    await check(b, `${m} rounded`, { ...sides('columns', [m, k, n]), activation: 'linear', rounded: true, cap: 2 }, ['f32', 'bf16'])
  }
})

each('scales without integers, integers without scales, rounded across: refused in words', async b => {
  const a = b.up(random(1, 3, 4)), w = b.up(random(2, 5, 4)), codes = b.up(matrix(5, 4), 'i8'), scales = b.up(random(3, 1, 5)), c = b.room(3, 5)
  assert.throws(() => matmul({ a, b: w, bScales: scales, c }), /no scales but with an i8 matrix/)
  assert.throws(() => matmul({ a, b: codes, c }), /bScales of matmul/)
  assert.throws(() => matmul({ a, b: codes, bScales: b.up(random(3, 1, 4)), c }), /\[1, 5\] f32 for bScales/)
  assert.throws(() => matmul({ a, b: w, arithmetic: 'rounded', c }), /bf16 for b of matmul/)
  assert.throws(() => matmul({ a, b: b.up(random(2, 4, 5), 'bf16'), arithmetic: 'rounded', contract: 'across', c }), /"exact" but for contract "columns"/)
  assert.throws(() => matmul({ a, b: w, cap: -1, c }), /at least 0/)
})

test.run()
