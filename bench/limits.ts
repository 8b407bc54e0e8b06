// What this machine can do at most, as far as this run has seen: the ground of every floor. Rates are the best product of
// each dtype, ours or a peer's; bandwidths are those of copies and fills by all threads, in memory and within the caches.
import { readFileSync } from 'node:fs'
import { axpy, cast, fill, matmul, reduceRows } from '../lib/tensor/ops.ts'
import { ours, race, type Side } from './clock.ts'
import { Stock } from './data.ts'
import type { Bench } from './row.ts'

/** The dtypes whose product has a rate of its own. */
export type Product = 'f32' | 'bf16' | 'int8'

/** What a job cannot do without. Operations count a multiply and an add as two; bytes are read or written once. */
export interface Work {
  readonly operations?: number
  /** Default f32; "fastest": the best rate of any dtype. */
  readonly dtype?: Product | 'fastest'
  readonly bytes?: number
  /** Work of another kind that comes on top. */
  readonly also?: Work
}

const MEBIBYTE = 2 ** 20

/** The limits seen so far; `saw` raises them. */
export class Limits {
  readonly #rates = new Map<Product, number>()      // operations a millisecond
  readonly #cache = cacheBytes()
  #memory = 0                                       // bytes a millisecond
  #near = 0

  /** Tells of a product that took this long. */
  saw(dtype: Product, operations: number, milliseconds: number): void {
    this.#rates.set(dtype, Math.max(this.#rates.get(dtype) ?? 0, operations / milliseconds))
  }

  /** The least milliseconds that the work can take; null where nothing of its kind was measured. */
  floor({ operations = 0, dtype = 'f32', bytes = 0, also }: Work): number | null {
    const rate = dtype === 'fastest' ? Math.max(0, ...this.#rates.values()) : this.#rates.get(dtype) ?? 0
    const bandwidth = bytes > this.#cache ? this.#memory : this.#near
    if ((operations > 0 && rate === 0) || (bytes > 0 && bandwidth === 0)) return null
    const rest = also ? this.floor(also) : 0
    return rest === null ? null : (operations > 0 ? operations / rate : 0) + (bytes > 0 ? bytes / bandwidth : 0) + rest
  }

  /** For the header: Gflop/s by dtype, GB/s. */
  summary(): Record<string, number> {
    const rates = [...this.#rates].map(([dtype, rate]) => [`${dtype}GigaopsPerSecond`, Math.round(rate / 1e6)] as const)
    return { ...Object.fromEntries(rates), memoryGigabytesPerSecond: this.#memory / 1e6, cacheGigabytesPerSecond: this.#near / 1e6, cacheBytes: this.#cache }
  }

  /** Measures what every floor needs: some products, and bandwidths. */
  async measure(bench: Bench): Promise<void> {
    this.#memory = await bandwidth(bench, 256 * MEBIBYTE)
    this.#near = Math.max(this.#memory, await bandwidth(bench, MEBIBYTE))
    await this.#products(bench)
  }

  async #products({ device, peers }: Bench): Promise<void> {
    const M = 1024, K = 768, N = 8192, operations = 2 * M * K * N
    using stock = new Stock(device)
    const a = stock.normal(M, K), b = stock.normal(N, K), c = stock.room(M, N)
    const sides: Side[] = [await ours(device, () => matmul({ a, b, c }))], dtypes: Product[] = ['f32']
    for (const dtype of ['f32', 'bf16', 'int8'] as const) {
      const peer = await peers?.make('product', { M, K, N, dtype })
      if (peer) { sides.push(peer.run); dtypes.push(dtype) }
    }
    for (const [i, milliseconds] of (await race(sides)).entries()) this.saw(dtypes[i]!, operations, milliseconds)
    await peers?.dropAll()
  }
}

// Bytes a millisecond of tensors of so many bytes: the best of a fill, a copy, a sum of two and a read, ours or a peer's.
async function bandwidth({ device, peers }: Bench, bytes: number): Promise<number> {
  const R = 256, C = bytes / 4 / R
  using stock = new Stock(device)
  const x = stock.normal(R, C), y = stock.normal(R, C), row = stock.room(1, C)
  const sides: Side[] = [
    await ours(device, () => fill({ out: y, value: 1 })), await ours(device, () => cast({ source: x, out: y })), await ours(device, () => axpy({ x, y, out: y })),
    await ours(device, () => reduceRows({ x, out: row })),
  ]
  const arrays = [1, 2, 3, 1]                   // read or written
  for (const [job, count] of [['fill', 1], ['copy', 2]] as const) {
    const peer = await peers?.make(job, { R, C })
    if (peer) { sides.push(peer.run); arrays.push(count) }
  }
  const best = (await race(sides)).map((milliseconds, i) => arrays[i]! * bytes / milliseconds)
  await peers?.dropAll()
  return Math.max(...best)
}

// The last cache that the cores share; 32 MiB where the system does not tell.
function cacheBytes(): number {
  try {
    const size = /^(\d+)K/.exec(readFileSync('/sys/devices/system/cpu/cpu0/cache/index3/size', 'utf8'))
    return size ? Number(size[1]) * 1024 : 32 * MEBIBYTE
  } catch { return 32 * MEBIBYTE }
}
