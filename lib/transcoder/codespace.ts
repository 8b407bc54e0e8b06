// Room for the codes of a batch, and the encode that fills it.
import { TransweldError } from '../native/error.ts'
import { type Pattern, patternFixed, patternRagged } from '../tensor/codes.ts'
import type { Device } from '../tensor/device.ts'
import { sparseEncode } from '../tensor/ops.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { Activation } from './activation.ts'
import type { ScreenMode } from './screen.ts'

/** What an encode told: sums over the rows of the batch. */
export interface EncodeCounts { readonly needed: number, readonly candidates: number, readonly plain: number, readonly nanoseconds: number }

/** How to encode. */
export interface EncodeOptions { readonly bias?: Tensor, readonly screen?: ScreenMode, readonly shadow?: Tensor | undefined }

const FIRST_SHARE = 0.25     // of N·F: what a ragged pattern gets at first; it grows when a batch needs more

/**
 * Room for the codes of N rows: a pattern and one plane of values. Owns its tensors: dispose it. For TopK it holds N·K positions; for
 * ReLU, whose rows are ragged, a quarter of N·F at first, and it grows by itself. Made by `Transcoder.space`.
 *
 * @example
 * import { openDevice, relu, Transcoder } from 'transweld'
 * using device = openDevice('cpu')
 * const ones = (rows: number, columns: number) => device.from(new Float32Array(rows * columns).fill(1), rows, columns)
 * const coder = new Transcoder(0, { reads: 'mlpInput', writes: 'mlpOutput' }, relu(), {
 *   encoder: ones(8, 4), encoderBias: ones(1, 8), decoder: ones(8, 4), decoderBias: ones(1, 4),
 * })
 * const space = coder.space(1)
 * space.onGrowth = capacity => console.log('grew to', capacity)   // grew to 10
 * using x = ones(1, 4)
 * await coder.encode(x, space)
 * console.log(await space.pattern.starts!.read())   // BigUint64Array(2) [ 0n, 8n ]
 * space.dispose()
 * coder.dispose()
 */
export class CodeSpace {
  readonly rows: number
  readonly features: number
  readonly activation: Activation
  readonly device: Device
  #pattern: Pattern
  #z: Tensor
  readonly #counts: Tensor          // u64 [1, 4]
  /** Called when the room has grown, with its new capacity. */
  onGrowth: ((capacity: number) => void) | undefined

  constructor(device: Device, rows: number, features: number, activation: Activation) {
    this.device = device
    this.rows = rows
    this.features = features
    this.activation = activation
    this.#counts = device.tensor('u64', 1, 4)
    const capacity = activation.kind === 'topk' ? rows * activation.k : Math.ceil(rows * features * FIRST_SHARE)
    this.#pattern = this.#room(capacity)
    this.#z = this.#plane()
  }

  /** Where the codes of the last encode lie. Another one after it has grown. */
  get pattern(): Pattern { return this.#pattern }
  /** Their values: a plane of `pattern`. */
  get z(): Tensor { return this.#z }
  get isRagged(): boolean { return this.activation.kind === 'relu' }
  /** Positions that fit. */
  get capacity(): number { return this.#pattern.index.rows * this.#pattern.index.columns }

  /** A further plane over the same positions, owned by the caller. */
  plane(): Tensor { return this.#plane() }

  /**
   * Encodes x [N, D] by `weight` [F, D]. For TopK it enqueues and returns; for a ragged pattern it waits for the count of
   * positions, and encodes again in a larger room where they did not fit.
   */
  encode(x: Tensor, weight: Tensor, options: EncodeOptions): void | Promise<void> {
    if (x.rows !== this.rows) throw new TransweldError('ERR_SHAPE_MISMATCH', `expected x of ${this.rows} rows for a code space of as many but received ${x}`)
    this.#enqueue(x, weight, options)
    return this.isRagged ? this.#untilItFits(x, weight, options) : undefined
  }

  /** Enqueues a TopK encode over the features of `subset` (u32 [1, S], ascending) alone. */
  encodeSubset(x: Tensor, weight: Tensor, bias: Tensor, subset: Tensor): void {
    sparseEncode({ x, weight, bias, subset, rule: 'topk', codes: this.#pattern, z: this.#z, counts: this.#counts })
  }

  /** The counts of the last encode. */
  async counts(): Promise<EncodeCounts> {
    const [needed, candidates, plain, nanoseconds] = await this.#counts.read() as BigUint64Array
    return { needed: Number(needed), candidates: Number(candidates), plain: Number(plain), nanoseconds: Number(nanoseconds) }
  }

  dispose(): void {
    this.#free()
    this.#counts.dispose()
  }
  [Symbol.dispose](): void { this.dispose() }

  async #untilItFits(x: Tensor, weight: Tensor, options: EncodeOptions): Promise<void> {
    for (;;) {
      const { needed } = await this.counts()
      if (needed <= this.capacity) return
      this.#free()
      this.#pattern = this.#room(Math.ceil(needed * 1.25))
      this.#z = this.#plane()
      this.onGrowth?.(this.capacity)
      this.#enqueue(x, weight, options)
    }
  }

  #enqueue(x: Tensor, weight: Tensor, { bias, screen = 'none', shadow }: EncodeOptions): void {
    const a = this.activation
    sparseEncode({
      x, weight, ...(bias && { bias }), screen: shadow ? screen : 'none', ...(shadow && { shadow }),
      rule: a.kind === 'topk' ? 'topk' : 'positive', relu: !(a.kind === 'topk' && a.signed), codes: this.#pattern, z: this.#z, counts: this.#counts,
    })
  }

  #room(capacity: number): Pattern {
    const { device, rows, features, activation } = this
    return activation.kind === 'topk' ? patternFixed(device, rows, activation.k, features) : patternRagged(device, rows, capacity, features)
  }

  #plane(): Tensor { return this.device.tensor('f32', this.#pattern.index.rows, this.#pattern.index.columns) }

  #free(): void {
    this.#pattern.index.dispose()
    this.#pattern.starts?.dispose()
    this.#z.dispose()
  }
}
