// Known answers of whole training steps through the ops, as a trainer composes them (the references have theirs in
// reference.test.ts, to 1e-7), and every gradient of random coders against the references.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  adamStep, axpy, featureMajor, matmul, reconLoss, reduceRows, rowMoments, sparseDecode, sparseEncode, sparseSample, sparseScatter, unitRows,
} from '../../lib/tensor/ops.ts'
import type { Term } from '../../lib/tensor/ops.ts'
import type { Pattern } from '../../lib/tensor/codes.ts'
import type { Tensor } from '../../lib/tensor/tensor.ts'
import { each } from './backend.ts'
import type { Bench } from './backend.ts'
import { random } from './cases.ts'
import { step as reference } from './coder.ts'
import type { Coder, Recipe } from './coder.ts'
import { answer, inputs, known, spread } from './golden.ts'
import { at, matrix, transposed } from './reference.ts'
import type { Matrix } from './reference.ts'
import { close, expected } from './tolerance.ts'

/** Values up to 10 in float32: a few roundings of 10·2⁻²⁴. */
const NEAR = 3e-6
const { x, y, W_skip, ...plain } = inputs
const TOPK: Recipe = { selection: { rule: 'topk', relu: true, k: 2 }, loss: 'fvu', l1: 0 }
const RELU_L1: Recipe = { selection: { rule: 'positive', relu: true, k: 0 }, loss: 'sumMse', l1: 0.1 }
const FIRST = { rate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, correction1: 1 - 0.9, correction2: 1 - 0.999 }
/** With β1 = 0 the first moment is the gradient that the update saw. */
const GRADIENT = { ...FIRST, beta1: 0, correction1: 1 }

interface Major { featureStarts: Tensor, rows: Tensor, slots: Tensor, fired: Tensor }

const term = ({ featureStarts, rows, slots }: Major, plane: Tensor, dense: Tensor): Term => ({ featureStarts, rows, slots, plane, dense })

function regroup(b: Bench, codes: Pattern, features: number, z: Tensor): Major {
  const list = (): Tensor => b.room(1, codes.capacity, 'u32')
  const major = { featureStarts: b.room(1, features + 1, 'u64'), rows: list(), slots: list(), fired: b.room(1, features, 'u32') }
  featureMajor({ codes, z, ...major })
  return major
}

/** A fixed pattern of K a row, or a ragged one with room for all. */
function blank(b: Bench, rows: number, features: number, { rule, k }: Recipe['selection']): Pattern {
  const count = rule === 'topk' ? rows * k : rows * features
  const starts = Array.from({ length: rows + 1 }, () => 0)
  return b.codes({ starts, index: new Array<number>(count).fill(0) }, features, rule === 'topk' ? k : undefined)
}

/** Encode, decode, loss, sample and regroup. */
async function forward(b: Bench, coder: Coder, input: Matrix, target: Matrix, { selection, loss, l1 }: Recipe) {
  const rows = input.rows, features = coder.W_enc.rows, X = b.up(input), W_dec = b.up(coder.W_dec)
  const codes = blank(b, rows, features, selection), z = b.plane(codes), dz = b.plane(codes)
  const yHat = b.room(rows, target.columns), dy = b.room(rows, target.columns), stats = b.room(1, 8)
  const norms = b.room(1, features), penaltySum = b.room(1, 1), counts = b.room(1, 4, 'u64')
  sparseEncode({ rule: selection.rule, relu: selection.relu, x: X, weight: b.up(coder.W_enc), bias: b.up(coder.b_enc), codes, z, counts })
  if (coder.W_skip) matmul({ a: X, b: b.up(coder.W_skip), c: yHat })
  sparseDecode({ codes, z, weight: W_dec, bias: b.up(coder.b_dec), out: yHat, accumulate: coder.W_skip !== undefined })
  reconLoss({ loss, y: b.up(target), yHat, dy, stats })
  unitRows({ weight: W_dec, norms })
  sparseSample({ codes, g: dy, weight: W_dec, gate: z, norms, penalty: l1 / rows, out: dz, penaltySum })
  const major = regroup(b, codes, features, z)
  return { codes, z, dz, dy, stats, yHat, penaltySum, fired: major.fired, X, decoder: term(major, z, dy), encoder: term(major, dz, X) }
}

