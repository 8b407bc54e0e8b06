// What the references compute with: float64 matrices, patterns, and one rounding. The same loops with `exact` are the
// truth, with `nearest` they are plain float32: so the error that float32 must make is measured, not guessed.

/** Row-major [rows, columns]. */
export interface Matrix { readonly rows: number, readonly columns: number, readonly data: Float64Array }

/** Row n of a pattern has the positions starts[n] ... starts[n+1] − 1 of index, also where K is fixed. */
export interface Pattern { readonly starts: readonly number[], readonly index: readonly number[] }

/** Applied to the result of every operation. */
export type Round = (value: number) => number

/** No rounding beyond float64's own. */
export const exact: Round = value => value

/** Float32, to nearest even. */
export const nearest: Round = Math.fround

/** A matrix from values or from a formula; rounds nothing. */
export function matrix(rows: number, columns: number, values: ArrayLike<number> | ((row: number, column: number) => number) = () => 0): Matrix {
  const data = new Float64Array(rows * columns)
  for (let i = 0; i < data.length; i++) {
    data[i] = typeof values === 'function' ? values(Math.floor(i / columns), i % columns) : values[i]!
  }
  return { rows, columns, data }
}

/** Element [row, column]. */
export const at = (m: Matrix, row: number, column: number): number => m.data[row * m.columns + column]!

/** [C, R] of [R, C]. */
export const transposed = (m: Matrix): Matrix => matrix(m.columns, m.rows, (row, column) => at(m, column, row))

/** A matrix from nested lists, or a row vector from a flat one. */
export function from(values: readonly number[] | readonly (readonly number[])[]): Matrix {
  const rows = (Array.isArray(values[0]) ? values : [values]) as number[][]
  return matrix(rows.length, rows[0]!.length, rows.flat())
}

/** The pattern of [N, K] indices. */
export function fixedPattern(rows: number, k: number, index: ArrayLike<number>): Pattern {
  return { starts: Array.from({ length: rows + 1 }, (_, n) => n * k), index: Array.from(index) }
}

/** How many rows a pattern has. */
export const rowsOf = (codes: Pattern): number => codes.starts.length - 1

/** Σ a[i, k]·b[j, k], k ascending. */
export function dot(a: Matrix, i: number, b: Matrix, j: number, r: Round): number {
  let sum = 0
  for (let k = 0; k < a.columns; k++) sum = r(sum + r(at(a, i, k) * at(b, j, k)))
  return sum
}

/** Larger neighbour of a float32 for step 1, smaller for −1. */
export function neighbour(value: number, step: 1 | -1): number {
  if (value === 0) return step * 2 ** -149
  words.setFloat32(0, value)
  words.setInt32(0, words.getInt32(0) + (value > 0 === step > 0 ? 1 : -1))
  return words.getFloat32(0)
}
const words = new DataView(new ArrayBuffer(4))

/** Float32 with each inexact result rounded up or down by a seeded coin: shows the errors that luck hides from `nearest`. */
export function coin(seed: number): Round {
  let state = seed | 1
  return value => {
    const rounded = Math.fround(value)
    if (rounded === value || !Number.isFinite(rounded)) return rounded
    state = Math.imul(state, 1664525) + 1013904223 | 0
    return state < 0 ? rounded : neighbour(rounded, rounded < value ? 1 : -1)
  }
}
