// What a pass is told before it runs: ids, where each row stands in its sequence, where sequences begin, and where their keys are kept.
import { invalid } from '../native/check.ts'
import type { Device } from '../tensor/device.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { type Angles, turn } from './angles.ts'
import type { Rotary } from './architecture.ts'
import type { KeyCache } from './cache.ts'
import { type Continued, places } from './pass.ts'

/** Where the keys of the sequences lie, as `attend` and `scatterRows` want it. */
export interface Keys {
  readonly cache: KeyCache
  /** u32 [1, N]: rows of the cache for the new keys. */
  readonly index: Tensor
  /** u32 [1, B] */
  readonly starts: Tensor
  /** u32 [1, B] */
  readonly counts: Tensor
}

/** The rows of `angles` that rows of a batch take. */
interface Turning { readonly places: Tensor, readonly angles: Tensor }

/** The numbers of a batch on the device. Owns its tensors, room for `most` rows. */
export class Feed {
  /** Rows of the batch set last. */
  rows = 0
  /** The place of each of them in its sequence. */
  placesHere: Uint32Array = new Uint32Array()
  /** The keys of the batch set last; undefined where it begins at position 0. */
  keys: Keys | undefined
  readonly #device: Device
  readonly #angles: Angles
  readonly #rotaries: readonly Rotary[]
  readonly #most: number
  readonly #ids: Tensor<'u32'>               // [1, most]; so are the next three
  readonly #places: Tensor<'u32'>
  readonly #index: Tensor<'u32'>
  readonly #rowNumbers: Tensor<'u32'>
  readonly #starts: Tensor<'u32'>            // [1, most + 1]
  readonly #keyStarts: Tensor<'u32'>         // [1, most]
  readonly #keyCounts: Tensor<'u32'>
  readonly #own: (Tensor<'f32'> | undefined)[]     // [most, 2 · R]: angles of a batch with a sequence so long that they are its own
  #sequences = 0
  #longest = 0
  #isOwn: readonly boolean[] = []

  constructor(model: { readonly device: Device, readonly angles: Angles, readonly config: { readonly rotaries: readonly Rotary[] } }, most: number) {
    const { device, angles, config: { rotaries } } = model
    this.#device = device
    this.#angles = angles
    this.#rotaries = rotaries
    this.#most = most
    const room = (columns: number): Tensor<'u32'> => device.tensor('u32', 1, columns)
    const made = device.allOrNothing(() => [room(most), room(most), room(most), room(most), room(most + 1), room(most), room(most)] as const)
    ;[this.#ids, this.#places, this.#index, this.#rowNumbers, this.#starts, this.#keyStarts, this.#keyCounts] = made
    this.#rowNumbers.write(Uint32Array.from({ length: most }, (_, n) => n))
    this.#own = rotaries.map(() => undefined)
  }

  get ids(): Tensor { return this.#ids.view(0, 1, 0, this.rows) }
  /** Of each row, in its sequence. */
  get places(): Tensor { return this.#places.view(0, 1, 0, this.rows) }
  get starts(): Tensor { return this.#starts.view(0, 1, 0, this.#sequences + 1) }
  /** What turns queries and keys for rotary number `i`. To be asked for when it is used: another pass may let the shared table grow. */
  turning(i: number): Turning {
    if (!this.#isOwn[i]) return { places: this.places, angles: this.#angles.table(i, this.#longest) }
    return { places: this.#rowNumbers.view(0, 1, 0, this.rows), angles: this.#own[i]!.view(0, this.rows) }
  }

  /** Takes a batch; with `after`, the next rows of sequences of a cache, which counts them as its own from now on. */
  set(ids: Uint32Array, starts: Uint32Array, after?: Continued): void {
    if (ids.length > this.#most || starts[starts.length - 1] !== ids.length) {          // before a cache counts them as its own
      throw invalid('ids and starts of a pass', `at most ${this.#most} ids, and starts that end with their count`,
        `${ids.length} and ${starts[starts.length - 1]}`)
    }
    const sequences = starts.length - 1, slots = after?.slots ?? Array.from({ length: sequences }, (_, b) => b)
    const rows = Array.from({ length: sequences }, (_, b) => starts[b + 1]! - starts[b]!)
    const begun = after ? after.cache.take(slots, rows) : new Uint32Array(sequences), lengths = begun.map((from, b) => from + rows[b]!)
    const at = places(starts)
    for (let b = 0; after && b < sequences; b++) for (let n = starts[b]!; n < starts[b + 1]!; n++) at[n]! += begun[b]!
    this.rows = ids.length
    this.placesHere = at
    this.#sequences = sequences
    this.#ids.view(0, 1, 0, ids.length).write(ids)
    this.#places.view(0, 1, 0, ids.length).write(at)
    this.#starts.view(0, 1, 0, starts.length).write(starts)
    this.keys = after && this.#setKeys(after.cache, slots, starts, at, lengths)
    this.#longest = lengths.reduce((most, length) => Math.max(most, length), 0)
    this.#isOwn = this.#rotaries.map(({ fixedUpTo }) => this.#longest > fixedUpTo)
    for (const [i, isOwn] of this.#isOwn.entries()) if (isOwn) this.#setAngles(i, starts, at, lengths)
  }

  #setKeys(cache: KeyCache, slots: readonly number[], starts: Uint32Array, places: Uint32Array, lengths: Uint32Array): Keys {
    const { capacity } = cache, index = Uint32Array.from(places)
    for (const [b, slot] of slots.entries()) for (let n = starts[b]!; n < starts[b + 1]!; n++) index[n]! += slot * capacity
    const put = (full: Tensor<'u32'>, data: Uint32Array): Tensor => { const view = full.view(0, 1, 0, data.length); view.write(data); return view }
    const first = Uint32Array.from(slots, s => s * capacity)
    return { cache, index: put(this.#index, index), starts: put(this.#keyStarts, first), counts: put(this.#keyCounts, lengths) }
  }

  // Angles of rows in place of places, each by the length of its sequence.
  #setAngles(i: number, starts: Uint32Array, places: Uint32Array, lengths: Uint32Array): void {
    const rotary = this.#rotaries[i]!, data = new Float32Array(places.length * rotary.columns)
    for (const [b, length] of lengths.entries()) {
      const frequencies = rotary.frequencies(length)
      for (let n = starts[b]!; n < starts[b + 1]!; n++) turn(data, n, places[n]!, rotary, frequencies)
    }
    const own = this.#own[i] ??= this.#device.tensor('f32', this.#most, rotary.columns)
    own.view(0, places.length).write(data)
  }

  dispose(): void {
    for (const one of [this.#ids, this.#places, this.#index, this.#rowNumbers, this.#starts, this.#keyStarts, this.#keyCounts, ...this.#own]) one?.dispose()
  }
}
