// A language model opened from a Hugging Face folder, or from the hub.
import { basename } from 'node:path'
import { resolveModel } from '../hub/resolve.ts'
import { HUB_OPTIONS, type HubOptions } from '../hub/settings.ts'
import { closed, integer, invalid, oneOf, text } from '../native/check.ts'
import { TransweldError } from '../native/error.ts'
import type { TensorReader } from '../safetensors/reader.ts'
import { openWeights } from '../safetensors/weights.ts'
import { type Device, openDevice } from '../tensor/device.ts'
import { openTokenizer, type Tokenizer } from '../tokenizer/tokenizer.ts'
import { Angles } from './angles.ts'
import type { ModelConfig, ModelSource, Weights } from './architecture.ts'
import { KeyCache } from './cache.ts'
import { readPlan } from './config.ts'
import { Decoder, type Running } from './decoder.ts'
import { type FreezeOptions, freeze, type FrozenModel } from './frozen.ts'
import { type BatchToken, generate, generateBatch, type GeneratedToken, type GenerateOptions, type GenerationEnd } from './generate.ts'
import { type Loss, loss, losses, type LossOptions, type TokenLosses } from './loss.ts'
import type { Pass } from './pass.ts'
import type { Sequence, Sequences } from './sequences.ts'
import { type Splice, Splices } from './splice.ts'
import { type Tapped, type TapOptions, taps } from './taps.ts'
import { loadWeights, partsOf, type WeightDtype, weightTensors } from './weights.ts'

/** Options of {@link LanguageModel.open}. */
export interface ModelOptions extends HubOptions {
  /** Where it runs: an open device, or its name; default `TRANSWELD_DEVICE`, else the CPU. An open device is not disposed with the model. */
  readonly device?: Device | string
  /**
   * What the matrices are kept as; vectors stay f32. "file": as the file has them. "i8": integers with a scale for each row, for large models on
   * small machines. Default "auto": f32 where that takes at most 1 GiB, else "file"; the results are the same bits. With `arithmetic: "rounded"`
   * always "file".
   */
  readonly dtype?: 'auto' | 'file' | WeightDtype
  /**
   * "rounded" rounds what bf16 weights are multiplied by to bf16 too, as a bf16 model computes, at the machine's bf16 rate; other weights are not
   * touched by it. Default "exact".
   */
  readonly arithmetic?: 'exact' | 'rounded'
}

/** What `dtype` may be. */
export const DTYPES = ['auto', 'file', 'f32', 'bf16', 'f16', 'i8'] as const
const AUTO_BYTES = 2 ** 30

// The dtype of the matrices: that of the file is what most of its numbers are that a model takes.
function keptAs(asked: typeof DTYPES[number], file: TensorReader, source: ModelSource, isRounded: boolean): WeightDtype {
  if (asked !== 'auto' && asked !== 'file') return asked
  const counts = { F32: 0, BF16: 0, F16: 0 }
  for (const name of new Set(partsOf(source).map(part => part.name))) {
    if (!file.has(name)) continue
    const { dtype, shape } = file.entry(name)
    if (Object.hasOwn(counts, dtype)) counts[dtype as keyof typeof counts] += shape.reduce((a, b) => a * b, 1)
  }
  if (asked === 'auto' && !isRounded && 4 * (counts.F32 + counts.BF16 + counts.F16) <= AUTO_BYTES) return 'f32'
  return counts.BF16 >= counts.F32 && counts.BF16 >= counts.F16 ? 'bf16' : counts.F16 > counts.F32 ? 'f16' : 'f32'
}

/** Logits of a sequence: row t of `data` [T, V] is read after ids[0] … ids[t]. */
export interface Logits { readonly rows: number, readonly columns: number, readonly data: Float32Array }

