// The slow truth of the norms.
import { at, matrix } from './arithmetic.ts'
import type { Matrix, Round } from './arithmetic.ts'

export type NormKind = 'layer' | 'rms'

/** What norm is told; x [N, groups·W], gain and bias [1, W]. */
export interface Norm { kind: NormKind, groups: number, x: Matrix, gain?: Matrix, bias?: Matrix, epsilon: number }

/** Σ of the columns first ... first + width − 1 of a row, each through `each`. */
function sum(x: Matrix, n: number, first: number, width: number, r: Round, each: (value: number) => number): number {
  let total = 0
  for (let d = first; d < first + width; d++) total = r(total + each(at(x, n, d)))
  return total
}

/** Layer norm or RMS norm: normalised and out as x, inverse [N, groups]. */
export function norm({ kind, groups, x, gain, bias, epsilon }: Norm, r: Round): { normalised: Matrix, inverse: Matrix, out: Matrix } {
  const width = x.columns / groups, shifts = kind === 'layer'
  const mean = matrix(x.rows, groups, (n, g) => shifts ? r(sum(x, n, g * width, width, r, value => value) / width) : 0)
  const inverse = matrix(x.rows, groups, (n, g) => {
    const squares = sum(x, n, g * width, width, r, value => r(r(value - at(mean, n, g)) ** 2))
    return r(1 / r(Math.sqrt(r(r(squares / width) + epsilon))))
  })
  const normalised = matrix(x.rows, x.columns, (n, d) => {
    const g = Math.floor(d / width)
    return r(r(at(x, n, d) - at(mean, n, g)) * at(inverse, n, g))
  })
  const out = matrix(x.rows, x.columns, (n, d) => {
    const scaled = gain ? r(at(normalised, n, d) * at(gain, 0, d % width)) : at(normalised, n, d)
    return bias ? r(scaled + at(bias, 0, d % width)) : scaled
  })
  return { normalised, inverse, out }
}

/** What norm_frozen is told; inverse [P, groups], row r of x takes row r mod P. `old` is there where it accumulates. */
export interface NormFrozen { kind: NormKind, groups: number, x: Matrix, gain?: Matrix, inverse: Matrix, transpose: boolean, old?: Matrix }

/** The linear map that a norm with a kept inverse is, or its transpose. */
export function normFrozen({ kind, groups, x, gain, inverse, transpose, old }: NormFrozen, r: Round): Matrix {
  const width = x.columns / groups
  const scaled = (m: Matrix): Matrix => gain ? matrix(m.rows, m.columns, (n, d) => r(at(m, n, d) * at(gain, 0, d % width))) : m
  const t = transpose ? scaled(x) : x
  const mean = matrix(x.rows, groups, (n, g) => kind === 'layer' ? r(sum(t, n, g * width, width, r, value => value) / width) : 0)
  const y = matrix(x.rows, x.columns, (n, d) => {
    const g = Math.floor(d / width)
    return r(r(at(t, n, d) - at(mean, n, g)) * at(inverse, n % inverse.rows, g))
  })
  const out = transpose ? y : scaled(y)
  return old ? matrix(x.rows, x.columns, (n, d) => r(at(out, n, d) + at(old, n, d))) : out
}