/** The gradient that an update of sparse_scatter sees, as its first moment; and its bias's. */
async function updateGradient(
  b: Bench, terms: Term[], weight: Matrix, flags: { project?: boolean, selfPenalty?: number }
): Promise<{ gradient: Float64Array, bias: Float64Array }> {
  const zero = (rows: number, columns: number): Tensor => b.up(matrix(rows, columns))
  const m = zero(weight.rows, weight.columns), biasM = zero(1, weight.rows)
  sparseScatter({
    mode: 'adam', terms, weight: b.up(weight), m, v: zero(weight.rows, weight.columns), adam: GRADIENT, ...flags,
    bias: zero(1, weight.rows), biasM, biasV: zero(1, weight.rows),
  })
  return { gradient: await b.down(m), bias: await b.down(biasM) }
}

/** Everything that a step computes, by its name among the known answers. */
async function results(b: Bench, coder: Coder, input: Matrix, target: Matrix, recipe: Recipe): Promise<Record<string, Float64Array>> {
  const rows = input.rows, width = input.columns, outputs = target.columns, features = coder.W_enc.rows
  const f = await forward(b, coder, input, target, recipe)
  const d_b_dec = b.room(1, outputs), d_x = b.room(rows, width), d_W_skip = b.room(outputs, width)
  const encoder = { gradient: b.room(features, width), gradientBias: b.room(1, features) }
  sparseScatter({ mode: 'gradient', terms: [f.encoder], ...encoder })
  reduceRows({ x: f.dy, out: d_b_dec })
  matmul({ contract: 'rows', a: f.dy, b: f.X, c: d_W_skip })
  if (coder.W_skip) matmul({ a: f.dy, b: b.up(transposed(coder.W_skip)), c: d_x })
  sparseDecode({ codes: f.codes, z: f.dz, weight: b.up(coder.W_enc), out: d_x, accumulate: coder.W_skip !== undefined })
  const decoder = await updateGradient(b, [f.decoder], coder.W_dec, { selfPenalty: recipe.l1 / rows })
  const stats = await b.down(f.stats), index = await b.down(f.codes.index)
  const starts = f.codes.starts ? Array.from(await b.down(f.codes.starts)) : Array.from({ length: rows + 1 }, (_, n) => n * recipe.selection.k)
  const penalty = (await b.down(f.penaltySum))[0]!
  return {
    z: spread({ starts, index }, await b.down(f.z), features).data, dz: spread({ starts, index }, await b.down(f.dz), features).data,
    y_hat: await b.down(f.yHat), g: await b.down(f.dy), fvu: stats.subarray(0, 1), mse: stats.subarray(0, 1), V: stats.subarray(2, 3),
    l1: Float64Array.of(penalty), loss: Float64Array.of(stats[0]! + penalty), d_W_dec: decoder.gradient, d_b_dec: await b.down(d_b_dec),
    d_W_enc: await b.down(encoder.gradient), d_b_enc: await b.down(encoder.gradientBias), d_x: await b.down(d_x), d_W_skip: await b.down(d_W_skip),
    fired: await b.down(f.fired),
  }
}

const all = (name: string, values: Record<string, Float64Array>, keys: string): void => {
  for (const key of keys.split(' ')) known(name, key, values[key]!, NEAR)
}

each('pre, relu_l1, topk_skip: codes, losses and every gradient', async b => {
  const p = b.room(3, 6)
  matmul({ a: b.up(x), b: b.up(plain.W_enc), bias: b.up(plain.b_enc), c: p })
  known('pre', 'pre', await b.down(p), NEAR)
  const topk = await results(b, { ...plain, W_skip }, x, y, TOPK)
  known('pre', 'V', topk.V!, NEAR)
  all('topk_skip', topk, 'z y_hat fvu g dz d_W_dec d_b_dec d_W_enc d_b_enc d_x d_W_skip')
  // Row 3 has one positive pre-activation: its second slot holds 0, carries no gradient and has not fired.
  assert.equal(Array.from(topk.fired!), [1, 1, 1, 0, 1, 1])
  all('relu_l1', await results(b, plain, x, y, RELU_L1), 'z y_hat mse l1 loss dz d_W_dec d_b_dec d_W_enc d_b_enc d_x')
})

