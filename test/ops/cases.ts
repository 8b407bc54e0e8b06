// Inputs made to hurt: widths beside every vector width, ties, zeros, NaN, infinities, tiny and huge rows. Seeds are fixed.
import { matrix } from './reference.ts'
import type { Matrix } from './reference.ts'

/** Printed by tests that fail: all random numbers of these tests begin here. */
export const SEED = 20_240_607

/** Uniform float32 numbers in [low, high), the same for a seed everywhere (xorshift32 over 24 bits). */
export function randomFloats(seed: number, count: number, low = -1, high = 1): Float32Array {
  let state = (seed + SEED) * 2654435761 >>> 0 || 1
  return Float32Array.from({ length: count }, () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return low + (high - low) * ((state >>> 8) * 2 ** -24)
  })
}

/** Random integers from 0 to below − 1. */
export const randomIntegers = (seed: number, count: number, below: number): number[] =>
  Array.from(randomFloats(seed, count, 0, 1), u => Math.min(Math.floor(u * below), below - 1))

/** A random float32 matrix. */
export const random = (seed: number, rows: number, columns: number, low = -1, high = 1): Matrix =>
  matrix(rows, columns, randomFloats(seed, rows * columns, low, high))

/** Values of few bits, so that many sums are exact and many of them tie. */
export const coarse = (seed: number, rows: number, columns: number): Matrix =>
  matrix(rows, columns, randomFloats(seed, rows * columns, -2, 2).map(value => Math.round(value * 2) / 2))

/** Shapes [N, D, F] of a coder: one and none of each, primes, beside 16 and 32, one full tile and one more. */
export const CODER_SHAPES: readonly (readonly [rows: number, width: number, features: number])[] = [
  [1, 1, 1], [0, 5, 4], [1, 16, 33], [3, 7, 31], [7, 31, 3], [33, 3, 67], [5, 17, 257], [31, 64, 129], [2, 127, 40], [66, 33, 97],
]

/** The Ks of F features that matter: one, all of them, and between. */
export const ks = (features: number): number[] => [...new Set([1, Math.min(3, features), Math.min(31, features), features])]

/** A codes pattern with K different features a row, none twice, in no order. */
export function randomPattern(seed: number, rows: number, k: number, features: number): { starts: number[], index: number[] } {
  const draws = randomFloats(seed, rows * features, 0, 1)
  const index = Array.from({ length: rows }, (_, n) =>
    Array.from({ length: features }, (_, f) => f).sort((f, g) => draws[n * features + f]! - draws[n * features + g]!).slice(0, k)).flat()
  return { starts: Array.from({ length: rows + 1 }, (_, n) => n * k), index }
}

/** A pattern whose rows have from 0 to `most` features, ascending. The first row is empty. */
export function raggedPattern(seed: number, rows: number, most: number, features: number): { starts: number[], index: number[] } {
  const starts = [0], index: number[] = []
  const lengths = randomIntegers(seed, rows, Math.min(most, features) + 1)
  for (let n = 0; n < rows; n++) {
    const row = randomPattern(seed + n, 1, n === 0 ? 0 : lengths[n]!, features).index
    index.push(...row.sort((a, b) => a - b))
    starts.push(index.length)
  }
  return { starts, index }
}

/** A plane over `count` positions with an explicit zero in every fifth. */
export const planeWithZeros = (seed: number, count: number): Float32Array =>
  randomFloats(seed, count, -1, 2).map((value, i) => i % 5 === 4 ? 0 : value)

/** Rows to screen and select from: each is a trap of its own. Returns [N, D] with N as given and the traps cycling. */
export function hostileRows(seed: number, rows: number, width: number): Matrix {
  const base = random(seed, rows, width)
  const traps: ((value: number, n: number, d: number) => number)[] = [
    value => value,
    (value, _, d) => d === 0 ? 1e4 : value, // one huge dimension
    () => 0.5, // all equal
    value => Math.fround(value * 1e-30), // products below the smallest normal number
    value => Math.fround(value * 2 ** -140), // subnormal
    () => 0,
    (value, _, d) => d === width - 1 ? NaN : value,
    (value, _, d) => d === width >> 1 ? Infinity : value,
    (value, _, d) => d === 0 ? -Infinity : value,
    value => Math.round(value), // many ties
    value => Math.fround(value * 1e30), // squares overflow
    (value, _, d) => d % 2 ? Math.fround(-1e38 * value) : Math.fround(3e38 * value), // sums overflow
  ]
  return matrix(rows, width, (n, d) => traps[n % traps.length]!(base.data[n * width + d]!, n, d))
}
