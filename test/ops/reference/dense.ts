// The slow truth of the entries that models are composed of.
import { at, dot, matrix } from './arithmetic.ts'
import type { Matrix, Round } from './arithmetic.ts'

/** The name of an activation as matmul takes it. */
export type Activation = 'linear' | 'relu' | 'geluTanh' | 'geluErf'

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

/** The activation of one value. NaN stays NaN. GELU of −∞ is the limit: 0. */
export function activate(kind: Activation, x: number, r: Round): number {
  if (kind === 'linear') return x
  if (kind === 'relu') return Math.max(x, 0)
  if (x === -Infinity) return 0
  if (kind === 'geluErf') return r(r(0.5 * x) * r(1 + r(1 - erfc(r(x * r(Math.SQRT1_2))))))
  // ½(1 + tanh(u)) = 1/(1 + e⁻²ᵘ), which loses nothing where tanh is near −1.
  const u = r(r(Math.sqrt(2 / Math.PI)) * r(x + r(r(0.044715) * r(r(x * x) * x))))
  return r(x / r(1 + r(Math.exp(r(-2 * u)))))
}

/** What matmul is told. `old` is there where it accumulates. */
export interface Matmul { contract: 'columns' | 'rows', activation: Activation, a: Matrix, b: Matrix, bias?: Matrix, old?: Matrix }

/** c[m, n] = act(Σ + bias[n]) + old[m, n]; Σ over columns k of a [M, K], b [N, K], or over rows k of a [K, M], b [K, N]. */
export function matmul({ contract, activation, a, b, bias, old }: Matmul, r: Round): Matrix {
  const across = (m: Matrix): Matrix => contract === 'columns' ? m : matrix(m.columns, m.rows, (i, k) => at(m, k, i))
  const left = across(a), right = across(b)
  return matrix(left.rows, right.rows, (m, n) => {
    const sum = dot(left, m, right, n, r)
    const value = activate(activation, bias ? r(sum + at(bias, 0, n)) : sum, r)
    return old ? r(value + at(old, m, n)) : value
  })
}

/** out[n] = table[ids[n]] + positions[places[n]]. */
export function embedRows(
  { ids, table, places, positions }: { ids: ArrayLike<number>, table: Matrix, places?: ArrayLike<number>, positions?: Matrix }, r: Round
): Matrix {
  return matrix(ids.length, table.columns, (n, d) => {
    const word = at(table, ids[n]!, d)
    return positions && places ? r(word + at(positions, places[n]!, d)) : word
  })
}

/** Layer norm: normalised [N, D] and out = normalised·gain + bias. */
export function norm(
  { x, gain, bias, epsilon }: { x: Matrix, gain: Matrix, bias?: Matrix, epsilon: number }, r: Round
): { normalised: Matrix, out: Matrix } {
  const normalised = matrix(x.rows, x.columns)
  for (let n = 0; n < x.rows; n++) {
    let mean = 0, variance = 0
    for (let d = 0; d < x.columns; d++) mean = r(mean + at(x, n, d))
    mean = r(mean / x.columns)
    for (let d = 0; d < x.columns; d++) variance = r(variance + r(r(at(x, n, d) - mean) ** 2))
    variance = r(variance / x.columns)
    const scale = r(1 / r(Math.sqrt(r(variance + epsilon))))
    for (let d = 0; d < x.columns; d++) normalised.data[n * x.columns + d] = r(r(at(x, n, d) - mean) * scale)
  }
  return {
    normalised,
    out: matrix(x.rows, x.columns, (n, d) => r(r(at(normalised, n, d) * at(gain, 0, d)) + (bias ? at(bias, 0, d) : 0))),
  }
}

/** What attend is told; q, k, v [N, H·width]. */
export interface Attend { q: Matrix, k: Matrix, v: Matrix, heads: number, scale: number, starts: readonly number[] }

/** Causal attention of packed sequences. */
export function attend({ q, k, v, heads, scale, starts }: Attend, r: Round): Matrix {
  const width = q.columns / heads
  const out = matrix(q.rows, q.columns)
  for (let b = 0; b + 1 < starts.length; b++) {
    for (let i = starts[b]!; i < starts[b + 1]!; i++) {
      for (let h = 0; h < heads; h++) {
        const scores: number[] = []
        for (let j = starts[b]!; j <= i; j++) {
          let sum = 0
          for (let c = h * width; c < (h + 1) * width; c++) sum = r(sum + r(at(q, i, c) * at(k, j, c)))
          scores.push(r(scale * sum))
        }
        const top = Math.max(...scores)
        const powers = scores.map(s => r(Math.exp(r(s - top))))
        let total = 0
        for (const power of powers) total = r(total + power)
        for (let c = h * width; c < (h + 1) * width; c++) {
          let sum = 0
          powers.forEach((power, j) => { sum = r(sum + r(power * at(v, starts[b]! + j, c))) })
          out.data[i * q.columns + c] = r(sum / total)
        }
      }
    }
  }
  return out
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