each('adam_step1: rows by sparse_scatter, the rest by adam_step', async b => {
  const f = await forward(b, { ...plain, W_skip }, x, y, TOPK)
  const zero = (m: Matrix): Tensor => b.up(matrix(m.rows, m.columns))
  const three = (m: Matrix): { weight: Tensor, m: Tensor, v: Tensor } => ({ weight: b.up(m), m: zero(m), v: zero(m) })
  const enc = three(plain.W_enc), biases = three(plain.b_enc), dec = three(plain.W_dec), last = three(plain.b_dec)
  sparseScatter({ mode: 'adam', terms: [f.encoder], ...enc, bias: biases.weight, biasM: biases.m, biasV: biases.v, adam: FIRST })
  sparseScatter({ mode: 'adam', terms: [f.decoder], ...dec, adam: FIRST })
  const gradient = b.room(1, 3)
  reduceRows({ x: f.dy, out: gradient })
  adamStep({ ...last, gradient, ...FIRST })
  const after = { W_enc: enc.weight, b_enc: biases.weight, W_dec: dec.weight, b_dec: last.weight, m_b_dec: last.m, v_b_dec: last.v }
  for (const [key, tensor] of Object.entries(after)) {
    known('adam_step1', key, await b.down(tensor), NEAR)
  }
})

each('topk_ae: the projected gradient, and unit rows after the step', async b => {
  const centred = b.room(3, 3)
  axpy({ alpha: 1, x: b.up(x), beta: -1, y: b.up(plain.b_dec), out: centred })
  const input = matrix(3, 3, await b.down(centred))
  const values = await results(b, plain, input, x, TOPK)
  all('topk_ae', values, 'V z y_hat fvu d_W_dec d_W_enc d_b_enc')
  // The encoder read x − b_dec: b_dec also gets minus the row sum of d_x.
  const sum = b.room(1, 3)
  reduceRows({ x: b.up(matrix(3, 3, values.d_x!)), scale: -1, out: sum })
  known('topk_ae', 'd_b_dec', (await b.down(sum)).map((value, o) => value + values.d_b_dec![o]!), NEAR)
  const f = await forward(b, plain, input, x, TOPK)
  known('topk_ae', 'd_W_dec_projected', (await updateGradient(b, [f.decoder], plain.W_dec, { project: true })).gradient, NEAR)
  const weight = b.up(plain.W_dec), norms = b.room(1, 6)
  const m = b.up(matrix(6, 3)), v = b.up(matrix(6, 3))
  sparseScatter({ mode: 'adam', terms: [f.decoder], weight, m, v, project: true, unit: true, norms, adam: FIRST })
  known('topk_ae', 'W_dec_after_adam_and_unit_rows', await b.down(weight), NEAR)
  for (const norm of await b.down(norms)) assert.ok(Math.abs(norm - 1) <= 2 ** -23)
})

