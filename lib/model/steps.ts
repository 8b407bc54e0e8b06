// The steps of generation: prompts read through a cache, then one token of each sequence at a time, all in one pass.
import { TransweldError } from '../native/error.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { KeyCache } from './cache.ts'
import type { LanguageModel } from './model.ts'
import type { Pass } from './pass.ts'
import { type Splice, Splices } from './splice.ts'

const CHUNK = 512            // rows of a prompt that go through the model together

/** What a sequence of the cache reads next. */
export interface Piece { readonly slot: number, readonly ids: readonly number[] }

interface Room { readonly splices: readonly Splice[], readonly sequences: number, readonly capacity: number, readonly signal: AbortSignal | undefined }

/** Reads sequences piece by piece and gives the logits after each. Owns its buffers. */
export class Steps {
  readonly #model: LanguageModel
  readonly #cache: KeyCache
  readonly #logits: Tensor<'f32'>        // [sequences, V]
  readonly #step: Pass                   // for one token of each
  readonly #splices: Splices | undefined
  readonly #signal: AbortSignal | undefined

  constructor(model: LanguageModel, { splices, sequences, capacity, signal }: Room) {
    this.#model = model
    this.#signal = signal
    this.#splices = splices.length > 0 ? new Splices(model, splices) : undefined
    const made: { dispose(): void }[] = [], own = <T extends { dispose(): void }>(one: T): T => { made.push(one); return one }
    try {
      this.#cache = own(model.cache(sequences, capacity))
      this.#logits = own(model.device.tensor('f32', sequences, model.config.vocabulary))
      this.#step = own(model.pass(sequences))
    } catch (error) {
      for (const one of made) one.dispose()
      throw error
    }
  }

  /** Tokens for which a sequence has room. */
  left(slot: number): number { return this.#cache.capacity - this.#cache.counts[slot]! }

  /** Begins a sequence anew. */
  forget(slot: number): void { this.#cache.counts[slot] = 0 }

  /** The logits [V] after each of the pieces. @throws TransweldError ERR_ABORTED */
  async read(pieces: readonly Piece[]): Promise<Float32Array[]> {
    if (pieces.length === 0) return []
    const tokens = pieces.filter(({ ids }) => ids.length === 1), prompts = pieces.filter(({ ids }) => ids.length !== 1), order = [...tokens, ...prompts]
    for (const [i, piece] of prompts.entries()) await this.#prompt(piece, tokens.length + i)
    if (tokens.length > 0) await this.#run(this.#step, tokens, 0)
    const data = await this.#logits.view(0, pieces.length).read(), { vocabulary } = this.#model.config
    return pieces.map(piece => data.subarray(order.indexOf(piece) * vocabulary, (order.indexOf(piece) + 1) * vocabulary))
  }

  // A prompt in chunks; its logits go to `row`.
  async #prompt({ slot, ids }: Piece, row: number): Promise<void> {
    // Frequencies that depend on the length of a sequence are those of the whole prompt: it is read at once then.
    const isFixed = this.#model.config.rotaries.every(({ fixedUpTo }) => ids.length <= fixedUpTo)
    using pass = this.#model.pass(isFixed ? Math.min(CHUNK, ids.length) : ids.length)
    for (let at = 0; at < ids.length; at += pass.rows) {
      if (at > 0) await this.#model.device.wait()          // else the signal would be looked at long before the work is done
      await this.#run(pass, [{ slot, ids: ids.slice(at, at + pass.rows) }], at + pass.rows < ids.length ? undefined : row)
    }
  }

  // Pieces packed; the logits after them, if they are wanted, go to rows from `row` on. Several pieces have one id each.
  async #run(pass: Pass, pieces: readonly Piece[], row: number | undefined): Promise<void> {
    if (this.#signal?.aborted) throw new TransweldError('ERR_ABORTED', 'the generation was stopped by its signal', { cause: this.#signal.reason })
    const starts = new Uint32Array(pieces.length + 1)
    for (const [b, { ids }] of pieces.entries()) starts[b + 1] = starts[b]! + ids.length
    pass.begin(Uint32Array.from(pieces.flatMap(({ ids }) => ids)), starts, { cache: this.#cache, slots: pieces.map(({ slot }) => slot) })
    await pass.blocks(0, this.#model.config.layers, this.#splices)
    if (row === undefined) return
    const rows = starts[pieces.length]!, out = this.#logits.view(row, row + pieces.length)
    if (this.#splices) await pass.logitsWith(rows - pieces.length, rows, out, this.#splices)
    else pass.logits(rows - pieces.length, rows, out)
  }

  [Symbol.dispose](): void { for (const one of [this.#cache, this.#logits, this.#step, this.#splices]) one?.dispose() }
}
