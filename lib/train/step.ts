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
import { decodeInto, Transcoder } from '../transcoder/transcoder.ts'
import { CodeSpace, type EncodeCounts } from '../transcoder/codespace.ts'
import { enqueueAuxiliary } from './aux.ts'
import { FeatureMajor } from './regroup.ts'
import type { Settings } from './settings.ts'

/** What the layers of a run share, for they are trained one after the other: a batch and all that lies between. */
export class Bench {
  readonly device: Device
  readonly settings: Settings
  readonly x: Tensor             // [N, D]
  readonly y: Tensor             // [N, O]
  readonly yHat: Tensor          // [N, O]; later the residual that AuxK explains
  readonly dy: Tensor            // [N, O]
  readonly space: CodeSpace      // z
  dz: Tensor                     // a plane of space
  readonly byFeature: FeatureMajor
  readonly ok: Tensor            // u32 [1, 1]: 0 where the loss was not finite, and nothing is updated
  readonly stats: Tensor         // f32 [1, 8] of recon_loss
  readonly auxStats: Tensor
  readonly penalty: Tensor       // f32 [1, 1]
  readonly biasGradient: Tensor  // [1, O]
  readonly skipGradient: Tensor | undefined  // [O, D]

  constructor(device: Device, settings: Settings, inputs: number, outputs: number) {
    const { batch, features, activation, skip } = settings
    this.device = device
    this.settings = settings
    this.x = device.tensor('f32', batch, inputs)
    this.y = device.tensor('f32', batch, outputs)
    this.yHat = device.tensor('f32', batch, outputs)
    this.dy = device.tensor('f32', batch, outputs)
    this.space = new CodeSpace(device, batch, features, activation)
    this.dz = this.space.plane()
    this.byFeature = new FeatureMajor(device, features, this.space.capacity)
    this.space.onGrowth = capacity => { this.dz.dispose(); this.dz = this.space.plane(); this.byFeature.grow(capacity) }
    this.ok = device.tensor('u32', 1, 1)
    this.stats = device.tensor('f32', 1, 8)
    this.auxStats = device.tensor('f32', 1, 8)
    this.penalty = device.tensor('f32', 1, 1)
    this.biasGradient = device.tensor('f32', 1, outputs)
    this.skipGradient = skip ? device.tensor('f32', outputs, inputs) : undefined
    for (const one of [this.auxStats, this.penalty]) fill({ out: one, value: 0 })
  }

