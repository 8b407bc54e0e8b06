// Cosines and sines of rotary positions: [places, 2 · R], R cosines, then R sines. Each angle is frequency · place rounded to f32, as
// transformers have it; beyond place 2^14 that rounding is what the model was trained with, and an exact angle would differ.
//
// A table of places is shared by all passes of a model and grows by doubling. Where frequencies depend on the length of a sequence
// ("dynamic" scaling), a long sequence has a row of its own for each of its rows, so that what it is packed with changes no bit.
import type { Device } from '../tensor/device.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { Rotary } from './architecture.ts'

const LEAST = 512      // places of a first table: 256 KiB for heads of 128 columns

/** The angles of a model. Owns its tables. */
export class Angles {
  readonly #device: Device
  readonly #rotaries: readonly Rotary[]
  readonly #context: number
  readonly #tables: (Tensor<'f32'> | undefined)[]

  constructor(device: Device, rotaries: readonly Rotary[], context: number) {
    this.#device = device
    this.#rotaries = rotaries
    this.#context = context
    this.#tables = rotaries.map(() => undefined)
  }

  /** A table of rotary number `i` for at least `places` places of sequences whose frequencies do not depend on their length. */
  table(i: number, places: number): Tensor<'f32'> {
    const old = this.#tables[i]
    if (old !== undefined && old.rows >= places) return old
    const rotary = this.#rotaries[i]!
    const rows = Math.max(places, Math.min(this.#context, Math.max(LEAST, 2 * (old?.rows ?? 0))))
    const data = new Float32Array(rows * rotary.columns), frequencies = rotary.frequencies(1)
    for (let place = 0; place < rows; place++) turn(data, place, place, rotary, frequencies)
    const made = this.#device.from(data, rows, rotary.columns)
    old?.dispose()                      // what is enqueued still reads it
    return this.#tables[i] = made
  }

  dispose(): void { for (const one of this.#tables) one?.dispose() }
}

/** Writes the angles of `place` into row `row` of `data`. */
export function turn(data: Float32Array, row: number, place: number, rotary: Rotary, frequencies: Float32Array): void {
  const half = rotary.columns / 2, at = row * rotary.columns
  for (let j = 0; j < half; j++) {
    const angle = Math.fround(frequencies[j]! * place)
    data[at + j] = Math.fround(Math.cos(angle)) * rotary.factor
    data[at + half + j] = Math.fround(Math.sin(angle)) * rotary.factor
  }
}
