// How far a float32 result may be from the truth: at most twice as far as plain float32 loops are, plus one ulp.
//
// Plain float32 is the reference itself with every operation rounded. Rounded to nearest it is right by luck now and then
// (a product that is representable, a sum that cancels), and a bound of twice nothing would blame another order of the same
// sum. So it runs six times: once to nearest, five times with each inexact operation rounded up or down by a seeded coin,
// and the largest of the errors counts. Elements of one kind and one scale, a row or a whole result, share their largest.
import { coin, exact, nearest, neighbour } from './reference.ts'
import type { Round } from './reference.ts'

/** What plain float32 gives, and how far from the truth a result may be. */
export interface Expected { readonly truth: Float64Array, readonly plain: Float64Array, readonly allowed: Float64Array }

/** Evaluates a reference with several flat results, exactly and in plain float32. widths[i]: elements that share an error. */
export function expectedAll(reference: (r: Round) => readonly ArrayLike<number>[], widths: readonly (number | undefined)[] = []): Expected[] {
  const runs = [nearest, ...[1, 2, 3, 4, 5].map(coin)].map(reference)
  return reference(exact).map((result, part) => {
    const truth = Float64Array.from(result), width = widths[part] ?? truth.length
    const plain = runs.map(run => Float64Array.from(run[part]!))
    const error = truth.map((value, i) => Math.max(...plain.map(values => Math.abs(values[i]! - value) || 0)))
    const allowed = new Float64Array(truth.length)
    for (let first = 0; first < truth.length; first += width) {
      const shared = error.subarray(first, first + width).reduce((most, e) => Number.isFinite(e) ? Math.max(most, e) : most, 0)
      for (let i = first; i < first + width; i++) allowed[i] = 2 * shared + ulp(truth[i]!)
    }
    return { truth, plain: plain[0]!, allowed }
  })
}

/** The same for one result; where no width is given all of it is of one scale. */
export const expected = (reference: (r: Round) => ArrayLike<number>, width?: number): Expected => expectedAll(r => [reference(r)], [width])[0]!

/** The distance from a number to the next float32. */
export function ulp(value: number): number {
  const a = Math.abs(Math.fround(value))
  return Number.isFinite(a) ? neighbour(a, 1) - a : 0
}

/**
 * Throws with the first element that is further off than allowed. Where float32 overflows on its way to a finite truth, the
 * result may be not finite, or as near to the truth as another order of the sum comes.
 */
export function close(what: string, actual: ArrayLike<number>, { truth, plain, allowed }: Expected): void {
  if (actual.length !== truth.length) throw new Error(`${what}: ${actual.length} elements, expected ${truth.length}`)
  for (let i = 0; i < truth.length; i++) {
    const value = actual[i]!, wanted = truth[i]!
    const overflows = Number.isFinite(wanted) && !Number.isFinite(plain[i]!)
    const good = overflows ? !Number.isFinite(value) || Math.abs(value - wanted) <= 2 ** -20 * Math.abs(wanted)
      : Number.isFinite(wanted) ? Math.abs(value - wanted) <= allowed[i]! : Object.is(value, wanted)
    if (!good) throw new Error(`${what}: element ${i} is ${value}, expected ${wanted} within ${allowed[i]} (plain float32: ${plain[i]})`)
  }
}

/** Throws with the first element whose float32 bits differ; all NaN are the same NaN. */
export function sameBits(what: string, actual: ArrayLike<number | bigint>, wanted: ArrayLike<number | bigint>): void {
  if (actual.length !== wanted.length) throw new Error(`${what}: ${actual.length} elements, expected ${wanted.length}`)
  for (let i = 0; i < wanted.length; i++) {
    if (!Object.is(actual[i], wanted[i])) throw new Error(`${what}: element ${i} is ${actual[i]}, expected ${wanted[i]} to the bit`)
  }
}
