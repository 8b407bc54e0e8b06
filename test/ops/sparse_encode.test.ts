// sparse_encode without a screen: selection of the canonical pre-activations, to the bit, and near enough to the truth.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { each } from './backend.ts'
import type { Bench } from './backend.ts'
import { canonicalPre } from './canonical.ts'
import { coarse, CODER_SHAPES, hostileRows, ks, random } from './cases.ts'
import { encode, sameCodes } from './encode.ts'
import type { Encoded, Encoding } from './encode.ts'
import { at, compareRank, from, matrix, preActivation, select } from './reference.ts'
import type { Matrix } from './reference.ts'
import { expected, sameBits } from './tolerance.ts'
import type { Expected } from './tolerance.ts'

/** Against the truth: each value is near its pre-activation, and nothing left out is clearly larger than what is in. */
function plausible(what: string, e: Encoding, codes: Encoded, { truth, plain, allowed }: Expected): void {
  const features = e.subset ?? Array.from({ length: e.weight.rows }, (_, f) => f)
  for (let n = 0; n < e.x.rows; n++) {
    const place = (f: number): number => n * e.weight.rows + f
    if (!features.every(f => Number.isFinite(plain[place(f)]!))) continue
    const chosen = new Set<number>()
    let least = e.rule === 'positive' ? 0 : Infinity
    for (let i = codes.starts[n]!; i < codes.starts[n + 1]!; i++) {
      const f = codes.index[i]!, p = truth[place(f)]!
      chosen.add(f)
      const near = Math.abs(codes.z[i]! - (e.relu ? Math.max(p, 0) : p)) <= allowed[place(f)]!
      assert.ok(near, `${what}: row ${n}, feature ${f} is ${codes.z[i]}, expected ${p}`)
      if (e.rule === 'topk') least = Math.min(least, p + allowed[place(f)]!)
    }
    for (const f of features) assert.ok(chosen.has(f) || truth[place(f)]! - allowed[place(f)]! <= least, `${what}: row ${n} left out feature ${f}`)
  }
}

/** Truth and canonical bits of the product, once for all selections from it. */
const products = new WeakMap<Matrix, { expected: Expected, canonical: Matrix | undefined }>()

async function check(b: Bench, what: string, e: Encoding): Promise<void> {
  const codes = await encode(b, e)
  const key = e.bias ?? e.weight
  const product = products.get(key) ?? {
    expected: expected(r => preActivation(e.x, e.weight, e.bias, r).data, e.weight.rows),
    canonical: b.madd && canonicalPre(e.x, e.weight, e.bias, b.madd),
  }
  products.set(key, product)
  plausible(what, e, codes, product.expected)
  assert.is(codes.needed, codes.index.length, `${what}: positions needed`)
  sameCodes(`${what}, again`, await encode(b, e), codes)
  if (!product.canonical) return
  const wanted = select(product.canonical, e)
  sameCodes(what, codes, { ...wanted.codes, z: wanted.z })
}

each('TOPK: shapes, K from 1 to F, with and without bias and relu', async b => {
  for (const [rows, width, features] of CODER_SHAPES) {
    const x = random(1, rows, width), weight = random(2, features, width), bias = random(3, 1, features, -0.5, 0.5)
    for (const k of ks(features)) {
      const what = `${rows}×${width}×${features} K ${k}`
      for (const relu of [true, false]) await check(b, `${what} relu ${relu}`, { rule: 'topk', relu, k, x, weight, bias })
      await check(b, `${what} no bias`, { rule: 'topk', relu: false, k, x, weight })
    }
  }
})

each('POSITIVE: shapes, with and without bias', async b => {
  for (const [rows, width, features] of CODER_SHAPES) {
    const x = random(4, rows, width), weight = random(5, features, width), bias = random(6, 1, features, -0.5, 0.5)
    await check(b, `${rows}×${width}×${features}`, { rule: 'positive', relu: true, k: 0, x, weight, bias })
    await check(b, `${rows}×${width}×${features} no bias`, { rule: 'positive', relu: true, k: 0, x, weight })
  }
})

each('ties go to the lower index, −0 and 0 are the same, all-zero rows', async b => {
  for (const [rows, width, features] of [[5, 3, 40], [9, 17, 257], [3, 1, 33]] as const) {
    const x = coarse(7, rows, width), weight = coarse(8, features, width)
    x.data.fill(0, 0, width)
    for (const k of ks(features)) await check(b, `ties ${rows}×${width}×${features} K ${k}`, { rule: 'topk', relu: false, k, x, weight })
    await check(b, 'ties, positive', { rule: 'positive', relu: true, k: 0, x, weight })
  }
  // −1e-30·1e-30 is −0 in float32, and no bias turns it into 0.
  const tiny = Math.fround(1e-30)
  const e = { rule: 'topk', relu: false, k: 7, x: from([[tiny]]), weight: matrix(20, 1, f => f % 2 ? -tiny : tiny) } as const
  await check(b, 'zeros of both signs', e)
  const codes = await encode(b, e)
  sameBits('lowest indices', codes.index, [0, 1, 2, 3, 4, 5, 6])
})

