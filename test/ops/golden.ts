// Known answers of sparse coders: float64, rounded to 9 decimals, made by golden/sparse_coders.py with plain numpy.
import { readFileSync } from 'node:fs'
import { from, matrix } from './reference.ts'
import type { Matrix } from './reference.ts'

type Value = number | number[] | number[][]
const parsed = JSON.parse(readFileSync('test/golden/sparse-coders.json', 'utf8')) as
  { inputs: Record<string, number[] | number[][]>, cases: Record<string, Record<string, Value>> }

const NAMES = ['x', 'y', 'W_enc', 'b_enc', 'W_dec', 'b_dec', 'W_skip'] as const

/** x, y [3, 3], W_enc, W_dec [6, 3], b_enc, b_dec, W_skip [3, 3]: N = D = O = 3, F = 6, K = 2. */
export const inputs = Object.fromEntries(NAMES.map(name => [name, from(parsed.inputs[name]!)])) as Record<typeof NAMES[number], Matrix>

/** A value of a case, flat. */
export function answer(name: string, key: string): number[] {
  const value = parsed.cases[name]?.[key]
  if (value === undefined) throw new Error(`no known answer ${name}.${key}`)
  return [value].flat(2)
}

/** Throws unless actual is within `allowed` of the known answer. */
export function known(name: string, key: string, actual: ArrayLike<number>, allowed: number): void {
  const wanted = answer(name, key)
  const off = wanted.map((value, i) => Math.abs(value - actual[i]!))
  if (actual.length !== wanted.length || !off.every(distance => distance <= allowed)) {
    throw new Error(`${name}.${key}: got ${Array.from(actual).join(' ')}, known ${wanted.join(' ')}`)
  }
}

/** Codes and their plane as rows × features: known answers are written that way. */
export function spread(codes: { starts: readonly number[], index: ArrayLike<number> }, plane: ArrayLike<number>, features: number): Matrix {
  const dense = matrix(codes.starts.length - 1, features)
  for (let n = 0; n < dense.rows; n++) {
    for (let i = codes.starts[n]!; i < codes.starts[n + 1]!; i++) dense.data[n * features + codes.index[i]!] = plane[i]!
  }
  return dense
}
