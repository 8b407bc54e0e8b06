// The slow truth of the dense parts of training: the loss, row moments and sums of rows.
import { at, dot, matrix } from './arithmetic.ts'
import type { Matrix, Round } from './arithmetic.ts'

/** What recon_loss is told. `variance` is V of an earlier call. */
export interface Loss { loss: 'fvu' | 'sumMse', weight: number, y: Matrix, yHat: Matrix, variance?: number }

/** Σ (y − ȳ)² with ȳ the mean over rows. */
export function variance(y: Matrix, r: Round): number {
  let sum = 0
  for (let o = 0; o < y.columns; o++) {
    let mean = 0
    for (let n = 0; n < y.rows; n++) mean = r(mean + at(y, n, o))
    mean = r(mean / y.rows)
    for (let n = 0; n < y.rows; n++) sum = r(sum + r(r(at(y, n, o) - mean) ** 2))
  }
  return sum
}

/** stats = {loss, S, V, N} and dy [N, O]. */
export function reconLoss({ loss, weight, y, yHat, variance: given }: Loss, r: Round): { stats: number[], dy: Matrix } {
  const e = matrix(y.rows, y.columns, (n, o) => r(at(yHat, n, o) - at(y, n, o)))
  let s = 0
  for (const value of e.data) s = r(s + r(value * value))
  const v = given ?? variance(y, r)
  const divisor = loss === 'fvu' ? v : y.rows
  return {
    stats: [r(r(weight * s) / divisor), s, v, y.rows, 0, 0, 0, 0],
    dy: matrix(y.rows, y.columns, (n, o) => r(r(r(weight * 2) * at(e, n, o)) / divisor)),
  }
}

/** {a·a, a·b, b·b, |a − b|²} of each row. */
export function rowMoments(a: Matrix, b: Matrix, r: Round): Matrix {
  const difference = matrix(a.rows, a.columns, (n, d) => r(at(a, n, d) - at(b, n, d)))
  const pairs = [[a, a], [a, b], [b, b], [difference, difference]] as const
  return matrix(a.rows, 4, (n, i) => dot(pairs[i]![0], n, pairs[i]![1], n, r))
}

/** alpha·x + beta·y; one row serves for all, an absent y counts as 0. */
export function axpy({ alpha, x, beta, y, rows }: { alpha: number, x: Matrix, beta: number, y?: Matrix, rows: number }, r: Round): Matrix {
  const element = (m: Matrix, n: number, d: number): number => at(m, m.rows === 1 ? 0 : n, d)
  return matrix(rows, x.columns, (n, d) => r(r(alpha * element(x, n, d)) + (y ? r(beta * element(y, n, d)) : 0)))
}

/** scale · Σ_n x[n, c]. */
export function reduceRows(x: Matrix, scale: number, r: Round): Matrix {
  return matrix(1, x.columns, (_, c) => {
    let sum = 0
    for (let n = 0; n < x.rows; n++) sum = r(sum + at(x, n, c))
    return r(scale * sum)
  })
}

/** out[i] = source[index[i]]. */
export function gatherRows(source: Matrix, index: ArrayLike<number>): Matrix {
  return matrix(index.length, source.columns, (i, d) => at(source, index[i]!, d))
}
