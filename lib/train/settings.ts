// The options of a training run, checked and completed: every default is the preset's, with its source there.
import { closed, finite, flag, integer, invalid, oneOf } from '../native/check.ts'
import { TransweldError } from '../native/error.ts'
import { type LanguageModel } from '../model/model.ts'
import { MLP_SITES, type MlpSite } from '../model/site.ts'
import type { Activation } from '../transcoder/activation.ts'
import { type LossName, presetOf } from '../transcoder/preset.ts'
import type { ScreenMode } from '../transcoder/screen.ts'

/** Options of {@link train}. */
export interface TrainOptions {
  readonly model: LanguageModel
  /** Files, folders or globs; gzip is recognised by content. */
  readonly text: string | readonly string[]
  /** Layers to train, all in one pass over the model. Default all. */
  readonly layers?: 'all' | readonly number[]
  /** F, features of each transcoder. */
  readonly features: number
  readonly activation: Activation
  /** Adds a linear path x·W_skipᵀ (Paulo et al., 2501.18823). Default false. */
  readonly skip?: boolean
  /** Token positions to train on, rounded down to whole batches. */
  readonly tokens: number
  /** N, rows of a batch. Default 4096 (SAELens). */
  readonly batch?: number
  /** Peak learning rate. Default the preset's. */
  readonly rate?: number
  /** Default 0. */
  readonly seed?: number
  /** Site that is read. Default mlpInput. */
  readonly reads?: MlpSite
  /** Site that is written. Default mlpOutput. */
  readonly writes?: MlpSite
  /** Batches of activations that are shuffled together: shuffle · batch · (D + O) · 4 bytes a layer. Default 4. */
  readonly shuffle?: number
  /** Weight of AuxK. Default the preset's. */
  readonly auxiliary?: number
  /** Tokens without firing after which a feature is dead. Default the preset's. */
  readonly deadAfter?: number
  /** Screening of the encoder's product; the result has the same bits in every mode. Default auto. */
  readonly screen?: 'auto' | ScreenMode
  /** Folder for the transcoders and the checkpoints. Without it nothing is written. */
  readonly out?: string
  /** Goes on from the last checkpoint in `out`, to the same bits as no interruption. */
  readonly resume?: boolean
  /** Seconds between checkpoints. Default 60. */
  readonly checkpointSeconds?: number
  /** Stops the run after the step it is in, with a checkpoint where `out` is given. */
  readonly signal?: AbortSignal
}

/** What decides the bits of a run: all of it must be the same when it is resumed. Plain JSON. */
export interface Settings {
  readonly layers: readonly number[]
  readonly features: number
  readonly activation: Activation
  readonly skip: boolean
  readonly tokens: number
  readonly batch: number
  readonly steps: number
  readonly rate: number
  readonly warmUp: number
  readonly decay: number
  readonly seed: number
  readonly reads: MlpSite
  readonly writes: MlpSite
  readonly shuffle: number
  readonly loss: LossName
  readonly auxiliary: number
  readonly deadAfter: number
}

const KEYS = ['model', 'text', 'layers', 'features', 'activation', 'skip', 'tokens', 'batch', 'rate', 'seed', 'reads', 'writes', 'shuffle', 'auxiliary',
  'deadAfter', 'screen', 'out', 'resume', 'checkpointSeconds', 'signal'] satisfies (keyof TrainOptions)[]

/** Checks the options and fills in what the preset of the activation says. */
export function settingsOf(options: TrainOptions): Settings {
  closed('train', options, KEYS)
  const { model, activation } = options
  if (model?.config === undefined) throw invalid('model', 'an open LanguageModel', model)
  if (activation?.kind !== 'topk' && activation?.kind !== 'relu') throw invalid('activation', 'topK(k) or relu({ l1 })', activation)
  oneOf('screen', options.screen ?? 'auto', ['auto', 'none', 'bf16', 'int8'])
  finite('checkpointSeconds', options.checkpointSeconds ?? 60, 0)
  if (flag('resume', options.resume ?? false) && options.out === undefined) throw invalid('resume', 'an `out` folder to resume from', options.resume)
  const features = integer('features', options.features, 1, 2 ** 31 - 1)
  if (activation.kind === 'topk' && activation.k > features) throw invalid('k of topk', `an integer from 1 to ${features} (the features)`, activation.k)
  if (activation.kind === 'topk' && activation.signed) throw new TransweldError('ERR_UNSUPPORTED', 'training keeps no negative survivors: use topK(k) without signed')
  const batch = integer('batch', options.batch ?? 4096, 1, 2 ** 24)
  const tokens = Math.floor(finite('tokens', options.tokens, 1))
  const steps = Math.floor(tokens / batch)
  if (steps < 1) throw invalid('tokens', `at least one batch of ${batch} tokens`, options.tokens, 'Give more tokens or a smaller batch')
  const reads = oneOf('reads', options.reads ?? 'mlpInput', MLP_SITES), writes = oneOf('writes', options.writes ?? 'mlpOutput', MLP_SITES)
  if (reads === writes) throw new TransweldError('ERR_UNSUPPORTED', `expected two sites but received "${reads}" for both: autoencoders (unit rows, b_dec on both sides) are not trained yet`)
  const preset = presetOf(activation)
  return {
    layers: layersOf(options.layers ?? 'all', model.config.layers), features, activation, skip: flag('skip', options.skip ?? false), tokens, batch, steps,
    rate: finite('rate', options.rate ?? preset.rate(features), 0), warmUp: preset.warmUp(steps), decay: preset.decay,
    seed: integer('seed', options.seed ?? 0), reads, writes,
    shuffle: integer('shuffle', options.shuffle ?? 4, 1, 2 ** 16), loss: preset.loss, auxiliary: finite('auxiliary', options.auxiliary ?? preset.auxiliary, 0),
    deadAfter: integer('deadAfter', options.deadAfter ?? preset.deadAfter(steps * batch), 0),
  }
}

function layersOf(layers: 'all' | readonly number[], count: number): readonly number[] {
  if (layers === 'all') return Array.from({ length: count }, (_, l) => l)
  if (!Array.isArray(layers) || layers.length === 0) throw invalid('layers', '"all" or a list of layers', layers)
  const sorted = [...new Set(layers.map(l => integer('a layer', l, 0, count - 1)))].sort((a, b) => a - b)
  if (sorted.length !== layers.length) throw invalid('layers', 'every layer once', layers.join(', '))
  return sorted
}
