// The emulated multiply-add against integers of any size, and the orders against sums that only their order gives.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { canonicalChunkedDot, canonicalDot, canonicalSum, fused, separate } from './canonical.ts'
import { neighbour } from './reference.ts'
import { randomFloats } from './cases.ts'

/** A float32 as an integer count of 2⁻¹⁴⁹; products as counts of 2⁻²⁹⁸. */
const integer = (value: number): bigint => {
  let scaled = value, shift = 149n
  while (shift > 0n && Number.isInteger(scaled * 2) === false) { scaled *= 2; shift-- }
  while (!Number.isInteger(scaled)) { scaled *= 2; shift-- }
  return BigInt(scaled) * 2n ** shift
}

/** Float32 nearest to a·b + c, ties to even, found among the neighbours of a guess by exact integers. */
function exactFused(a: number, b: number, c: number): number {
  const truth = integer(a) * integer(b) + integer(c) * 2n ** 149n
  const distance = (value: number): bigint => {
    const d = integer(value) * 2n ** 149n - truth
    return d < 0n ? -d : d
  }
  const guess = Math.fround(a * b + c)
  const even = (value: number): boolean => new Uint32Array(Float32Array.of(value).buffer)[0]! % 2 === 0
  return [neighbour(guess, -1), guess, neighbour(guess, 1)].reduce((best, value) => {
    const difference = distance(value) - distance(best)
    return difference < 0n || difference === 0n && even(value) ? value : best
  })
}

test('fused rounds once', () => {
  const bases = randomFloats(1, 30_000, -1, 1)
  for (let i = 0; i + 2 < bases.length; i += 3) {
    const a = bases[i]!, b = bases[i + 1]!, c = Math.fround(bases[i + 2]! * 2 ** (i % 61 - 30))
    const value = fused(a, b, c)
    if (value !== exactFused(a, b, c)) assert.unreachable(`${a}·${b} + ${c}: ${value}, expected ${exactFused(a, b, c)}`)
  }
})

test('fused is right where rounding twice is wrong', () => {
  // a·b = 2⁻²⁴(1 − 2⁻⁴⁶): just under half a step of c, which float64 takes for the half itself, and goes to the even number.
  const a = 2 ** -24 * (1 + 2 ** -23), b = 1 - 2 ** -23, c = 1 + 2 ** -23
  assert.is(fused(a, b, c), c)
  assert.is.not(Math.fround(a * b + c), c)
  assert.is(fused(-a, b, -c), -c)
  const next = 1 + 2 ** -23
  for (const [x, y, z] of [[a, 1 + 2 ** -23, c], [a, b, 1], [-a, b, c], [next, 2 ** -40, 2 ** 13], [4097, 4097, 2 ** 48], [next, -next, 2 ** -30],
    [2 ** -100, 2 ** -49, 1], [-(2 ** -75), 2 ** -75, 2 ** -149], [2 ** -75, 2 ** -75, 2 ** -149], [3, 2 ** -149, -(2 ** -149)]] as const) {
    assert.is(fused(x, y, z), exactFused(x, y, z), `${x}·${y} + ${z}`)
  }
})

test('fused and separate of what is not finite, and of zeros', () => {
  for (const madd of [fused, separate]) {
    assert.ok(Number.isNaN(madd(Infinity, 0, 1)))
    assert.ok(Number.isNaN(madd(Infinity, 1, -Infinity)))
    assert.is(madd(1e30, 1e30, 0), Infinity)
    assert.is(madd(-1, 0, 0), 0)
    assert.is(madd(-0, 1, -0), -0)
  }
  assert.is(fused(1e30, 1e30, -Infinity), -Infinity)
  assert.is(fused(2 ** 127, 2, -(2 ** 127)), 2 ** 127)
  assert.is(separate(2 ** 127, 2, -(2 ** 127)), Infinity)
})

test('the orders: 16 partial sums, and chunks of 256', () => {
  const big = 2 ** 24
  // Lane 0 adds 2²⁴ + 1 + 1 in two steps and loses both; in lanes of their own the ones meet first.
  const dot = (values: number[]): number => canonicalDot(values.length, k => values[k] ?? 0, () => 1, fused)
  const at = (places: Record<number, number>, count: number): number[] => Array.from({ length: count }, (_, k) => places[k] ?? 0)
  assert.is(dot(at({ 0: big, 16: 1, 32: 1 }, 33)), big)
  assert.is(dot(at({ 0: big, 4: 1, 12: 1 }, 16)), big + 2)
  assert.is(dot(at({ 0: big, 8: 1, 12: 1 }, 16)), big)
  assert.is(dot([]), 0)
  const sum = (values: number[]): number => canonicalSum(values.length, k => values[k] ?? 0, () => 1, fused)
  assert.is(sum(at({ 0: big, 1: 1, 2: 1 }, 300)), big)
  assert.is(sum(at({ 0: big, 256: 1, 257: 1 }, 300)), big + 2)
  assert.is(canonicalChunkedDot(300, k => at({ 0: big, 256: 1, 260: 1 }, 300)[k]!, () => 1, fused), big + 2)
})

test.run()
