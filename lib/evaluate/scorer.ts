// Next-token losses of whatever stands in the residual stream of a pass, and the divergence from the untouched model's
// predictions. Logits are made for a chunk of rows at a time: with a vocabulary of 50,000, 2048 rows would take 400 MB.
import type { LanguageModel } from '../model/model.ts'
import type { Pass } from '../model/pass.ts'
import { cast, tokenLoss } from '../tensor/ops.ts'
import type { Tensor } from '../tensor/tensor.ts'

const LOGIT_BYTES = 32 << 20      // a chunk; there are two, those of the untouched model and those compared with them

/** Sums over the predicted tokens of a batch, nats. */
export interface Losses { readonly loss: number, readonly kl: number }

/** Scores batches of up to `rows` rows. Owns its tensors. */
export class Scorer {
  readonly #pass: Pass
  readonly #chunk: number
  readonly #targets: Tensor         // u32 [1, R]
  readonly #logits: Tensor          // [chunk, V]
  readonly #reference: Tensor       // [chunk, V], of the untouched model
  readonly #loss: Tensor            // [1, R]
  readonly #kl: Tensor              // [1, R]
  // Last streams [R, D] of the untouched model and of what is compared with it, kept where one chunk does not hold a batch.
  readonly #streams: { readonly clean: Tensor, readonly other: Tensor } | undefined

  constructor(model: LanguageModel, pass: Pass, rows: number, logitBytes = LOGIT_BYTES) {
    const { device, config: { vocabulary, width } } = model
    this.#pass = pass
    this.#chunk = Math.min(rows, Math.max(1, Math.floor(logitBytes / (4 * vocabulary))))
    this.#targets = device.tensor('u32', 1, rows)
    this.#logits = device.tensor('f32', this.#chunk, vocabulary)
    this.#reference = device.tensor('f32', this.#chunk, vocabulary)
    this.#loss = device.tensor('f32', 1, rows)
    this.#kl = device.tensor('f32', 1, rows)
    this.#streams = this.#chunk < rows ? { clean: device.tensor('f32', rows, width), other: device.tensor('f32', rows, width) } : undefined
  }

  /** Enqueues the losses of the untouched model, whose last stream the pass holds, and keeps it as the reference. */
  clean(targets: Uint32Array): Promise<Losses> {
    const { stream } = this.#pass, n = stream.rows
    this.#targets.view(0, 1, 0, n).write(targets)
    if (this.#streams) cast({ source: stream, out: this.#streams.clean.view(0, n) })
    this.#chunks(n, (from, to) => {
      const logits = this.#reference.view(0, to - from)
      this.#pass.logits(from, to, logits)
      tokenLoss({ logits, targets: this.#row(this.#targets, from, to), loss: this.#row(this.#loss, from, to) })
    })
    return this.#sums(n, false)
  }

  /** Enqueues the losses of what the pass holds now; with `kl` also the divergence, which may overwrite the stream. */
  score(options: { readonly kl: boolean }): Promise<Losses> {
    const { stream } = this.#pass, n = stream.rows, streams = options.kl ? this.#streams : undefined
    if (streams) cast({ source: stream, out: streams.other.view(0, n) })
    this.#chunks(n, (from, to) => {
      const logits = this.#logits.view(0, to - from), reference = this.#reference.view(0, to - from)
      if (streams) {
        cast({ source: streams.clean.view(from, to), out: stream.view(from, to) })
        this.#pass.logits(from, to, reference)
        cast({ source: streams.other.view(from, to), out: stream.view(from, to) })
      }
      this.#pass.logits(from, to, logits)
      tokenLoss({
        logits, targets: this.#row(this.#targets, from, to), loss: this.#row(this.#loss, from, to),
        ...(options.kl && { reference, kl: this.#row(this.#kl, from, to) }),
      })
    })
    return this.#sums(n, options.kl)
  }

  dispose(): void {
    const { clean, other } = this.#streams ?? {}
    for (const one of [this.#targets, this.#logits, this.#reference, this.#loss, this.#kl, clean, other]) one?.dispose()
  }

  #row(tensor: Tensor, from: number, to: number): Tensor { return tensor.view(0, 1, from, to) }

  #chunks(rows: number, each: (from: number, to: number) => void): void {
    for (let from = 0; from < rows; from += this.#chunk) each(from, Math.min(rows, from + this.#chunk))
  }

  // The reads are enqueued at once: what is enqueued next does not change them.
  async #sums(rows: number, hasKl: boolean): Promise<Losses> {
    const read = (tensor: Tensor): Promise<Float32Array> => this.#row(tensor, 0, rows).read() as Promise<Float32Array>
    const [loss, kl] = await Promise.all([read(this.#loss), hasKl ? read(this.#kl) : undefined])
    return { loss: sum(loss), kl: kl ? sum(kl) : 0 }
  }
}

function sum(values: Float32Array): number {
  let total = 0
  for (let i = 0; i < values.length; i++) total += values[i]!
  return total
}
