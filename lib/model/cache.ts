// Keys and values of tokens already read, so that a new token costs one row. One tensor a layer for keys (after their norm and rotary
// positions) and one for values, [sequences · capacity, keyHeads · W] f32: sequence s has rows s · capacity … . Layers with a sliding
// window keep all rows too: a row that no token sees any more costs memory and no time.
import { integer, invalid } from '../native/check.ts'
import { TransweldError } from '../native/error.ts'
import type { Device } from '../tensor/device.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { ModelConfig } from './architecture.ts'

/**
 * The keys and values of some sequences. Made by `LanguageModel.cache`; holds memory: dispose it.
 *
 * @example
 * import { LanguageModel } from 'transweld'
 * using model = await LanguageModel.open('examples/codelm')
 * using cache = model.cache(2, 64), pass = model.pass(8)
 * pass.begin(Uint32Array.of(5, 6, 7, 8), Uint32Array.of(0, 3, 4), { cache })   // three tokens of one sequence, one of another
 * await pass.blocks(0, model.config.layers)
 * console.log([...cache.counts])   // [ 3, 1 ]
 */
export class KeyCache {
  readonly sequences: number
  /** The most tokens of a sequence. */
  readonly capacity: number
  /** Tokens that each sequence holds. To go back in a sequence, lower its count. */
  readonly counts: Uint32Array
  /** @internal One a layer. */
  readonly keys: readonly Tensor[]
  /** @internal */
  readonly values: readonly Tensor[]

  /** @internal Use `LanguageModel.cache`. */
  constructor(config: ModelConfig, device: Device, sequences: number, capacity: number) {
    this.sequences = integer('sequences', sequences, 1)
    this.capacity = integer('capacity', capacity, 1)
    this.counts = new Uint32Array(sequences)
    const room = (): Tensor => device.tensor('f32', sequences * capacity, config.keyHeads * config.headWidth)
    const made = device.allOrNothing(() => config.attention.map(() => [room(), room()] as const))
    this.keys = made.map(([keys]) => keys)
    this.values = made.map(([, values]) => values)
  }

  /** @internal Takes room for `rows[b]` more tokens of sequence `slots[b]`, of all or none; the place of the first one of each. */
  take(slots: readonly number[], rows: readonly number[]): Uint32Array {
    const from = Uint32Array.from(slots, s => this.counts[integer('a slot of a cache', s, 0, this.sequences - 1)]!)
    if (new Set(slots).size !== slots.length) throw invalid('slots', 'each sequence of the cache once', slots.join(', '))
    for (const [b, more] of rows.entries()) {
      if (from[b]! + more <= this.capacity) continue
      throw new TransweldError('ERR_TOKEN_RANGE',
        `expected at most ${this.capacity} tokens for a sequence of the cache but received ${from[b]! + more}: make a larger one`)
    }
    for (const [b, s] of slots.entries()) this.counts[s] = from[b]! + rows[b]!
    return from
  }

  dispose(): void { for (const one of [...this.keys, ...this.values]) one.dispose() }
  [Symbol.dispose](): void { this.dispose() }
}
