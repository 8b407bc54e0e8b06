// The canonical order of op_table.h, step by step in emulated float32, so that tests can ask for equal bits.
import { at, matrix } from './reference.ts'
import type { Matrix } from './reference.ts'

const CHUNK = 256
const LANES = 16

/** a·b + c of float32 numbers, and what a class of machines makes of it. */
export type MultiplyAdd = (a: number, b: number, c: number) => number

/** The k-th number of a contraction. */
export type Element = (k: number) => number

const word = new Float64Array(1)
const halves = new Uint32Array(word.buffer) // low half first, as on every machine that this library runs on

/**
 * One rounding: a·b + c to the nearest float32. The product is exact in float64 (24 + 24 bits). Its sum with c may not be, and
 * rounding twice can give the wrong neighbour. So the first rounding is to odd: TwoSum yields what was lost, and where
 * something was lost and the last bit is even, the odd neighbour on the lost side stands for it. 53 >= 24 + 2 bits: safe.
 */
export const fused: MultiplyAdd = (a, b, c) => {
  const product = a * b
  const sum = product + c
  const part = sum - product
  const lost = (product - (sum - part)) + (c - part)
  if (lost === 0 || !Number.isFinite(sum)) return Math.fround(sum)
  word[0] = sum
  if (halves[0]! % 2 === 0) {
    if (lost > 0 === sum > 0) halves[0]! += 1
    else {
      if (halves[0] === 0) halves[1]! -= 1
      halves[0]! -= 1
    }
  }
  return Math.fround(word[0]!)
}

/** Two roundings: the product, then the sum. (Float32 sums by way of float64 round right.) */
export const separate: MultiplyAdd = (a, b, c) => Math.fround(Math.fround(a * b) + c)

/** The classes of bits that can be emulated; a GPU's is its own. */
export const CLASSES: Readonly<Record<string, MultiplyAdd>> = { fma: fused, baseline: separate }

/** Contraction over columns: 16 partial sums by multiply-add, folded 8-4-2-1. a(k) and b(k) are the k-th pair. */
export function canonicalDot(count: number, a: Element, b: Element, madd: MultiplyAdd): number {
  const s = new Float64Array(LANES)
  for (let k = 0; k < count; k++) s[k % LANES] = madd(a(k), b(k), s[k % LANES]!)
  // Columns beyond the last count as zeros: a partial sum of −0 becomes +0 by one more product of zeros.
  for (let j = count % LANES; j > 0 && j < LANES; j++) s[j] = madd(0, 0, s[j]!)
  for (let width = LANES / 2; width >= 1; width /= 2) {
    for (let j = 0; j < width; j++) s[j] = Math.fround(s[j]! + s[j + width]!)
  }
  return s[0]!
}

/** dot(a[i], b[j]). */
export const rowDot = (a: Matrix, i: number, b: Matrix, j: number, madd: MultiplyAdd): number =>
  canonicalDot(a.columns, k => at(a, i, k), k => at(b, j, k), madd)

/** Contraction over rows: chains within chunks of 256, the chunks' results added in order, from the first. */
export function canonicalSum(count: number, a: Element, b: Element, madd: MultiplyAdd): number {
  let total = 0
  for (let first = 0; first < count; first += CHUNK) {
    let chain = 0
    for (let k = first; k < Math.min(first + CHUNK, count); k++) chain = madd(a(k), b(k), chain)
    total = first === 0 ? chain : Math.fround(total + chain)
  }
  return total
}

/** The product over rows of a matmul: each chunk of 256 is a dot, the chunks' results are added in order. */
export function canonicalChunkedDot(count: number, a: Element, b: Element, madd: MultiplyAdd): number {
  let total = 0
  for (let first = 0; first < count; first += CHUNK) {
    const dot = canonicalDot(Math.min(CHUNK, count - first), k => a(first + k), k => b(first + k), madd)
    total = first === 0 ? dot : Math.fround(total + dot)
  }
  return total
}

/** a + b in float32. */
export const add = (a: number, b: number): number => Math.fround(a + b)

/** p[n, f] = dot(x[n], weight[f]) + bias[f]. */
export const canonicalPre = (x: Matrix, weight: Matrix, bias: Matrix | undefined, madd: MultiplyAdd): Matrix =>
  matrix(x.rows, weight.rows, (n, f) => bias ? add(rowDot(x, n, weight, f, madd), at(bias, 0, f)) : rowDot(x, n, weight, f, madd))
