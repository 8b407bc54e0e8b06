// f16 and bf16 to f32, exactly: every 16-bit float is an f32, NaN payloads included.
import { TransweldError } from '../native/error.ts'

let halves: Uint32Array | undefined

// The f32 bits of all 65,536 f16 values (256 KiB, made on first use: one look-up replaces the branches on subnormals).
function halfBits(): Uint32Array {
  if (halves !== undefined) return halves
  halves = new Uint32Array(65536)
  for (let h = 0; h < 65536; h++) {
    const sign = (h & 0x8000) << 16, exponent = (h >>> 10) & 31
    let mantissa = h & 1023
    if (exponent === 31) halves[h] = sign | 0x7f800000 | mantissa << 13
    else if (exponent > 0) halves[h] = sign | (exponent + 112) << 23 | mantissa << 13
    else if (mantissa === 0) halves[h] = sign
    else {
      let e = 113 // a subnormal is normal in f32: shift its leading one to bit 10
      while ((mantissa & 1024) === 0) { mantissa <<= 1; e-- }
      halves[h] = sign | e << 23 | (mantissa & 1023) << 13
    }
  }
  return halves
}

/** Writes the f32 bits of `from` (16-bit floats as integers) to `bits`. */
export function widen(from: Uint16Array, dtype: 'F16' | 'BF16', bits: Uint32Array): void {
  if (dtype === 'BF16') for (let i = 0; i < from.length; i++) bits[i] = from[i]! << 16
  else {
    const table = halfBits()
    for (let i = 0; i < from.length; i++) bits[i] = table[from[i]!]!
  }
}

/** Throws ERR_NOT_FINITE with the tensor and the index of the first NaN or infinity. `first` is the index of bits[0] in the tensor. */
export function requireFinite(bits: Uint32Array, name: string, first: number): void {
  for (let i = 0; i < bits.length; i++) {
    if ((bits[i]! & 0x7f800000) !== 0x7f800000) continue
    const what = (bits[i]! & 0x7fffff) !== 0 ? 'NaN' : 'infinity'
    throw new TransweldError('ERR_NOT_FINITE', `tensor ${JSON.stringify(name)} holds ${what} at index ${first + i}`)
  }
}