  dispose(): void {
    this.space.dispose()
    this.byFeature.dispose()
    for (const one of [this.x, this.y, this.yHat, this.dy, this.dz, this.ok, this.stats, this.auxStats, this.penalty, this.biasGradient, this.skipGradient]) one?.dispose()
  }
}

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
  readonly norms: Tensor | undefined     // [1, F] of decoder rows, for the L1 penalty
  readonly #settings: Settings
  readonly #shadows: Shadows
  readonly #modes: readonly ScreenMode[]
  readonly #chooser: ScreenChooser

  constructor(device: Device, settings: Settings, layer: number, inputs: number, outputs: number, screen: 'auto' | ScreenMode) {
    const { features: F, activation, skip, seed } = settings
    this.layer = layer
    this.#settings = settings
    this.parameters = {
      encoder: new Parameter(device, F, inputs), encoderBias: new Parameter(device, 1, F), decoder: new Parameter(device, F, outputs),
      decoderBias: new Parameter(device, 1, outputs), ...(skip && { skip: new Parameter(device, outputs, inputs) }),
    }
    const { encoder, encoderBias, decoder, decoderBias } = this.parameters
    initialise({ encoder: encoder.value, encoderBias: encoderBias.value, decoder: decoder.value, decoderBias: decoderBias.value, skip: this.parameters.skip?.value }, activation, seed, layer)
    this.norms = activation.kind === 'relu' ? device.tensor('f32', 1, F) : undefined
    const here = screenModes(device, F, inputs)
    this.#modes = screen === 'auto' ? here : here.includes(screen) ? [screen] : ['none']
    this.#shadows = new Shadows(encoder.value)
    this.#chooser = new ScreenChooser(this.#modes)
  }

  /** The weights as a transcoder: the same tensors. Who keeps it must `dispose({ keepWeights: true })` here. */
  get coder(): Transcoder {
    const { encoder, encoderBias, decoder, decoderBias, skip } = this.parameters, s = this.#settings
    return new Transcoder(this.layer, s, s.activation, {
      encoder: encoder.value, encoderBias: encoderBias.value, decoder: decoder.value, decoderBias: decoderBias.value, ...(skip && { skip: skip.value }),
    })
  }

  /** b_dec = mean of y [B, O] (the first buffer). */
  startBias(y: Tensor): void { reduceRows({ x: y, scale: 1 / y.rows, out: this.parameters.decoderBias.value }) }

  /**
   * Enqueues step `step` (from 0) on bench.x and bench.y. `dead`: features for AuxK, ascending. Resolves the figures later;
   * the outer promise is done when everything is enqueued.
   */
  async enqueue(bench: Bench, step: number, dead: Uint32Array): Promise<{ figures: Promise<StepFigures> }> {
    const { batch, activation, loss, auxiliary } = this.#settings, { x, y, yHat, dy, space, byFeature, ok } = bench
    const { encoder, encoderBias, decoder, decoderBias, skip } = this.parameters
    const adam = adamScalars(rateAt({ ...this.#settings, peak: this.#settings.rate }, step), step + 1)
    const l1 = activation.kind === 'relu' ? activation.l1 / batch : 0

    const mode = this.#chooser.next(), shadow = this.#shadows.of(mode)
    const encoding = space.encode(x, encoder.value, { bias: encoderBias.value, screen: mode, shadow })
    if (encoding) await encoding
    decodeInto({ encoder: encoder.value, encoderBias: encoderBias.value, decoder: decoder.value, decoderBias: decoderBias.value, ...(skip && { skip: skip.value }) }, x, space, yHat)
    fill({ out: ok, bits: 1 })
    reconLoss({ y, yHat, loss, weight: 1, dy, stats: bench.stats, ok })
    if (this.norms) unitRows({ weight: decoder.value, norms: this.norms })
    sparseSample({ codes: space.pattern, g: dy, weight: decoder.value, gate: space.z, out: bench.dz, ...(this.norms && { norms: this.norms, penalty: l1, penaltySum: bench.penalty }) })
    byFeature.regroup(space.pattern, batch, space.z)
    const extra = auxiliary > 0 && dead.length > 0 ? enqueueAuxiliary(bench, { encoder: encoder.value, encoderBias: encoderBias.value, decoder: decoder.value }, dead, auxiliary) : undefined

    const main = byFeature.term
    sparseScatter({ mode: 'adam', ...weightsOf(decoder), terms: [{ ...main, plane: space.z, dense: dy }, ...extra?.decoderTerms ?? []], ok, adam, selfPenalty: l1 })
    this.#updateEncoder([{ ...main, plane: bench.dz, dense: x }, ...extra?.encoderTerms ?? []], ok, adam)
    reduceRows({ x: dy, scale: 1, out: bench.biasGradient })
    decoderBias.step(bench.biasGradient, adam, ok)
    if (skip) {
      matmul({ a: dy, b: x, contract: 'rows', c: bench.skipGradient! })
      skip.step(bench.skipGradient!, adam, ok)
    }
    extra?.dispose()
    return { figures: this.#figures(bench, mode, extra !== undefined, l1 > 0) }
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

  async #figures(bench: Bench, mode: ScreenMode, hasAuxiliary: boolean, hasPenalty: boolean): Promise<StepFigures> {
    const [stats, aux, penalty, fired, counts] = await Promise.all([
      bench.stats.read() as Promise<Float32Array>, hasAuxiliary ? bench.auxStats.read() as Promise<Float32Array> : undefined,
      hasPenalty ? bench.penalty.read() as Promise<Float32Array> : undefined, bench.byFeature.fired.read() as Promise<Uint32Array>, bench.space.counts(),
    ])
    this.#chooser.took(mode, counts.nanoseconds)
    return { loss: stats[0]! + (aux?.[0] ?? 0) + (penalty?.[0] ?? 0), fvu: stats[1]! / stats[2]!, fired, counts }
  }
}

function weightsOf(p: Parameter): { weight: Tensor, m: Tensor, v: Tensor } { return { weight: p.value, m: p.m, v: p.v } }
