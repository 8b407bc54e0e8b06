// One training step of a coder through the references, named after the paper's steps: encode, decode, loss, sample, scatter.
// The gradient tests differentiate its loss by finite differences; the known answers are compared with its results.
import {
  addSelfPenalty, featureMajor, matmul, reconLoss, reduceRows, rowNorms, scatterGradient, sparseDecode, sparseEncode, sparseSample, transposed,
} from './reference.ts'
import type { FeatureMajor, Matrix, Pattern, Round, Selection, Term } from './reference.ts'

/** Weights of a coder; W_skip [O, D] where it has a skip. */
export interface Coder { W_enc: Matrix, b_enc: Matrix, W_dec: Matrix, b_dec: Matrix, W_skip?: Matrix }

/** What a step is told: selection, loss, and the coefficient of the L1 weighted by decoder norms. */
export interface Recipe { selection: Selection, loss: 'fvu' | 'sumMse', l1: number }

/** All that a step computes. */
export interface Step {
  codes: Pattern, z: number[], yHat: Matrix, g: Matrix, loss: number, recon: number, l1: number, dz: number[], variance: number
  d_W_enc: Matrix, d_b_enc: Matrix, d_W_dec: Matrix, d_b_dec: Matrix, d_x: Matrix, d_W_skip?: Matrix
}

/** What scatter needs of codes regrouped by feature. */
export const term = (major: FeatureMajor, plane: ArrayLike<number>, dense: Matrix): Term =>
  ({ starts: major.starts, rows: major.rows, slots: major.slots, plane, dense })

/** Loss and every gradient for inputs x [N, D] and targets y [N, O]. */
export function step(coder: Coder, x: Matrix, y: Matrix, recipe: Recipe, r: Round): Step {
  const { W_enc, b_enc, W_dec, b_dec, W_skip } = coder
  const { codes, z } = sparseEncode({ ...recipe.selection, x, weight: W_enc, bias: b_enc }, r)
  const skip = W_skip && matmul({ contract: 'columns', activation: 'linear', a: x, b: W_skip }, r)
  const yHat = sparseDecode({ codes, z, weight: W_dec, bias: b_dec, ...(skip && { old: skip }) }, r)
  const { stats, dy: g } = reconLoss({ loss: recipe.loss, weight: 1, y, yHat }, r)
  const penalty = recipe.l1 / x.rows
  const sampled = sparseSample({ codes, g, weight: W_dec, gate: z, norms: rowNorms(W_dec, r), penalty }, r)
  const major = featureMajor({ codes, features: W_enc.rows, z })
  const decoder = term(major, z, g)
  const gradient = scatterGradient([decoder], W_dec.rows, W_dec.columns, r).gradient
  const encoder = scatterGradient([term(major, sampled.out, x)], W_enc.rows, W_enc.columns, r)
  const throughSkip = W_skip && matmul({ contract: 'columns', activation: 'linear', a: g, b: transposed(W_skip) }, r)
  const d_x = sparseDecode({ codes, z: sampled.out, weight: W_enc, ...(throughSkip && { old: throughSkip }) }, r)
  return {
    codes, z, yHat, g, loss: stats[0]! + sampled.penaltySum, recon: stats[0]!, variance: stats[2]!, l1: sampled.penaltySum, dz: sampled.out,
    d_W_enc: encoder.gradient, d_b_enc: encoder.bias, d_x,
    d_W_dec: addSelfPenalty(gradient, decoder, W_dec, penalty, r), d_b_dec: reduceRows(g, 1, r),
    ...(W_skip && { d_W_skip: matmul({ contract: 'rows', activation: 'linear', a: g, b: x }, r) }),
  }
}

/** AuxK: dead features reconstruct the residual, without b_dec; both sides of the coder learn from it, b_dec does not. */
export function auxiliary(
  coder: Coder, x: Matrix, residual: Matrix,
  { dead, k, weight, variance }: { dead: number[], k: number, weight: number, variance: number }, r: Round
): { codes: Pattern, z: number[], loss: number, d_W_enc: Matrix, d_b_enc: Matrix, d_W_dec: Matrix } {
  const { codes, z } = sparseEncode({ rule: 'topk', relu: true, k, subset: dead, x, weight: coder.W_enc, bias: coder.b_enc }, r)
  const yHat = sparseDecode({ codes, z, weight: coder.W_dec }, r)
  const { stats, dy: g } = reconLoss({ loss: 'fvu', weight, y: residual, yHat, variance }, r)
  const dz = sparseSample({ codes, g, weight: coder.W_dec, gate: z, penalty: 0 }, r).out
  const major = featureMajor({ codes, features: coder.W_enc.rows, z })
  const encoder = scatterGradient([term(major, dz, x)], coder.W_enc.rows, coder.W_enc.columns, r)
  const decoder = scatterGradient([term(major, z, g)], coder.W_dec.rows, coder.W_dec.columns, r)
  return { codes, z, loss: stats[0]!, d_W_enc: encoder.gradient, d_b_enc: encoder.bias, d_W_dec: decoder.gradient }
}
