// Tensors to measure with. Gaussian rows are the worst case of screening, since every direction counts; activations of a
// model lie near a space of few dimensions, so that is the other kind.
import { Pattern } from '../lib/tensor/codes.ts'
import type { Device } from '../lib/tensor/device.ts'
import type { Dtype } from '../lib/tensor/dtype.ts'
import { axpy, cast, featureMajor, fill, fillRandom, matmul } from '../lib/tensor/ops.ts'
import type { Tensor } from '../lib/tensor/tensor.ts'

/** Owns what it made. Draws are the same in every run. */
export class Stock implements Disposable {
  readonly device: Device
  readonly #made: { dispose(): void }[] = []
  #seed = 1
  /** Of all its tensors. */
  bytes = 0

  constructor(device: Device) { this.device = device }

  /** Not set yet. */
  room<D extends Dtype = 'f32'>(rows: number, columns: number, dtype = 'f32' as D): Tensor<D> {
    const tensor = this.device.tensor(dtype, rows, columns)
    this.bytes += tensor.storage.bytes
    return this.#keep(tensor)
  }

  /** Normal draws of mean 0. */
  normal(rows: number, columns: number, deviation = 1): Tensor<'f32'> {
    const out = this.room(rows, columns)
    fillRandom({ out, distribution: 'normal', seed: this.#seed++, low: 0, high: deviation })
    return out
  }

  /** Normal draws in a float dtype. */
  normalOf(dtype: 'f32' | 'bf16' | 'f16', rows: number, columns: number): Tensor {
    const source = this.normal(rows, columns)
    if (dtype === 'f32') return source
    const out = this.room(rows, columns, dtype)
    cast({ source, out })
    return out
  }

  /** Whole numbers from −127 to 127. */
  integers(rows: number, columns: number): Tensor<'i8'> {
    this.bytes += rows * columns
    return this.#keep(this.device.from(Int8Array.from({ length: rows * columns }, (_, i) => Math.imul(i, 0x9E3779B1) % 128), rows, columns))
  }

  /** Rows near a space of `rank` dimensions: normal draws of it, and a tenth as much of everything. */
  lowRank(rows: number, columns: number, rank: number): Tensor<'f32'> {
    const coordinates = this.normal(rows, rank), directions = this.normal(columns, rank, 1 / Math.sqrt(rank)), out = this.room(rows, columns)
    const noise = this.normal(rows, columns, 0.1)
    matmul({ a: coordinates, b: directions, c: out })
    axpy({ x: out, y: noise, out })
    return out
  }

  zeros(rows: number, columns: number): Tensor<'f32'> {
    const out = this.room(rows, columns)
    fill({ out, value: 0 })
    return out
  }

  /** Whole numbers from 0 to `below` − 1 without a pattern; rows of `columns` hold no number twice where below ≥ columns. */
  indices(rows: number, columns: number, below: number): Tensor<'u32'> {
    const stride = Math.max(1, Math.floor(below / columns))
    const data = Uint32Array.from({ length: rows * columns }, (_, i) => (i % columns * stride + Math.imul(Math.floor(i / columns), 40503) % stride + stride) % below)
    return this.#keep(this.device.from(data, rows, columns))
  }

  ids(values: ArrayLike<number>): Tensor<'u32'> { return this.#keep(this.device.from(Uint32Array.from(values), 1, values.length)) }

  /** K codes a row, spread over all features, and their values. */
  codes(N: number, K: number, F: number): { pattern: Pattern, z: Tensor<'f32'> } {
    return { pattern: new Pattern(this.indices(N, K, F), N, F), z: this.normal(N, K) }
  }

  /** Those codes by feature, as a term of a scatter has them. */
  byFeature(codes: Pattern): { featureStarts: Tensor, rows: Tensor, slots: Tensor } {
    const regrouped = { featureStarts: this.room(1, codes.features + 1, 'u64'), rows: this.room(1, codes.capacity, 'u32'), slots: this.room(1, codes.capacity, 'u32') }
    featureMajor({ codes, ...regrouped })
    return regrouped
  }

  [Symbol.dispose](): void { for (const one of this.#made.splice(0)) one.dispose() }

  #keep<T extends { dispose(): void }>(one: T): T {
    this.#made.push(one)
    return one
  }
}