each('NaN first, infinities, overflow; hostile rows spoil no other', async b => {
  for (const [rows, width, features] of [[24, 37, 70], [36, 16, 33], [13, 129, 300]] as const) {
    const x = hostileRows(9, rows, width), weight = random(10, features, width)
    for (const k of [1, 5, features]) {
      for (const relu of [true, false]) await check(b, `hostile ${rows}×${width}×${features} K ${k}`, { rule: 'topk', relu, k, x, weight })
    }
    await check(b, 'hostile, positive', { rule: 'positive', relu: true, k: 0, x, weight })
    const rowsOfWeight = hostileRows(11, features, width)
    await check(b, 'hostile weights', { rule: 'topk', relu: true, k: 6, x: random(12, rows, width), weight: rowsOfWeight })
  }
})

each('a subset of features', async b => {
  for (const [rows, width, features] of [[7, 31, 33], [33, 5, 300], [1, 16, 16]] as const) {
    const x = random(13, rows, width), weight = random(14, features, width), bias = random(15, 1, features)
    for (const subset of [[0], [features - 1], Array.from({ length: features }, (_, f) => f).filter(f => f % 3 !== 1)]) {
      const what = `${subset.length} of ${features}`
      for (const k of ks(subset.length)) await check(b, `${what} K ${k}`, { rule: 'topk', relu: true, k, x, weight, bias, subset })
      await check(b, `${what}, positive`, { rule: 'positive', relu: true, k: 0, x, weight, bias, subset })
    }
  }
})

each('a row has the same codes in any batch', async b => {
  const x = random(16, 70, 45), weight = random(17, 131, 45), bias = random(18, 1, 131)
  const all = await encode(b, { rule: 'topk', relu: true, k: 9, x, weight, bias })
  for (const [first, count] of [[0, 1], [69, 1], [3, 7], [31, 33]] as const) {
    const part = await encode(b, { rule: 'topk', relu: true, k: 9, x: matrix(count, 45, x.data.subarray(first * 45)), weight, bias })
    sameBits('index', part.index, all.index.subarray(first * 9, (first + count) * 9))
    sameBits('z', part.z, all.z.subarray(first * 9, (first + count) * 9))
  }
})

each('POSITIVE beyond its capacity: rows that fit are whole, the others empty, and the need is told', async b => {
  const e = { rule: 'positive', relu: true, k: 0, x: random(19, 33, 17), weight: random(20, 60, 17) } as const
  const whole = await encode(b, e)
  for (const capacity of [1, 100, 500, whole.needed - 1, whole.needed]) {
    const part = await encode(b, { ...e, capacity })
    assert.is(part.needed, whole.needed)
    assert.ok(part.starts.at(-1)! <= capacity)
    let empty = 0
    for (let n = 0; n < 33; n++) {
      const [from, to] = [part.starts[n]!, part.starts[n + 1]!]
      if (to === from) { empty++; continue }
      sameBits(`row ${n} of ${capacity}`, part.z.subarray(from, to), whole.z.subarray(whole.starts[n], whole.starts[n + 1]))
      sameBits(`row ${n} of ${capacity}`, part.index.subarray(from, to), whole.index.subarray(whole.starts[n], whole.starts[n + 1]))
    }
    assert.is(empty > 0, capacity < whole.needed)
  }
})

each('long lists: cut again and again, longer than a sort in fast memory, more features than a bitmap has bits', async b => {
  // Every feature is larger than all before it, so that each of them enters the list.
  const x = matrix(33, 8, () => 1), weight = matrix(2000, 8, f => Math.fround(f * 1e-3))
  for (const k of [3, 20]) await check(b, `ascending K ${k}`, { rule: 'topk', relu: true, k, x, weight })
  for (const [k, features] of [[300, 1000], [1100, 1500]] as const) {
    await check(b, `K ${k} of ${features}`, { rule: 'topk', relu: false, k, x: random(21, 2, 5), weight: random(22, features, 5) })
  }
  await check(b, 'many features', { rule: 'positive', relu: true, k: 0, x: random(23, 1, 3), weight: random(24, 33_000, 3) })
})

test('compareRank orders NaN before infinity', () => {
  assert.equal([1, NaN, Infinity, -1].sort(compareRank), [NaN, Infinity, 1, -1])
  assert.ok(Number.isNaN(at(from([[NaN]]), 0, 0)))
})

test.run()
