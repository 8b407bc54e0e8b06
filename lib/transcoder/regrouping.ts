// Room for the positions of a pattern regrouped by feature.
import type { Pattern } from '../tensor/codes.ts'
import type { Device } from '../tensor/device.ts'
import { featureMajor } from '../tensor/ops.ts'
import type { Tensor } from '../tensor/tensor.ts'

/** The first three views of a term of `sparseScatter`. */
export interface Regrouped { readonly featureStarts: Tensor, readonly rows: Tensor, readonly slots: Tensor }

/** A pattern's positions by feature, built once a step and read by both scatters. Owns its tensors. */
export class Regrouping {
  /** u32 [1, F]: rows of the batch on which each feature was active. */
  readonly fired: Tensor
  readonly #device: Device
  readonly #features: number
  readonly #starts: Tensor       // u64 [1, F + 1]
  #rows: Tensor                  // u32 [1, capacity]
  #slots: Tensor                 // u32 [1, capacity]

  constructor(device: Device, features: number, capacity: number) {
    this.#device = device
    this.#features = features
    this.fired = device.tensor('u32', 1, features)
    this.#starts = device.tensor('u64', 1, features + 1)
    this.#rows = device.tensor('u32', 1, capacity)
    this.#slots = device.tensor('u32', 1, capacity)
  }

  get term(): Regrouped { return { featureStarts: this.#starts, rows: this.#rows, slots: this.#slots } }

  /** Enqueues the regrouping of codes of `rows` rows; `fired` counts where z is not 0. */
  regroup(codes: Pattern, rows: number, z: Tensor): void {
    featureMajor({ codes, codeRows: rows, features: this.#features, z, fired: this.fired, ...this.term })
  }

  /** Makes room for more positions; what was there is gone. */
  grow(capacity: number): void {
    this.#rows.dispose()
    this.#slots.dispose()
    this.#rows = this.#device.tensor('u32', 1, capacity)
    this.#slots = this.#device.tensor('u32', 1, capacity)
  }

  dispose(): void { for (const one of [this.fired, this.#starts, this.#rows, this.#slots]) one.dispose() }
}
