// bf16 and f16 as numbers and as 16 bits, by the definition of the formats.
import { matrix } from './arithmetic.ts'
import type { Matrix } from './arithmetic.ts'

/** A binary format: fraction bits and the exponent of its smallest normal number; 8 or 5 exponent bits. */
interface Format { readonly fraction: number, readonly lowest: number }
/** The two formats by the name of their dtype. */
export const FORMATS = { bf16: { fraction: 7, lowest: -126 }, f16: { fraction: 10, lowest: -14 } } as const
export type Storage = keyof typeof FORMATS

/** The nearest number of the format, ties to the even one; beyond the largest by half a step: infinity. */
export function roundTo(storage: Storage, value: number): number {
  if (value === 0 || !Number.isFinite(value)) return value
  const { fraction, lowest }: Format = FORMATS[storage]
  let exponent = Math.max(Math.floor(Math.log2(Math.abs(value))), lowest)
  if (2 ** exponent > Math.abs(value) && exponent > lowest) exponent--
  const quantum = 2 ** (exponent - fraction)
  const steps = value / quantum
  const down = Math.floor(steps)
  const up = steps - down > 0.5 || steps - down === 0.5 && down % 2 !== 0
  const rounded = (up ? down + 1 : down) * quantum
  return Math.abs(rounded) >= 2 ** (2 - lowest) ? Math.sign(value) * Infinity : rounded || 0 * value
}

/** The 16 bits of a number that the format holds. */
export function toBits(storage: Storage, value: number): number {
  const { fraction, lowest }: Format = FORMATS[storage]
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0
  const special = (2 * (1 - lowest) + 1) << fraction
  if (Number.isNaN(value)) return special | 1 << (fraction - 1)
  const a = Math.abs(value)
  if (a === Infinity) return sign | special
  if (a < 2 ** lowest) return sign | a / 2 ** (lowest - fraction)
  let exponent = Math.floor(Math.log2(a))
  if (2 ** exponent > a) exponent--
  return sign | (exponent - lowest + 1 << fraction) + (a / 2 ** exponent - 1) * 2 ** fraction
}

/** The number that 16 bits stand for. */
export function fromBits(storage: Storage, bits: number): number {
  const { fraction, lowest }: Format = FORMATS[storage]
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits & 0x7FFF) >> fraction
  const mantissa = bits & (1 << fraction) - 1
  if (exponent === 2 * (1 - lowest) + 1) return mantissa ? NaN : sign * Infinity
  return sign * (exponent === 0 ? mantissa * 2 ** (lowest - fraction) : (1 + mantissa / 2 ** fraction) * 2 ** (exponent + lowest - 1))
}

/** What is left of a matrix in a storage. */
export const stored = (m: Matrix, storage: 'f32' | Storage): Matrix =>
  storage === 'f32' ? m : matrix(m.rows, m.columns, m.data.map(value => roundTo(storage, value)))
