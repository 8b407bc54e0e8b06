// sparse_scatter: gradients of feature rows to the bit, and the update that ends it against float64.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { adamStep, sparseScatter } from '../../lib/tensor/ops.ts'
import { each } from './backend.ts'
import type { Bench } from './backend.ts'
import { add, canonicalSum, rowDot } from './canonical.ts'
import { CODER_SHAPES, planeWithZeros, raggedPattern, random, randomPattern } from './cases.ts'
import { term as reference } from './coder.ts'
import { screensOf, shadowOf } from './encode.ts'
import { at, featureMajor, matrix, scatterAdam, scatterGradient } from './reference.ts'
import type { Matrix, Moments, Pattern, Term } from './reference.ts'
import { close, expectedAll, sameBits } from './tolerance.ts'

const ADAM = { rate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, correction1: 1 - 0.9 ** 2, correction2: 1 - 0.999 ** 2 }
const rounded = Object.fromEntries(Object.entries(ADAM).map(([key, value]) => [key, Math.fround(value)])) as unknown as typeof ADAM

/** Terms over patterns of their own, each with its plane and dense side [N, width]. */
function terms(seed: number, count: number, rows: number, width: number, features: number): Term[] {
  return Array.from({ length: count }, (_, t) => {
    const codes: Pattern = t % 2 ? raggedPattern(seed + t, rows, 20, features) : randomPattern(seed + t, rows, Math.min(3, features), features)
    return reference(featureMajor({ codes, features }), planeWithZeros(seed + 10 + t, codes.index.length), random(seed + 20 + t, rows, width))
  })
}

const upload = (b: Bench, all: readonly Term[]) => all.map(t => ({
  featureStarts: b.ints(t.starts, 'u64'), rows: b.ints(t.rows, 'u32'), slots: b.ints(t.slots, 'u32'),
  plane: b.up(matrix(1, t.plane.length, t.plane)), dense: b.up(t.dense),
}))

/** G and b in the canonical order: each term a row sum, the terms added in order. */
function canonical(all: readonly Term[], features: number, width: number, madd: NonNullable<Bench['madd']>): { gradient: Matrix, bias: Matrix } {
  const total = (f: number, dense: (t: Term, row: number) => number): number => all.reduce((sum, t, i) => {
    const first = t.starts[f]!
    const own = canonicalSum(t.starts[f + 1]! - first, k => t.plane[t.slots[first + k]!]!, k => dense(t, t.rows[first + k]!), madd)
    return i === 0 ? own : add(sum, own)
  }, 0)
  return {
    gradient: matrix(features, width, (f, d) => total(f, (t, row) => at(t.dense, row, d))),
    bias: matrix(1, features, (_, f) => total(f, () => 1)),
  }
}

each('GRADIENT: one to four terms', async b => {
  for (const [rows, width, features] of [...CODER_SHAPES, [600, 5, 2] as const, [257, 33, 1] as const, [2600, 3, 2] as const]) {
    for (const count of [1, 2, 3, 4]) {
      const all = terms(1, count, rows, width, features), what = `${rows}×${width}×${features}, ${count} terms`
      const gradient = b.room(features, width), gradientBias = b.room(1, features)
      sparseScatter({ mode: 'gradient', terms: upload(b, all), gradient, gradientBias })
      const actual = await b.down(gradient), bias = await b.down(gradientBias)
      const [G, sums] = expectedAll(r => {
        const result = scatterGradient(all, features, width, r)
        return [result.gradient.data, result.bias.data]
      })
      close(what, actual, G!)
      close(`${what} bias`, bias, sums!)
      if (b.madd) {
        const wanted = canonical(all, features, width, b.madd)
        sameBits(what, actual, wanted.gradient.data)
        sameBits(`${what} bias`, bias, wanted.bias.data)
      }
      const alone = b.room(features, width)
      sparseScatter({ mode: 'gradient', terms: upload(b, all), gradient: alone })
      sameBits(`${what} without bias`, await b.down(alone), actual)
    }
  }
})

interface Updated { weight: Float64Array, m: Float64Array, v: Float64Array, norms: Float64Array, bias: Float64Array }

const moments = (seed: number, rows: number, columns: number): Moments =>
  ({ weight: random(seed, rows, columns), m: random(seed + 1, rows, columns, -0.1, 0.1), v: random(seed + 2, rows, columns, 0, 0.01) })

interface Flags { project: boolean, unit: boolean, selfPenalty: number }

async function update(b: Bench, all: readonly Term[], rows: Moments, bias: Moments, flags: Partial<Flags>, ok?: number): Promise<Updated> {
  const up = (m: Moments) => ({ weight: b.up(m.weight), m: b.up(m.m), v: b.up(m.v) })
  const own = up(rows), biases = up(bias), norms = b.up(matrix(1, rows.weight.rows, () => -1))
  sparseScatter({
    mode: 'adam', terms: upload(b, all), adam: ADAM, ...own, bias: biases.weight, biasM: biases.m, biasV: biases.v, norms,
    ...flags, ...(ok !== undefined && { ok: b.ints([ok], 'u32') }),
  })
  return {
    weight: await b.down(own.weight), m: await b.down(own.m), v: await b.down(own.v), norms: await b.down(norms), bias: await b.down(biases.weight),
  }
}

