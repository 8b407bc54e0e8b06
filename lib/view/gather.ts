// What a suite, its evaluation and its features say, put together as the data of a report.
import type { TellingFeature } from '../evaluate/features.ts'
import type { Evaluation } from '../evaluate/result.ts'
import type { LanguageModel } from '../model/model.ts'
import { TransweldError } from '../native/error.ts'
import type { History } from '../train/history.ts'
import type { Settings } from '../train/settings.ts'
import { formatActivation } from '../transcoder/activation.ts'
import type { TranscoderSuite } from '../transcoder/suite.ts'
import type { ReportData, TrainingCurves } from './data.ts'

/** What {@link reportData} puts together. */
export interface ReportParts {
  readonly model: LanguageModel
  readonly suite: TranscoderSuite
  readonly evaluation: Evaluation
  readonly features: readonly TellingFeature[]
  /** Default: `Transcoders of` and the model's name. */
  readonly title?: string
}

/**
 * The data of a report. The curves and settings of training come from the suite's `transweld.json`; sets made elsewhere have none.
 *
 * @throws ERR_FORMAT where that file's training record is damaged
 * @example
 * import { evaluate, LanguageModel, reportData, reportPage, tellingFeatures, TranscoderSuite } from 'transweld'
 * async function page(folder: string, text: string): Promise<string> {
 *   using model = await LanguageModel.open('examples/codelm')
 *   using suite = await TranscoderSuite.open(folder, { device: model.device })
 *   const evaluation = await evaluate({ model, suite, text }), features = await tellingFeatures({ model, suite, text })
 *   return reportPage(reportData({ model, suite, evaluation, features }))
 * }
 */
export function reportData({ model, suite, evaluation, features, title }: ReportParts): ReportData {
  const { layers, width, vocabulary } = model.config, record = recordOf(suite)
  return {
    title: title ?? `Transcoders of ${model.name}`, created: new Date().toISOString(),
    model: { name: model.name, parameters: model.parameters, layers, width, vocabulary },
    settings: settingsOf(suite, record?.settings), ...(record && { training: curvesOf(record) }), evaluation, features,
  }
}

interface TrainingRecord { readonly settings: Settings, readonly history: History, readonly seconds: number }

// A file from elsewhere may hold anything: every curve must be as long as its axis.
function recordOf(suite: TranscoderSuite): TrainingRecord | undefined {
  const record = suite.note?.training as TrainingRecord | undefined
  if (record === undefined) return undefined
  const { settings, history, seconds } = record
  const isCurve = (curve: unknown): boolean => Array.isArray(curve) && curve.length === history.tokens.length
  const isWhole = [seconds, settings?.batch, settings?.steps, settings?.rate].every(Number.isFinite) && Array.isArray(history?.tokens)
    && Array.isArray(history.layers) && history.layers.every(one => [one?.loss, one?.fvu, one?.l0, one?.dead].every(isCurve))
  if (isWhole) return record
  throw new TransweldError('ERR_FORMAT', `the training record in transweld.json of the transcoders of ${suite.model} is damaged`)
}

function curvesOf({ settings, history, seconds }: TrainingRecord): TrainingCurves {
  return { tokens: history.tokens, seconds, tokensPerSecond: settings.steps * settings.batch / seconds, layers: history.layers }
}

function settingsOf(suite: TranscoderSuite, run: Settings | undefined): Record<string, string> {
  const first = suite.coders[0]!
  const made = {
    activation: formatActivation(first.activation), features: first.features.toLocaleString('en'),
    skip: first.weights.skip ? 'yes' : 'no',
    reads: first.reads, writes: first.writes,
  }
  if (!run) return made
  return {
    ...made, 'learning rate': String(run.rate), batch: run.batch.toLocaleString('en'),
    'training tokens': (run.steps * run.batch).toLocaleString('en'), loss: run.loss, seed: String(run.seed),
  }
}
