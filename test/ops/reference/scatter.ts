// The slow truth of sparse_scatter: the gradient of feature rows, and the update that ends it.
import { at, dot, matrix } from './arithmetic.ts'
import type { Matrix, Round } from './arithmetic.ts'

/** One product codesᵀ × dense: feature f has the positions starts[f] ... starts[f+1] − 1 of rows and slots. */
export interface Term { starts: readonly number[], rows: readonly number[], slots: readonly number[], plane: ArrayLike<number>, dense: Matrix }

/** The numbers of one Adam step; correction1 = 1 − β1ᵗ, correction2 = 1 − β2ᵗ. */
export interface Adam { rate: number, beta1: number, beta2: number, epsilon: number, correction1: number, correction2: number }

/** A tensor with its two moments. */
export interface Moments { weight: Matrix, m: Matrix, v: Matrix }

/** G [F, D] = Σ_terms Σ plane·dense, and b [1, F], the same with dense = 1. */
export function scatterGradient(terms: readonly Term[], features: number, columns: number, r: Round): { gradient: Matrix, bias: Matrix } {
  const total = (f: number, dense: (term: Term, row: number) => number): number => {
    let all = 0
    terms.forEach((term, t) => {
      let sum = 0
      for (let i = term.starts[f]!; i < term.starts[f + 1]!; i++) sum = r(sum + r(term.plane[term.slots[i]!]! * dense(term, term.rows[i]!)))
      all = t === 0 ? sum : r(all + sum)
    })
    return all
  }
  return {
    gradient: matrix(features, columns, (f, d) => total(f, (term, row) => at(term.dense, row, d))),
    bias: matrix(1, features, (_, f) => total(f, () => 1)),
  }
}

/** One Adam step on every element: new weight, m and v. */
export function adamStep({ weight, m, v }: Moments, gradient: Matrix, a: Adam, r: Round): Moments {
  const one = (old: Matrix, formula: (i: number) => number): Matrix => matrix(old.rows, old.columns, old.data.map((_, i) => formula(i)))
  const newM = one(m, i => r(r(a.beta1 * m.data[i]!) + r(r(1 - a.beta1) * gradient.data[i]!)))
  const newV = one(v, i => r(r(a.beta2 * v.data[i]!) + r(r(1 - a.beta2) * r(gradient.data[i]! ** 2))))
  return {
    weight: one(weight, i => {
      const step = r(r(newM.data[i]! / a.correction1) / r(r(Math.sqrt(r(newV.data[i]! / a.correction2))) + a.epsilon))
      return r(weight.data[i]! - r(a.rate * step))
    }),
    m: newM,
    v: newV,
  }
}

/** ‖w_f‖ of every row, [1, F]. */
export const rowNorms = (weight: Matrix, r: Round): Matrix => matrix(1, weight.rows, (_, f) => r(Math.sqrt(dot(weight, f, weight, f, r))))

/** Every row scaled to norm `target`; a zero row stays. */
export function scaleRows(weight: Matrix, target: number, r: Round): Matrix {
  const norms = rowNorms(weight, r)
  return matrix(weight.rows, weight.columns, (f, d) => at(norms, 0, f) === 0 ? at(weight, f, d) : r(at(weight, f, d) * r(target / at(norms, 0, f))))
}

/** G[f] += selfPenalty · (Σ plane of term 0) / ‖w_f‖ · w_f; nothing where ‖w_f‖ = 0. */
export function addSelfPenalty(gradient: Matrix, first: Term, weight: Matrix, selfPenalty: number, r: Round): Matrix {
  const norms = rowNorms(weight, r)
  return matrix(gradient.rows, gradient.columns, (f, d) => {
    if (at(norms, 0, f) === 0) return at(gradient, f, d)
    let sum = 0
    for (let i = first.starts[f]!; i < first.starts[f + 1]!; i++) sum = r(sum + first.plane[first.slots[i]!]!)
    return r(at(gradient, f, d) + r(r(r(selfPenalty * sum) / at(norms, 0, f)) * at(weight, f, d)))
  })
}

/** G[f] −= (G[f]·w_f) w_f. */
export function project(gradient: Matrix, weight: Matrix, r: Round): Matrix {
  return matrix(gradient.rows, gradient.columns, (f, d) => r(at(gradient, f, d) - r(dot(gradient, f, weight, f, r) * at(weight, f, d))))
}

/** What the update of sparse_scatter is told. */
export interface Update extends Adam { rows: Moments, bias?: Moments, project: boolean, unit: boolean, selfPenalty: number }

/** The update epilogue: what rows, bias and norms are afterwards. */
export function scatterAdam(terms: readonly Term[], update: Update, r: Round): { rows: Moments, bias?: Moments, norms: Matrix } {
  const { weight } = update.rows
  const sums = scatterGradient(terms, weight.rows, weight.columns, r)
  let gradient = sums.gradient
  if (update.selfPenalty !== 0) gradient = addSelfPenalty(gradient, terms[0]!, weight, update.selfPenalty, r)
  if (update.project) gradient = project(gradient, weight, r)
  let rows = adamStep(update.rows, gradient, update, r)
  if (update.unit) rows = { ...rows, weight: scaleRows(rows.weight, 1, r) }
  return { rows, norms: rowNorms(rows.weight, r), ...(update.bias ? { bias: adamStep(update.bias, sums.bias, update, r) } : {}) }
}