/**
 * A language model with its weights on a device. Holds memory: dispose it, or declare it with `using`.
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
  /** Its id on the hub, or the last part of its folder. */
  readonly name: string
  readonly config: ModelConfig
  readonly device: Device
  /** Count of weights, tied ones once. */
  readonly parameters: number
  readonly #running: Running
  readonly #ownsDevice: boolean
  #tokenizer: Promise<Tokenizer> | undefined
  #disposed = false

  /** Use {@link LanguageModel.open}. */
  private constructor(folder: string, name: string, running: Running, ownsDevice: boolean) {
    this.folder = folder
    this.name = name
    this.config = running.config
    this.device = running.device
    this.#running = running
    this.#ownsDevice = ownsDevice
    this.parameters = weightTensors(running.weights, false).reduce((sum, t) => sum + t.rows * t.columns, 0)
  }

  /**
   * Opens a folder with `config.json` and `model.safetensors` (f32, bf16 or f16; or shards with their index), or a model on the hub by its
   * id, `org/name`, which is downloaded where the cache does not hold it: see `resolveModel`.
   * @throws ERR_FILE, ERR_FORMAT, ERR_NOT_FINITE for a folder that is not whole, ERR_UNSUPPORTED for an architecture or a
   * config field that is not supported, ERR_OUT_OF_MEMORY, ERR_ABORTED (nothing is kept); and as `resolveModel` does.
   */
  static async open(model: string, options: ModelOptions = {}): Promise<LanguageModel> {
    text('model', model)
    closed('LanguageModel.open', options, ['device', 'dtype', 'arithmetic', ...HUB_OPTIONS])
    const { device: where, dtype = 'auto', arithmetic = 'exact', ...hub } = options
    const asked = oneOf('dtype', dtype, DTYPES), isRounded = oneOf('arithmetic', arithmetic, ['exact', 'rounded']) === 'rounded'
    const { folder, id = basename(folder) } = await resolveModel(model, hub)
    const { config, source } = await readPlan(folder)
    const file = await openWeights(folder)
    const ownsDevice = where === undefined || typeof where === 'string'
    try {
      const device = ownsDevice ? openDevice(where) : where
      try {
        const stands = source(file), kept = keptAs(asked, file, stands, isRounded)
        const weights = await loadWeights(file, stands, device, { dtype: kept, signal: hub.signal })
        return new LanguageModel(folder, id, { config, weights, device, angles: new Angles(device, config.rotaries, config.context), isRounded }, ownsDevice)
      } catch (error) { if (ownsDevice) device.dispose(); throw error }
    } finally { await file.close() }
  }

  get isDisposed(): boolean { return this.#disposed }
  /** Its weights on the device. They belong to the model. */
  get weights(): Weights { return this.#alive().weights }

  /** Its tokenizer, read at the first call. */
  tokenizer(): Promise<Tokenizer> { return this.#tokenizer ??= openTokenizer(this.folder) }

  /** Buffers for forward passes of up to `rows` token positions. */
  pass(rows: number): Pass { return new Decoder(this.#alive(), integer('rows', rows, 1)) }

  /** Room for the keys and values of `sequences` sequences of up to `capacity` tokens, for passes that go on where others ended. */
  cache(sequences: number, capacity: number): KeyCache { return new KeyCache(this.config, this.#alive().device, sequences, capacity) }

  /**
   * The logits of one sequence of token ids, each < V, at most the context long.
   * @param options.splices changes of the model while it reads; default none
   * @throws ERR_TOKEN_RANGE for an id outside the vocabulary or a sequence longer than the context; ERR_EMPTY_TEXT for none.
   */
  async logits(ids: ArrayLike<number>, options: { readonly splices?: readonly Splice[] } = {}): Promise<Logits> {
    closed('logits', options, ['splices'])
    const checked = this.checkIds(ids), rows = checked.length, columns = this.config.vocabulary
    using splices = new Splices(this, options.splices ?? []), pass = this.pass(rows), out = this.device.tensor('f32', rows, columns)
    pass.begin(checked, Uint32Array.of(0, rows))
    await pass.blocks(0, this.config.layers, splices)
    await pass.logitsWith(0, rows, out, splices)
    return { rows, columns, data: await out.read() }
  }

  /**
   * The linear maps of the model at one prompt: attention patterns and norm denominators kept, MLPs constant. On the model's device; dispose it
   * before the model.
   * @throws as {@link LanguageModel.logits}, ERR_OUT_OF_MEMORY
   */
  async freeze(ids: ArrayLike<number>, options: FreezeOptions = {}): Promise<FrozenModel> {
    return freeze(this, this.checkIds(ids), options)
  }

  /**
   * New tokens after a prompt, one by one: a text, or ids. Without options the most probable token is taken each time, until an end of text
   * or 256 tokens. The iterator returns why it ended. One that is not read to its end gives back its memory when `return` is called (`for await`
   * does).
   *
   * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_EMPTY_TEXT, ERR_TOKEN_RANGE for an id outside the vocabulary or a prompt longer than the
   * context (see the option `context`), ERR_OUT_OF_MEMORY, ERR_ABORTED, ERR_NOT_FINITE; ERR_DISPOSED where the model was disposed meanwhile.
   * @example
   * import { LanguageModel } from 'transweld'
   * using model = await LanguageModel.open('examples/codelm')
   * let text = ''
   * for await (const token of model.generate('for (let i = 0', { maxTokens: 8 })) text += token.text
   * console.log(text)
   */
  generate(prompt: Sequence, options: GenerateOptions = {}): AsyncGenerator<GeneratedToken, GenerationEnd, undefined> {
    return generate(this, prompt, options)
  }

  /**
   * The same for several prompts at once: a step reads the weights once for all of them. Each sequence has the tokens that it would have alone;
   * where tokens are drawn, draws of its own. The iterator gives the next token of each sequence that goes on, in order, and returns why each ended.
   *
   * @throws as {@link LanguageModel.generate}
   * @example
   * import { LanguageModel } from 'transweld'
   * using model = await LanguageModel.open('examples/codelm')
   * const texts = ['let a = ', 'for (let i']
   * for await (const { sequence, text } of model.generateBatch(texts, { maxTokens: 8 })) texts[sequence] += text
   * console.log(texts.length)   // 2
   */
  generateBatch(prompts: readonly Sequence[], options: GenerateOptions = {}): AsyncGenerator<BatchToken, GenerationEnd[], undefined> {
    return generateBatch(this, prompts, options)
  }

  /**
   * What the model has at its sites while it reads, batch by batch: copies on the device, which are read only where they are asked for.
   * `input` is a text, ids, or an iterable of these, sync or async; each is one sequence, at most the context long.
   *
   * @throws as {@link LanguageModel.logits}; ERR_UNSUPPORTED for a site that this family has not; ERR_ABORTED.
   * @example
   * import { LanguageModel } from 'transweld'
   * using model = await LanguageModel.open('examples/codelm')
   * for await (const batch of model.taps(['let a = 1', 'let b = 2'], { sites: ['mlpInput', 'hook_resid_post'], layers: 2 })) {
   *   const input = await batch.tensor('mlpInput').read()
   *   console.log(batch.starts, input.length === batch.ids.length * model.config.width)
   * }
   */
  taps(input: Sequences, options: TapOptions): AsyncGenerator<Tapped, void, undefined> { return taps(this, input, options) }

  /**
   * The loss of each token of a text, ids, or many of either, in pieces of consecutive tokens. Sequences longer than the window are cut.
   *
   * @throws as {@link LanguageModel.logits}; ERR_ABORTED; ERR_NOT_FINITE where logits hold NaN or infinity.
   * @example
   * import { LanguageModel } from 'transweld'
   * using model = await LanguageModel.open('examples/codelm')
   * for await (const { ids, nats } of model.losses('return a + b')) console.log(ids.length === nats.length, nats[0])   // true NaN
   */
  losses(input: Sequences, options: LossOptions = {}): AsyncGenerator<TokenLosses, void, undefined> { return losses(this, input, options) }

  /**
   * The sum of these losses, their mean over predicted tokens, and the perplexity.
   *
   * @throws as {@link LanguageModel.losses}; ERR_EMPTY_TEXT where no token is predicted.
   * @example
   * import { LanguageModel } from 'transweld'
   * using model = await LanguageModel.open('examples/codelm')
   * const { mean, perplexity } = await model.loss('export function add(a, b) { return a + b }', { splices: [{ site: 'mlpWrite', layers: 0, scale: 0 }] })
   * console.log(Math.log(perplexity) - mean < 1e-9)   // true
   */
  loss(input: Sequences, options: LossOptions = {}): Promise<Loss> { return loss(this, input, options) }

  /** The ids as a Uint32Array, if the model can read them as one sequence; with `slides` it may be longer than the context. */
  checkIds(ids: ArrayLike<number>, { slides }: { readonly slides?: boolean } = {}): Uint32Array {
    const { vocabulary, context } = this.config
    if (typeof ids !== 'object' || typeof ids?.length !== 'number') throw invalid('token ids', 'a list of token ids', ids)
    if (ids.length === 0) throw new TransweldError('ERR_EMPTY_TEXT', 'expected at least one token id but received none')
    if (ids.length > context && slides !== true) {
      const fix = slides === false ? "shorten it, or read its last tokens alone with the option context: 'slide'" : 'shorten it'
      throw new TransweldError('ERR_TOKEN_RANGE', `expected at most ${context} tokens (the context of ${this.name}) but received ${ids.length}: ${fix}`)
    }
    for (let t = 0; t < ids.length; t++) {
      const id = ids[t]!
      if (Number.isInteger(id) && id >= 0 && id < vocabulary) continue
      throw new TransweldError('ERR_TOKEN_RANGE', `expected token ids from 0 to ${vocabulary - 1} but received ${id} at position ${t}`)
    }
    return Uint32Array.from(ids)
  }

  /** Refuses ids of its own tokenizer that lie outside its vocabulary: the two do not belong together then. */
  checkVocabulary(ids: Uint32Array): void {
    const { vocabulary } = this.config, wrong = ids.find(id => id >= vocabulary)
    if (wrong === undefined) return
    throw new TransweldError('ERR_TOKEN_RANGE', `expected token ids below ${vocabulary}, the model's vocabulary, but its tokenizer gave ${wrong}`)
  }

  /** Frees the weights, and the device if the model opened it. Passes made from it must be disposed by who made them. */
  dispose(): void {
    if (this.#disposed) return
    this.#disposed = true
    for (const one of weightTensors(this.#running.weights)) one.dispose()
    this.#running.angles.dispose()
    if (this.#ownsDevice) this.device.dispose()
  }
  [Symbol.dispose](): void { this.dispose() }

  #alive(): Running {
    if (this.#disposed) throw new TransweldError('ERR_DISPOSED', `the model ${this.name} was used after it was disposed`)
    return this.#running
  }
}
