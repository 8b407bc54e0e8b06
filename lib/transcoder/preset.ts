// What a training run starts from, by activation: every default with its source, and the first weights.
import { fill, fillRandom, unitRows } from '../tensor/ops.ts'
import type { Activation } from './activation.ts'
import type { TranscoderWeights } from './transcoder.ts'

/** The loss that is differentiated; the learning rate belongs to it. */
export type LossName = 'fvu' | 'sumMse'

/** Defaults of a recipe. */
export interface Preset {
  readonly name: 'topk' | 'relu'
  readonly loss: LossName
  /** Peak learning rate for F features. */
  readonly rate: (features: number) => number
  /** Warm-up steps of a run of `steps`. */
  readonly warmUp: (steps: number) => number
  /** Share of the run over which the rate falls to 0 at the end. */
  readonly decay: number
  /** Tokens without firing after which a feature is dead, for a run of `tokens`. */
  readonly deadAfter: (tokens: number) => number
  /** Weight of AuxK; 0 is off. */
  readonly auxiliary: number
}

const shared = {
  // the larger of 50 steps and 2 %: short runs need it short, and Adam's moments need some tens of steps
  warmUp: (steps: number): number => Math.max(50, Math.round(steps * 0.02)),
  // last fifth to 0: Anthropic's January 2025 recipe, dictionary_learning's decay
  decay: 0.2,
  // 10 M tokens: sparsify, dictionary_learning, OpenAI; a tenth of the run where that is less
  deadAfter: (tokens: number): number => Math.min(10e6, Math.round(tokens / 10)),
}

/**
 * The preset of an activation.
 *
 * - `topk`: loss FVU, rate 2e-4/√(F/2¹⁴) (sparsify's Adam, dictionary_learning's TopK family), AuxK weight 1/32 (Gao et
 *   al., 2406.04093 §A.2) over min(O/2, dead) features.
 * - `relu`: sum-MSE and decoder-norm-weighted L1 (SAELens, Anthropic 2024); rate 3e-4 (SAELens), no AuxK.
 *
 * @example
 * import { presetOf, topK } from 'transweld'
 * const { loss, rate, warmUp, auxiliary } = presetOf(topK(16))
 * console.log(loss, rate(16384), warmUp(10_000), auxiliary)   // fvu 0.0002 200 0.03125
 */
export function presetOf(activation: Activation): Preset {
  return activation.kind === 'topk'
    ? { name: 'topk', loss: 'fvu', rate: F => 2e-4 / Math.sqrt(F / 2 ** 14), auxiliary: 1 / 32, ...shared }
    : { name: 'relu', loss: 'sumMse', rate: () => 3e-4, auxiliary: 0, ...shared }
}

/**
 * The first weights, b_dec aside (it becomes the mean of y on the first buffer).
 *
 * - W_enc: uniform ±1/√D (torch's Linear, as sparsify and dictionary_learning have it); b_enc 0
 * - W_dec: zero for TopK transcoders (sparsify); for ReLU rows of norm 0.1 in random directions (SAELens: a zero row would
 *   have no direction for the L1 penalty to shrink)
 * - W_skip: zero (Paulo et al., 2501.18823)
 */
export function initialise(w: TranscoderWeights, activation: Activation, seed: number, layer: number): void {
  const bound = 1 / Math.sqrt(w.encoder.columns)
  // One stream of draws a tensor: the counter's upper half is the tensor's number.
  const offset = (which: number): number => (layer * 2 + which) * 2 ** 40
  fillRandom({ out: w.encoder, distribution: 'uniform', seed, offset: offset(0), low: -bound, high: bound })
  if (activation.kind === 'relu') {
    fillRandom({ out: w.decoder, distribution: 'normal', seed, offset: offset(1), low: 0, high: 1 })
    unitRows({ weight: w.decoder, target: 0.1 })
  } else fill({ out: w.decoder, value: 0 })
  for (const zero of [w.encoderBias, w.decoderBias, w.skip]) if (zero) fill({ out: zero, value: 0 })
}
