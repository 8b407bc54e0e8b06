// A transcoder: sparse features in place of an MLP. Codes z = activation(x·W_encᵀ + b_enc), ŷ = z·W_dec + b_dec (+ x·W_skipᵀ).
import type { MlpSite } from '../model/site.ts'
import { matmul, sparseDecode } from '../tensor/ops.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { Activation } from './activation.ts'
import { CodeSpace } from './codespace.ts'

/** The tensors of a transcoder: feature-major, so a feature is one row of each matrix. */
export interface TranscoderWeights {
  readonly encoder: Tensor         // [F, D]
  readonly encoderBias: Tensor     // [1, F]
  readonly decoder: Tensor         // [F, O]
  readonly decoderBias: Tensor     // [1, O]
  readonly skip?: Tensor           // [O, D]
}

/** The places that a transcoder reads and writes. */
export interface Ends { readonly reads: MlpSite, readonly writes: MlpSite }

/**
 * A transcoder of one layer: F sparse features from D inputs to O outputs. Owns its weights: dispose it.
 *
 * @example
 * import { openDevice, topK, Transcoder } from 'transweld'
 * using device = openDevice('cpu')
 * const tensor = (values: number[], rows: number) => device.from(new Float32Array(values), rows, values.length / rows)
 * const coder = new Transcoder(0, { reads: 'mlpInput', writes: 'mlpOutput' }, topK(1), {
 *   encoder: tensor([1, 0, 0, 1, 1, 1], 3), encoderBias: tensor([0, 0, 0], 1), decoder: tensor([5, 6, 7], 3), decoderBias: tensor([0.5], 1),
 * })
 * const space = coder.space(1)
 * using x = tensor([1, 2], 1), out = device.tensor('f32', 1, coder.outputs)
 * await coder.encode(x, space)
 * coder.decode(x, space, out)   // feature 2 fires with 3: 3 · 7 + 0.5
 * console.log(await space.pattern.index.read(), await out.read())   // Uint32Array(1) [ 2 ] Float32Array(1) [ 21.5 ]
 * space.dispose()
 * coder.dispose()
 */
export class Transcoder implements Ends {
  readonly layer: number
  readonly reads: MlpSite
  readonly writes: MlpSite
  readonly activation: Activation
  readonly weights: TranscoderWeights

  constructor(layer: number, ends: Ends, activation: Activation, weights: TranscoderWeights) {
    this.layer = layer
    this.reads = ends.reads
    this.writes = ends.writes
    this.activation = activation
    this.weights = weights
  }

  /** F. */
  get features(): number { return this.weights.encoder.rows }
  /** D. */
  get inputs(): number { return this.weights.encoder.columns }
  /** O. */
  get outputs(): number { return this.weights.decoder.columns }

  /** Room for the codes of up to `rows` rows. */
  space(rows: number): CodeSpace { return new CodeSpace(this.weights.encoder.device, rows, this.features, this.activation) }

  /** Enqueues the codes of x [N, D] into a space of N rows; awaits only where rows are ragged. */
  encode(x: Tensor, space: CodeSpace): void | Promise<void> {
    return space.encode(x, this.weights.encoder, { bias: this.weights.encoderBias })
  }

  /** Enqueues ŷ [N, O] from codes, and x [N, D] where there is a skip. */
  decode(x: Tensor, space: CodeSpace, out: Tensor): void {
    decodeInto(this.weights, x, space, out)
  }

  dispose(): void { for (const one of Object.values(this.weights) as Tensor[]) one.dispose() }
  [Symbol.dispose](): void { this.dispose() }
}

/** ŷ = x·W_skipᵀ + z·W_dec + b_dec. */
export function decodeInto(w: TranscoderWeights, x: Tensor, space: CodeSpace, out: Tensor): void {
  if (w.skip) matmul({ a: x, b: w.skip, c: out })
  sparseDecode({ codes: space.pattern, z: space.z, weight: w.decoder, bias: w.decoderBias, out, accumulate: w.skip !== undefined })
}
