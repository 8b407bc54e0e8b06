// A language model opened from a Hugging Face folder.
import { basename } from 'node:path'
import { closed, integer, text } from '../native/check.ts'
import { TransweldError } from '../native/error.ts'
import { openWeights } from '../safetensors/weights.ts'
import { type Device, openDevice } from '../tensor/device.ts'
import { openTokenizer, type Tokenizer } from '../tokenizer/tokenizer.ts'
import { type ModelConfig, readConfig } from './config.ts'
import { Gpt2Pass, type Gpt2Weights, gpt2Tensors, loadGpt2 } from './family/gpt2.ts'
import type { Pass } from './pass.ts'

/** Options of {@link LanguageModel.open}. */
export interface ModelOptions {
  /** Where it runs: an open device, or its name; default `TRANSWELD_DEVICE`, else the CPU. An open device is not disposed with the model. */
  readonly device?: Device | string
}

/** Logits of a sequence: row t of `data` [T, V] is read after ids[0] … ids[t]. */
export interface Logits { readonly rows: number, readonly columns: number, readonly data: Float32Array }

/**
 * A language model with its weights on a device, f32. Holds memory: dispose it, or declare it with `using`.
 *
 * @example
 * import { LanguageModel } from 'transweld'
 * const model = await LanguageModel.open('examples/codelm')
 * const ids = (await model.tokenizer()).encode('The war lasted from the year 1732 to the year 17')
 * const { rows, columns } = await model.logits(ids)
 * console.log(rows, columns)
 * model.dispose()
 */
export class LanguageModel {
  /** The folder it was read from. */
  readonly folder: string
  readonly config: ModelConfig
  readonly device: Device
  /** Count of weights, tied ones once. */
  readonly parameters: number
  readonly #weights: Gpt2Weights
  readonly #ownsDevice: boolean
  #tokenizer: Promise<Tokenizer> | undefined
  #disposed = false

  /** Use {@link LanguageModel.open}. */
  private constructor(folder: string, config: ModelConfig, device: Device, weights: Gpt2Weights, ownsDevice: boolean) {
    this.folder = folder
    this.config = config
    this.device = device
    this.#weights = weights
    this.#ownsDevice = ownsDevice
    this.parameters = gpt2Tensors(weights).reduce((sum, t) => sum + t.rows * t.columns, 0)
  }

  /**
   * Opens a folder with `config.json` and `model.safetensors` (f32, bf16 or f16; or shards with their index).
   * @throws ERR_FILE, ERR_FORMAT, ERR_NOT_FINITE for a folder that is not whole, ERR_UNSUPPORTED for an architecture or a
   * config field that is not supported, ERR_OUT_OF_MEMORY (nothing is kept).
   */
  static async open(folder: string, options: ModelOptions = {}): Promise<LanguageModel> {
    text('folder', folder)
    closed('LanguageModel.open', options, ['device'])
    const config = await readConfig(folder)
    const file = await openWeights(folder)
    const ownsDevice = options.device === undefined || typeof options.device === 'string'
    try {
      const device = ownsDevice ? openDevice(options.device as string | undefined) : options.device as Device
      try {
        return new LanguageModel(folder, config, device, await loadGpt2(file, config, device), ownsDevice)
      } catch (error) { if (ownsDevice) device.dispose(); throw error }
    } finally { await file.close() }
  }

  /** The last part of its folder. */
  get name(): string { return basename(this.folder) }
  get isDisposed(): boolean { return this.#disposed }

  /** Its tokenizer, read at the first call. */
  tokenizer(): Promise<Tokenizer> { return this.#tokenizer ??= openTokenizer(this.folder) }

  /** Buffers for forward passes of up to `rows` token positions. */
  pass(rows: number): Pass {
    if (this.#disposed) throw new TransweldError('ERR_DISPOSED', `the model ${this.name} was used after it was disposed`)
    return new Gpt2Pass(this.config, this.#weights, this.device, integer('rows', rows, 1))
  }

  /**
   * The logits of one sequence of token ids, each < V, at most the context long.
   * @throws ERR_TOKEN_RANGE for an id outside the vocabulary or a sequence longer than the context; ERR_EMPTY_TEXT for none.
   */
  async logits(ids: ArrayLike<number>): Promise<Logits> {
    const checked = this.checkIds(ids), rows = checked.length, columns = this.config.vocabulary
    const pass = this.pass(rows)
    const out = this.device.tensor('f32', rows, columns)
    try {
      pass.begin(checked, Uint32Array.of(0, rows))
      await pass.blocks(0, this.config.layers)
      pass.logits(0, rows, out)
      return { rows, columns, data: await out.read() as Float32Array }
    } finally { out.dispose(); pass.dispose() }
  }

  /** The ids as a Uint32Array, if the model can read them as one sequence. */
  checkIds(ids: ArrayLike<number>): Uint32Array {
    const { vocabulary, context } = this.config
    if (ids.length === 0) throw new TransweldError('ERR_EMPTY_TEXT', 'expected at least one token id but received none')
    if (ids.length > context) throw new TransweldError('ERR_TOKEN_RANGE', `expected at most ${context} tokens (the context of ${this.name}) but received ${ids.length}: shorten the prompt`)
    for (let t = 0; t < ids.length; t++) {
      const id = ids[t]!
      if (!Number.isInteger(id) || id < 0 || id >= vocabulary) throw new TransweldError('ERR_TOKEN_RANGE', `expected token ids from 0 to ${vocabulary - 1} but received ${id} at position ${t}`)
    }
    return Uint32Array.from(ids)
  }

  /** Refuses ids of its own tokenizer that lie outside its vocabulary: the two do not belong together then. */
  checkVocabulary(ids: Uint32Array): void {
    const { vocabulary } = this.config, wrong = ids.find(id => id >= vocabulary)
    if (wrong !== undefined) throw new TransweldError('ERR_TOKEN_RANGE', `expected token ids below ${vocabulary}, the model's vocabulary, but its tokenizer gave ${wrong}`)
  }

  /** Frees the weights, and the device if the model opened it. Passes made from it must be disposed by who made them. */
  dispose(): void {
    if (this.#disposed) return
    this.#disposed = true
    for (const one of gpt2Tensors(this.#weights)) one.dispose()
    if (this.#ownsDevice) this.device.dispose()
  }
  [Symbol.dispose](): void { this.dispose() }
}