each('auxk: dead features alone, no b_dec, a gradient for the encoder', async b => {
  const main = await forward(b, plain, x, y, TOPK)
  const residual = b.room(3, 3), X = b.up(x), W_dec = b.up(plain.W_dec)
  axpy({ alpha: 1, x: b.up(y), beta: -1, y: main.yHat, out: residual })
  known('auxk', 'residual', await b.down(residual), NEAR)
  const codes = blank(b, 3, 6, { rule: 'topk', relu: true, k: 1 }), z = b.plane(codes), dz = b.plane(codes)
  const dead = b.ints([3, 4], 'u32'), counts = b.room(1, 4, 'u64')
  sparseEncode({ rule: 'topk', x: X, weight: b.up(plain.W_enc), bias: b.up(plain.b_enc), subset: dead, codes, z, counts })
  known('auxk', 'z_aux', spread({ starts: [0, 1, 2, 3], index: await b.down(codes.index) }, await b.down(z), 6).data, NEAR)
  const yHat = b.room(3, 3), dy = b.room(3, 3), stats = b.room(1, 8)
  sparseDecode({ codes, z, weight: W_dec, out: yHat })
  reconLoss({ loss: 'fvu', weight: answer('auxk', 'scale')[0]!, y: residual, yHat, varianceOf: main.stats, dy, stats })
  known('auxk', 'auxk', (await b.down(stats)).subarray(0, 1), NEAR)
  sparseSample({ codes, g: dy, weight: W_dec, gate: z, out: dz })
  const major = regroup(b, codes, 6, z)
  const encoder = { gradient: b.room(6, 3), gradientBias: b.room(1, 6) }, decoder = b.room(6, 3)
  sparseScatter({ mode: 'gradient', terms: [term(major, dz, X)], ...encoder })
  sparseScatter({ mode: 'gradient', terms: [term(major, z, dy)], gradient: decoder })
  known('auxk', 'd_W_enc', await b.down(encoder.gradient), NEAR)
  known('auxk', 'd_b_enc', await b.down(encoder.gradientBias), NEAR)
  known('auxk', 'd_W_dec', await b.down(decoder), NEAR)
  // Main loss and AuxK in one update: the terms of two patterns add up.
  const both = await updateGradient(b, [main.encoder, term(major, dz, X)], plain.W_enc, {})
  const alone = await updateGradient(b, [main.encoder], plain.W_enc, {})
  known('auxk', 'd_W_enc', both.gradient.map((value, i) => value - alone.gradient[i]!), NEAR)
})

each('metrics', async b => {
  const f = await forward(b, plain, x, y, RELU_L1), out = b.room(3, 4)
  rowMoments({ a: b.up(y), b: f.yHat, out })
  const moments = matrix(3, 4, await b.down(out))
  const sum = (each: (n: number) => number): number => [0, 1, 2].reduce((total, n) => total + each(n), 0)
  const metric = (key: string, value: number): void => known('metrics', key, [value], NEAR)
  metric('fvu', sum(n => at(moments, n, 3)) / (await b.down(f.stats))[2]!)
  metric('nmse_uncentred', sum(n => at(moments, n, 3)) / sum(n => at(moments, n, 0)))
  metric('relative_bias', sum(n => at(moments, n, 2)) / sum(n => at(moments, n, 1)))
  metric('cosine', sum(n => at(moments, n, 1) / Math.sqrt(at(moments, n, 0) * at(moments, n, 2))) / 3)
  metric('l2_ratio', sum(n => Math.sqrt(at(moments, n, 2) / at(moments, n, 0))) / 3)
  known('metrics', 'density', (await b.down(f.fired)).map(count => count / 3), NEAR)
})

each('random coders: every result against the references', async b => {
  const N = 33, D = 17, O = 31, F = 67
  const coder = { W_enc: random(1, F, D), b_enc: random(2, 1, F), W_dec: random(3, F, O), b_dec: random(4, 1, O) }
  const input = random(6, N, D), target = random(7, N, O)
  for (const [what, weights, recipe] of [
    ['topk + skip', { ...coder, W_skip: random(5, O, D) }, { ...TOPK, selection: { ...TOPK.selection, k: 5 } }],
    ['relu + l1', coder, RELU_L1],
  ] as const) {
    const values = await results(b, weights, input, target, recipe)
    const told = { ...recipe, l1: Math.fround(recipe.l1 / N) * N }
    for (const key of ['d_W_enc', 'd_b_enc', 'd_W_dec', 'd_b_dec', 'd_x', ...('W_skip' in weights ? ['d_W_skip' as const] : [])] as const) {
      const width = reference(weights, input, target, told, value => value)[key]!.data.length
      close(`${what} ${key}`, values[key]!, expected(r => reference(weights, input, target, told, r)[key]!.data, width))
    }
  }
})

test.run()
