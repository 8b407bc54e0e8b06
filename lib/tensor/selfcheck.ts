// Does this device compute? Three op families against plain float64 loops, in a few milliseconds.
import { patternFixed } from './codes.ts'
import type { Device } from './device.ts'
import { matmul, sparseDecode, sparseEncode } from './ops.ts'

/** One family's verdict. `error` is the largest difference relative to the largest value. */
export interface SelfCheck { readonly op: string, readonly ok: boolean, readonly error: number }

// Odd sizes, so that every kernel runs its remainder; f32 rounding over 37 products stays far below the bound.
const N = 5, D = 37, F = 67, K = 3
const BOUND = 1e-5

/**
 * Runs sparse_encode, matmul and sparse_decode on a device and compares them with float64.
 *
 * @throws TransweldError where the device fails altogether.
 */
export async function selfCheck(device: Device): Promise<SelfCheck[]> {
  const x = wave(N * D, 1), weight = wave(F * D, 2)
  using tx = device.from(x, N, D), tw = device.from(weight, F, D)
  using product = device.tensor('f32', N, F), out = device.tensor('f32', N, D), counts = device.tensor('u64', 1, 4)
  using codes = patternFixed(device, N, K, F), z = codes.plane()
  matmul({ a: tx, b: tw, c: product })
  sparseEncode({ x: tx, weight: tw, rule: 'topk', codes, z, counts })
  sparseDecode({ codes, z, weight: tw, out })
  const [gotProduct, gotIndex, gotZ, gotOut] = await Promise.all([product.read(), codes.index.read(), z.read(), out.read()])

  const p = Float64Array.from({ length: N * F }, (_, i) => dot(x, Math.floor(i / F) * D, weight, i % F * D))
  const rank = (n: number) => Array.from({ length: F }, (_, f) => f).sort((a, b) => p[n * F + b]! - p[n * F + a]! || a - b).slice(0, K)
  const index = Array.from({ length: N }, (_, n) => rank(n)).flat()
  const values = index.map((f, i) => Math.max(0, p[Math.floor(i / K) * F + f]!))
  const decoded = Float64Array.from({ length: N * D }, (_, i) => {
    const n = Math.floor(i / D)
    let sum = 0
    for (let k = 0; k < K; k++) sum += values[n * K + k]! * weight[index[n * K + k]! * D + i % D]!
    return sum
  })
  const encoded = index.every((f, i) => f === gotIndex[i]) ? difference(gotZ, values) : Infinity
  return [['sparse_encode', encoded], ['matmul', difference(gotProduct, p)], ['sparse_decode', difference(gotOut, decoded)]]
    .map(([op, error]) => ({ op: op as string, ok: (error as number) <= BOUND, error: error as number }))
}

// Fixed values without a pattern that a kernel could get right by chance.
function wave(length: number, seed: number): Float32Array {
  return Float32Array.from({ length }, (_, i) => Math.sin(i * 12.9898 + seed * 78.233) * 1.5)
}

function dot(a: Float32Array, atA: number, b: Float32Array, atB: number): number {
  let sum = 0
  for (let d = 0; d < D; d++) sum += a[atA + d]! * b[atB + d]!
  return sum
}

function difference(got: ArrayLike<number>, wanted: ArrayLike<number>): number {
  let most = 0, scale = 0
  for (let i = 0; i < wanted.length; i++) {
    const off = Math.abs(got[i]! - wanted[i]!)
    most = Number.isNaN(off) ? Infinity : Math.max(most, off)
    scale = Math.max(scale, Math.abs(wanted[i]!))
  }
  return most / scale
}
