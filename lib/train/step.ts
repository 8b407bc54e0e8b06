// One training step of one layer's transcoder, in the sparse verbs: every sample and decode first, then the updates.
//
//   z = encode(x)                        [N, F] in K codes a row, never stored
//   ŷ = decode(z) + x·W_skipᵀ            [N, O]
//   dy = ∂loss/∂ŷ                        FVU: 2(ŷ − y)/V; sum-MSE: 2(ŷ − y)/N
//   dz = dy·d_f (+ λ/N ‖d_f‖) where z > 0
//   W_dec ← Adam(codesᵀ·dy), b_dec ← Adam(Σ dy), W_enc ← Adam(dzᵀ·x), b_enc ← Adam(Σ dz), W_skip ← Adam(dyᵀ·x)
//
// The gradients of W_enc and W_dec are never stored: they end in the update, row by row.
import { adamScalars, Parameter } from '../optim/adam.ts'
import { rateAt } from '../optim/schedule.ts'
import type { Device } from '../tensor/device.ts'
import { type AdamScalars, fill, matmul, reconLoss, reduceRows, sparseSample, sparseScatter, unitRows } from '../tensor/ops.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { initialise } from '../transcoder/preset.ts'
import { ScreenChooser, type ScreenMode, screenModes, Shadows } from '../transcoder/screen.ts'
import { decodeInto, Transcoder, type TranscoderWeights } from '../transcoder/transcoder.ts'
import type { EncodeCounts } from '../transcoder/codespace.ts'
import { enqueueAuxiliary } from './auxiliary.ts'
import type { Settings } from './settings.ts'
import type { Workspace } from './workspace.ts'

/** What a step tells when its numbers have arrived. */
export interface StepFigures {
  readonly loss: number
  readonly fvu: number
  /** For each feature the rows of the batch on which it fired, u32 [F]. */
  readonly fired: Uint32Array
  readonly counts: EncodeCounts
}

/** A transcoder in training: its parameters, moments and low-precision copies. */
export class Trainee {
  readonly layer: number
  readonly parameters: Readonly<Record<'encoder' | 'encoderBias' | 'decoder' | 'decoderBias', Parameter>> & { readonly skip?: Parameter }
  /** The tensors of the parameters, as a coder has them. */
  readonly weights: TranscoderWeights
  /** [1, F] of decoder rows, for the L1 penalty; renewed by the update. */
  readonly norms: Tensor | undefined
  readonly #settings: Settings
  readonly #shadows: Shadows
  readonly #chooser: ScreenChooser
  #measured = -1                // version of the decoder that norms belongs to

  constructor(device: Device, settings: Settings, layer: number, inputs: number, outputs: number, screen: 'auto' | ScreenMode) {
    const { features: F, activation, skip, seed } = settings
    this.layer = layer
    this.#settings = settings
    this.parameters = {
      encoder: new Parameter(device, F, inputs), encoderBias: new Parameter(device, 1, F), decoder: new Parameter(device, F, outputs),
      decoderBias: new Parameter(device, 1, outputs), ...(skip && { skip: new Parameter(device, outputs, inputs) }),
    }
    const { encoder, encoderBias, decoder, decoderBias } = this.parameters
    this.weights = {
      encoder: encoder.value, encoderBias: encoderBias.value, decoder: decoder.value, decoderBias: decoderBias.value,
      ...(this.parameters.skip && { skip: this.parameters.skip.value }),
    }
    initialise(this.weights, activation, seed, layer)
    this.norms = activation.kind === 'relu' ? device.tensor('f32', 1, F) : undefined
    this.#shadows = new Shadows(encoder.value)
    this.#chooser = new ScreenChooser(screen === 'auto' ? screenModes(device, F, inputs) : [screen])
  }