/** A row that no block of a GPU keeps in its shared memory. */
const WIDE = [2, 10_303, 3] as const
const FLAGS: Partial<Flags>[] = [{}, { project: true }, { unit: true }, { selfPenalty: 0.2 }, { project: true, unit: true, selfPenalty: 0.2 }]

each('ADAM: every flag, against float64', async b => {
  for (const [rows, width, features] of CODER_SHAPES) {
    for (const flags of FLAGS) {
      const all = terms(2, 2, rows, width, features), own = moments(3, features, width), bias = moments(6, 1, features)
      own.weight.data.fill(0, 0, width) // row 0 has no norm
      const what = `${rows}×${width}×${features} ${JSON.stringify(flags)}`
      const told = { project: false, unit: false, ...flags, ...rounded, rows: own, bias, selfPenalty: Math.fround(flags.selfPenalty ?? 0) }
      const actual = await update(b, all, own, bias, flags)
      const wanted = expectedAll(r => {
        const { rows, bias, norms } = scatterAdam(all, told, r)
        return [rows.weight.data, rows.m.data, rows.v.data, bias!.weight.data, norms.data]
      })
      for (const [i, key] of (['weight', 'm', 'v', 'bias', 'norms'] as const).entries()) close(`${what} ${key}`, actual[key], wanted[i]!)
      const madd = b.madd, after = matrix(features, width, actual.weight)
      const norms = madd && matrix(1, features, (_, f) => Math.fround(Math.sqrt(rowDot(after, f, after, f, madd))))
      if (norms) sameBits(`${what} norms of what was written`, actual.norms, norms.data)
    }
  }
})

each('ADAM on a gradient that is never stored = adam_step on the stored one', async b => {
  for (const [rows, width, features] of [...CODER_SHAPES, WIDE, [1300, 3, 2] as const]) {
    const all = terms(4, 3, rows, width, features), own = moments(5, features, width), bias = moments(8, 1, features)
    const actual = await update(b, all, own, bias, {})
    const gradient = b.room(features, width), gradientBias = b.room(1, features)
    sparseScatter({ mode: 'gradient', terms: upload(b, all), gradient, gradientBias })
    for (const [key, old, g] of [['weight', own, gradient], ['bias', bias, gradientBias]] as const) {
      const tensors = { weight: b.up(old.weight), m: b.up(old.m), v: b.up(old.v) }
      adamStep({ ...ADAM, ...tensors, gradient: g })
      sameBits(`${rows}×${width}×${features} ${key}`, actual[key], await b.down(tensors.weight))
    }
  }
})

each('ok = 0 writes nothing at all; ok = 1 changes nothing of the rest', async b => {
  const all = terms(6, 1, 9, 33, 12), own = moments(7, 12, 33), bias = moments(9, 1, 12)
  const skipped = await update(b, all, own, bias, { unit: true, project: true, selfPenalty: 1 }, 0)
  for (const key of ['weight', 'm', 'v'] as const) sameBits(key, skipped[key], own[key].data)
  sameBits('bias', skipped.bias, bias.weight.data)
  sameBits('norms', skipped.norms, new Float64Array(12).fill(-1))
  const done = await update(b, all, own, bias, { unit: true }, 1), plain = await update(b, all, own, bias, { unit: true })
  for (const key of ['weight', 'm', 'v', 'norms', 'bias'] as const) sameBits(key, done[key], plain[key])
  assert.ok(done.norms.every(norm => Math.abs(norm - 1) < 1e-6))
})

each('a step makes the low-precision copy of its rows again', async b => {
  for (const [rows, width, features] of [[7, 33, 20], [5, 64, 131], [3, 6, 3], [2, 132, 17]] as const) {
    for (const unit of [true, false]) {
      const all = terms(10, 1, rows, width, features), own = moments(11, features, width)
      for (const screen of screensOf(b, own.weight)) {
        const tensors = { weight: b.up(own.weight), m: b.up(own.m), v: b.up(own.v) }, shadow = shadowOf(b, screen, tensors.weight)
        const before = await b.down(shadow)
        sparseScatter({ mode: 'adam', terms: upload(b, all), adam: ADAM, ...tensors, unit, screen, shadow })
        const after = await b.down(shadow), what = `${screen} ${features}×${width} unit ${unit}`
        sameBits(what, after, await b.down(shadowOf(b, screen, tensors.weight)))
        assert.ok(after.some((value, i) => value !== before[i]), what)
      }
    }
  }
})

test.run()
