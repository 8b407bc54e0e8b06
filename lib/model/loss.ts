// How well a model predicts a text: the loss of each token, in nats, over windows of the context, many sequences at a time.
import { closed, integer, signal as checkSignal } from '../native/check.ts'
import { TransweldError } from '../native/error.ts'
import { tokenLoss } from '../tensor/ops.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { LanguageModel } from './model.ts'
import type { Pass } from './pass.ts'
import { idsOf, packed, type Sequences } from './sequences.ts'
import { type Splice, Splices } from './splice.ts'
import { BATCH_ROWS } from './taps.ts'

/** Options of {@link LanguageModel.losses} and {@link LanguageModel.loss}. */
export interface LossOptions {
  /** Longest piece that is read at once; a longer sequence is cut into pieces of this length. Default: the context. */
  readonly window?: number
  /** Tokens of a piece that were predicted in the piece before and are read again for what they say about the next ones. Default 0. */
  readonly overlap?: number
  /** Rows of a batch. Default 2048, or one window if that is more. */
  readonly batchRows?: number
  /** Changes of the model while it reads. Default none. */
  readonly splices?: readonly Splice[]
  /** Stops it between two batches. */
  readonly signal?: AbortSignal
}

/** The losses of some consecutive tokens of a sequence. */
export interface TokenLosses {
  /** Number of the sequence, from 0. */
  readonly sequence: number
  /** Place of the first of these tokens in the sequence. */
  readonly at: number
  readonly ids: Uint32Array
  /** −log p of each token after those before it in its window; NaN where there was none before, so that none predicted it. */
  readonly nats: Float32Array
}

/** Sums over all tokens that were predicted. */
export interface Loss {
  /** Tokens read, those not predicted included. */
  readonly tokens: number
  readonly predicted: number
  /** Sum of −log p. */
  readonly nats: number
  /** nats / predicted */
  readonly mean: number
  /** e^mean */
  readonly perplexity: number
}

const KEYS = ['window', 'overlap', 'batchRows', 'splices', 'signal'] satisfies (keyof LossOptions)[]
const LOGIT_BYTES = 32 << 20      // of logits at a time: with a vocabulary of 50,000, 2048 rows would take 400 MB
const NONE = 0xFFFFFFFF

/** A piece of a sequence: its first `again` ids were predicted in the piece before. */
interface Piece { readonly sequence: number, readonly at: number, readonly ids: Uint32Array, readonly again: number }

/** See {@link LanguageModel.losses}. */
export async function* losses(model: LanguageModel, input: Sequences, options: LossOptions): AsyncGenerator<TokenLosses, void, undefined> {
  closed('losses', options, KEYS)
  const signal = checkSignal('signal of losses', options.signal), window = integer('window', options.window ?? model.config.context, 1, model.config.context)
  const overlap = integer('overlap', options.overlap ?? 0, 0, window - 1), rows = integer('batchRows', options.batchRows ?? BATCH_ROWS, 1)
  let run: Run | undefined
  try {
    for await (const { ids, starts, parts } of packed(pieces(model, input, window, overlap), rows)) {
      if (signal?.aborted) throw new TransweldError('ERR_ABORTED', 'the losses were stopped by their signal', { cause: signal.reason })
      if (run === undefined || run.rows < ids.length) {
        const most = run === undefined ? ids.length : Math.max(rows, ids.length)
        run?.dispose()
        run = undefined
        run = new Run(model, options.splices ?? [], most)
      }
      const nats = await run.read(ids, starts)
      for (const [b, { sequence, at, ids: own, again }] of parts.entries()) {
        yield { sequence, at: at + again, ids: own.subarray(again), nats: nats.slice(starts[b]! + again, starts[b + 1]) }
      }
    }
  } finally { run?.dispose() }
}

/** See {@link LanguageModel.loss}. */
export async function loss(model: LanguageModel, input: Sequences, options: LossOptions): Promise<Loss> {
  let tokens = 0, predicted = 0, sum = 0
  for await (const { nats } of losses(model, input, options)) {
    tokens += nats.length
    for (const one of nats) {
      if (Number.isNaN(one)) continue
      predicted++
      sum += one
    }
  }
  if (predicted === 0) throw new TransweldError('ERR_EMPTY_TEXT', `expected at least two tokens in a sequence but received ${tokens} in all`)
  return { tokens, predicted, nats: sum, mean: sum / predicted, perplexity: Math.exp(sum / predicted) }
}

async function* pieces(model: LanguageModel, input: Sequences, window: number, overlap: number): AsyncGenerator<Piece, void, undefined> {
  let sequence = 0
  for await (const ids of idsOf(model, input)) {
    const checked = model.checkIds(ids, { slides: true })
    for (let at = 0, again = 0; at + again < checked.length; at += window - overlap, again = overlap) {
      yield { sequence, at, ids: checked.subarray(at, at + window), again }
    }
    sequence++
  }
}

/** The buffers of a batch of up to `rows` rows. */
class Run {
  readonly rows: number
  readonly #model: LanguageModel
  readonly #pass: Pass
  readonly #splices: Splices | undefined
  readonly #targets: Tensor<'u32'>       // [1, rows]
  readonly #loss: Tensor<'f32'>          // [1, rows]
  readonly #logits: Tensor<'f32'>        // [chunk, V]

  constructor(model: LanguageModel, splices: readonly Splice[], rows: number) {
    const { device, config: { vocabulary } } = model
    this.rows = rows
    this.#model = model
    this.#splices = splices.length > 0 ? new Splices(model, splices) : undefined
    this.#pass = model.pass(rows)
    try {
      const room = device.allOrNothing(() => [device.tensor('u32', 1, rows), device.tensor('f32', 1, rows),
        device.tensor('f32', Math.min(rows, Math.max(1, Math.floor(LOGIT_BYTES / (4 * vocabulary)))), vocabulary)] as const)
      ;[this.#targets, this.#loss, this.#logits] = room
    } catch (error) { this.#pass.dispose(); throw error }
  }

  // Of each row the loss of its own token: that which the row before predicted.
  async read(ids: Uint32Array, starts: Uint32Array): Promise<Float32Array> {
    const n = ids.length, { layers } = this.#model.config, isFirst = new Uint8Array(n + 1)
    for (const start of starts) isFirst[start] = 1
    this.#targets.view(0, 1, 0, n).write(ids.map((_, t) => isFirst[t + 1] ? NONE : ids[t + 1]!))
    this.#pass.begin(ids, starts)
    await this.#pass.blocks(0, layers, this.#splices)
    for (let from = 0; from < n; from += this.#logits.rows) {
      const to = Math.min(n, from + this.#logits.rows), logits = this.#logits.view(0, to - from)
      if (this.#splices) await this.#pass.logitsWith(from, to, logits, this.#splices)
      else this.#pass.logits(from, to, logits)
      tokenLoss({ logits, targets: this.#targets.view(0, 1, from, to), loss: this.#loss.view(0, 1, from, to) })
    }
    const next = await this.#loss.view(0, 1, 0, n).read(), wrong = next.findIndex((nats, t) => !isFirst[t + 1] && Number.isNaN(nats))
    if (wrong >= 0) throw new TransweldError('ERR_NOT_FINITE', `expected finite logits but those of row ${wrong} of a batch hold NaN or infinity`)
    return next.map((_, t) => isFirst[t] ? NaN : next[t - 1]!)
  }

  dispose(): void {
    for (const one of [this.#pass, this.#splices, this.#targets, this.#loss, this.#logits]) one?.dispose()
  }
}
