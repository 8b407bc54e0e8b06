// One product on a device against its truth and, where the order of its sums is given, to the bit.
import { matmul } from '../../lib/tensor/ops.ts'
import type { Bench } from './backend.ts'
import { add, canonicalChunkedDot, rowDot } from './canonical.ts'
import type { MultiplyAdd } from './canonical.ts'
import { random, randomIntegers } from './cases.ts'
import { at, matmul as truth, matrix, stored, transposed } from './reference.ts'
import type { Matmul, Matrix } from './reference.ts'
import { close, expected, sameBits } from './tolerance.ts'

export type Floats = 'f32' | 'bf16' | 'f16'
export type Contract = Matmul['contract']
/** How a and b are stored. Integers and their scales are always i8 and f32. */
export type Stored = readonly [Floats, Floats]

/** Shapes [M, K, N] beside every tile, and past one chunk of a sum. */
export const SHAPES = [
  [1, 1, 1], [0, 5, 3], [3, 7, 31], [7, 31, 3], [33, 16, 33], [5, 33, 129], [67, 17, 67], [2, 257, 9], [9, 600, 5], [31, 128, 65],
  [130, 5, 131], [3, 1030, 5], [9, 2500, 7], [1, 0, 3], [8, 40, 49], [65, 33, 50],
] as const

/** [M, K] and [K, N] in the orders that a contraction wants. */
export function sides(contract: Contract, [m, k, n]: readonly [number, number, number], seed = 1): { contract: Contract, a: Matrix, b: Matrix } {
  const a = random(seed, m, k), b = random(seed + 1, n, k)
  return { contract, a: contract === 'rows' ? transposed(a) : a, b: contract === 'columns' ? b : transposed(b) }
}

/** The same with a b of integers from −127 to 127 and scales, one a row of it. */
export function integers(
  contract: 'columns' | 'across', shape: readonly [number, number, number],
): { contract: Contract, a: Matrix, b: Matrix, scales: Matrix } {
  const { a, b } = sides(contract, shape)
  const codes = randomIntegers(4, b.data.length, 255).map(code => code - 127)
  return { contract, a, b: matrix(b.rows, b.columns, codes), scales: random(5, 1, b.rows, 0.001, 0.02) }
}

const size = (c: Matmul): [rows: number, columns: number] =>
  [c.contract === 'rows' ? c.a.columns : c.a.rows, c.contract === 'columns' ? c.b.rows : c.b.columns]

/** What the device makes of it. */
export async function product(b: Bench, c: Matmul, [left, right]: Stored = ['f32', 'f32']): Promise<Float64Array> {
  const out = c.old ? b.up(c.old) : b.room(...size(c))
  matmul({
    contract: c.contract, activation: c.activation, accumulate: c.old !== undefined, cap: c.cap, arithmetic: c.rounded ? 'rounded' : 'exact',
    a: b.up(c.a, left), b: b.up(c.b, c.scales ? 'i8' : right), bScales: c.scales && b.up(c.scales), bias: c.bias && b.up(c.bias), c: out,
  })
  return b.down(out)
}

/** Whether a rounded product has the canonical order here: where no instruction multiplies pairs of bf16. */
const isCanonical = (b: Bench, c: Matmul): boolean => !c.rounded || b.device.code !== 'avx512vnni'

/** The product in the canonical order, before any activation. */
function canonical(c: Matmul, madd: MultiplyAdd): Matrix {
  const a = c.rounded ? stored(c.a, 'bf16') : c.a
  const across = (k: number, n: number): number => c.scales ? Math.fround(at(c.scales, 0, k) * at(c.b, k, n)) : at(c.b, k, n)
  const right = c.contract === 'across' ? matrix(c.b.columns, c.b.rows, (n, k) => across(k, n)) : c.b
  return matrix(...size(c), (m, n) => {
    let sum = c.contract === 'rows' ? canonicalChunkedDot(a.rows, k => at(a, k, m), k => at(c.b, k, n), madd) : rowDot(a, m, right, n, madd)
    if (c.scales && c.contract === 'columns') sum = Math.fround(sum * at(c.scales, 0, n))
    if (c.bias) sum = add(sum, at(c.bias, 0, n))
    return c.old ? add(sum, at(c.old, m, n)) : sum
  })
}

/** Throws where a product is further from its truth than it may be, differs from run to run, or from the canonical bits. */
export async function check(b: Bench, what: string, given: Matmul, storage: Stored = ['f32', 'f32']): Promise<void> {
  const actual = await product(b, given, storage)
  const c = { ...given, a: stored(given.a, storage[0]), b: given.scales ? given.b : stored(given.b, storage[1]) }
  // Products of bf16 are exact in float32, so a short row can be right by luck in one order: there the whole result shares its error.
  close(what, actual, expected(r => truth(c, r).data, c.rounded ? undefined : size(c)[1]))
  sameBits(`${what}, again`, await product(b, given, storage), actual)
  if (b.madd && c.activation === 'linear' && !c.cap && isCanonical(b, c)) sameBits(what, actual, canonical(c, b.madd).data)
}