  /** The weights as a transcoder: the same tensors. Who keeps it must `dispose({ keepWeights: true })` here. */
  get coder(): Transcoder { return new Transcoder(this.layer, this.#settings, this.#settings.activation, this.weights) }

  /** b_dec = mean of y [B, O] (the first buffer). */
  startBias(y: Tensor): void { reduceRows({ x: y, scale: 1 / y.rows, out: this.parameters.decoderBias.value }) }

  /**
   * Enqueues step `step` (from 0) on work.x and work.y. `dead`: features for AuxK, ascending. Resolves the figures later;
   * the outer promise is done when everything is enqueued.
   */
  async enqueue(work: Workspace, step: number, dead: Uint32Array): Promise<{ figures: Promise<StepFigures> }> {
    const { batch, activation, loss, auxiliary } = this.#settings, { x, y, yHat, dy, space, byFeature, ok } = work
    const { encoder, encoderBias, decoder, decoderBias, skip } = this.parameters
    const adam = adamScalars(rateAt({ ...this.#settings, peak: this.#settings.rate }, step), step + 1)
    const l1 = activation.kind === 'relu' ? activation.l1 / batch : 0

    const mode = this.#chooser.next(), shadow = this.#shadows.of(mode)
    const encoding = space.encode(x, encoder.value, { bias: encoderBias.value, screen: mode, shadow })
    if (encoding) await encoding
    decodeInto(this.weights, x, space, yHat)
    fill({ out: ok, bits: 1 })
    reconLoss({ y, yHat, loss, weight: 1, dy, stats: work.stats, ok })
    if (this.norms && this.#measured !== decoder.value.version) unitRows({ weight: decoder.value, norms: this.norms })
    const penalty = this.norms && { norms: this.norms, penalty: l1, penaltySum: work.penalty }
    sparseSample({ codes: space.pattern, g: dy, weight: decoder.value, gate: space.z, out: work.dz, ...penalty })
    byFeature.regroup(space.pattern, batch, space.z)
    const extra = auxiliary > 0 && dead.length > 0 ? enqueueAuxiliary(work, this.weights, dead, auxiliary) : undefined

    const main = byFeature.term
    const decoderTerms = [{ ...main, plane: space.z, dense: dy }, ...extra?.decoderTerms ?? []]
    sparseScatter({ mode: 'adam', ...weightsOf(decoder), terms: decoderTerms, ok, adam, selfPenalty: l1, norms: this.norms })
    this.#measured = decoder.value.version
    this.#updateEncoder([{ ...main, plane: work.dz, dense: x }, ...extra?.encoderTerms ?? []], ok, adam)
    reduceRows({ x: dy, scale: 1, out: work.biasGradient })
    decoderBias.step(work.biasGradient, adam, ok)
    if (skip) {
      matmul({ a: dy, b: x, contract: 'rows', c: work.skipGradient! })
      skip.step(work.skipGradient!, adam, ok)
    }
    extra?.dispose()
    return { figures: this.#figures(work, mode, extra !== undefined, l1 > 0) }
  }

  /** Frees everything, or all but the weights where a suite has taken them over. */
  dispose(options: { readonly keepWeights: boolean } = { keepWeights: false }): void {
    for (const one of Object.values(this.parameters) as Parameter[]) if (options.keepWeights) one.disposeMoments(); else one.dispose()
    this.norms?.dispose()
    this.#shadows.dispose()
  }

  // The copy that the next step will screen with is renewed in the same pass.
  #updateEncoder(terms: Parameters<typeof sparseScatter>[0]['terms'], ok: Tensor, adam: AdamScalars): void {
    const { encoder, encoderBias } = this.parameters, next = this.#chooser.upcoming
    if (!this.#chooser.isTrying) this.#shadows.keepOnly(next)
    const shadow = this.#shadows.toRefresh(next)
    sparseScatter({
      mode: 'adam', ...weightsOf(encoder), bias: encoderBias.value, biasM: encoderBias.m, biasV: encoderBias.v, terms, ok, adam,
      ...(shadow && { shadow, screen: next }),
    })
    if (shadow) this.#shadows.refreshed(next)
  }

  async #figures(work: Workspace, mode: ScreenMode, hasAuxiliary: boolean, hasPenalty: boolean): Promise<StepFigures> {
    const [stats, aux, penalty, fired, counts] = await Promise.all([
      work.stats.read() as Promise<Float32Array>, hasAuxiliary ? work.auxStats.read() as Promise<Float32Array> : undefined,
      hasPenalty ? work.penalty.read() as Promise<Float32Array> : undefined, work.byFeature.fired.read() as Promise<Uint32Array>, work.space.counts(),
    ])
    this.#chooser.took(mode, counts.nanoseconds)
    return { loss: stats[0]! + (aux?.[0] ?? 0) + (penalty?.[0] ?? 0), fvu: stats[1]! / stats[2]!, fired, counts }
  }
}

function weightsOf(p: Parameter): { weight: Tensor, m: Tensor, v: Tensor } { return { weight: p.value, m: p.m, v: p.v } }
