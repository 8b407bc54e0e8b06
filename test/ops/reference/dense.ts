// The slow truth of the entries that models are composed of.
import { at, dot, matrix, transposed } from './arithmetic.ts'
import type { Matrix, Round } from './arithmetic.ts'
import { stored } from './storage.ts'

/** The name of an activation as matmul takes it. */
export type Activation = 'linear' | 'relu' | 'geluTanh' | 'geluErf' | 'silu' | 'quickGelu'

/** 1 − erf(x): by the Taylor series of erf below 2, by a continued fraction beyond; 1e-13 of the result. */
export function erfc(x: number): number {
  if (x < 0) return 2 - erfc(-x)
  if (x < 2) {
    let term = x, sum = x
    for (let n = 1; n < 60; n++) {
      term *= -x * x / n
      sum += term / (2 * n + 1)
    }
    return 1 - 2 / Math.sqrt(Math.PI) * sum
  }
  let fraction = x
  for (let n = 120; n > 0; n--) fraction = x + n / 2 / fraction
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / fraction
}

/** The activation of one value. NaN stays NaN. At −∞ all but linear tend to 0. */
export function activate(kind: Activation, x: number, r: Round): number {
  if (kind === 'linear') return x
  if (kind === 'relu') return Math.max(x, 0)
  if (x === -Infinity) return 0
  if (kind === 'geluErf') return r(r(0.5 * x) * r(1 + r(1 - erfc(r(x * r(Math.SQRT1_2))))))
  const logistic = (u: number): number => r(x / r(1 + r(Math.exp(u))))
  if (kind === 'silu') return logistic(-x)
  if (kind === 'quickGelu') return logistic(r(r(-1.702) * x))
  // ½(1 + tanh(u)) = 1/(1 + e⁻²ᵘ), which loses nothing where tanh is near −1.
  const u = r(r(Math.sqrt(2 / Math.PI)) * r(x + r(r(0.044715) * r(r(x * x) * x))))
  return logistic(r(-2 * u))
}

/** What matmul is told. `old` is there where it accumulates; `scales` where b holds integers, one a row of b. */
export interface Matmul {
  contract: 'columns' | 'rows' | 'across', activation: Activation, a: Matrix, b: Matrix, scales?: Matrix | undefined, bias?: Matrix | undefined,
  cap?: number, rounded?: boolean, old?: Matrix | undefined
}

/**
 * c[m, n] = cap(act(Σ + bias[n])) + old[m, n]. Σ over columns k of a [M, K], b [N, K] ("columns"), over columns of a [M, K] and
 * rows of b [K, N] ("across"), or over rows k of a [K, M], b [K, N] ("rows").
 */
export function matmul({ contract, activation, a, b, scales, bias, cap = 0, rounded = false, old }: Matmul, r: Round): Matrix {
  const left = contract === 'rows' ? transposed(a) : rounded ? stored(a, 'bf16') : a
  const right = contract === 'columns' ? b : matrix(b.columns, b.rows, (n, k) => scales ? r(at(scales, 0, k) * at(b, k, n)) : at(b, k, n))
  return matrix(left.rows, right.rows, (m, n) => {
    let value = dot(left, m, right, n, r)
    if (scales && contract === 'columns') value = r(value * at(scales, 0, n))
    value = activate(activation, bias ? r(value + at(bias, 0, n)) : value, r)
    if (cap > 0) value = r(cap * r(Math.tanh(r(value / cap))))
    return old ? r(value + at(old, m, n)) : value
  })
}

/** A target that carries no loss. */
export const NO_TARGET = 0xFFFFFFFF

/** log Σ e^values, about the largest; and the log-probabilities. */
function logProbabilities(m: Matrix, n: number, r: Round): { log: number, top: number, p: number[] } {
  const row = Array.from({ length: m.columns }, (_, v) => at(m, n, v))
  const top = Math.max(...row)
  let sum = 0
  for (const value of row) sum = r(sum + r(Math.exp(r(value - top))))
  const log = r(Math.log(sum))
  return { log, top, p: row.map(value => r(r(value - top) - log)) }
}

/** Next-token loss of each row, and KL(reference ‖ logits); 0 in rows without a target. */
export function tokenLoss(
  { logits, targets, reference }: { logits: Matrix, targets: ArrayLike<number>, reference?: Matrix }, r: Round
): { loss: number[], kl: number[] } {
  const loss: number[] = [], kl: number[] = []
  for (let n = 0; n < logits.rows; n++) {
    const target = targets[n]!
    if (target === NO_TARGET) { loss.push(0); kl.push(0); continue }
    const own = logProbabilities(logits, n, r)
    loss.push(r(own.log + r(own.top - at(logits, n, target))))
    let sum = 0
    if (reference) {
      const theirs = logProbabilities(reference, n, r)
      theirs.p.forEach((log, v) => { sum = r(sum + r(r(Math.exp(log)) * r(log - own.p[v]!))) })
    }
    kl.push(sum)
  }
  return { loss, kl }
}
