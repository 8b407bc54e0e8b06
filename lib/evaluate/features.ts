// The features of a suite that are worth a look, each with the places of a text on which it fires most: for a report.
import { closed, integer } from '../native/check.ts'
import type { LanguageModel } from '../model/model.ts'
import type { TranscoderSuite } from '../transcoder/suite.ts'
import { type Context, topContexts } from './contexts.ts'
import { collectFirings } from './firings.ts'
import { heldOutIds } from './held-out.ts'
import { pickFeatures } from './pick.ts'
import { Turn } from '../native/slices.ts'

/** Options of {@link tellingFeatures}. */
export interface FeatureOptions {
  readonly model: LanguageModel
  /** On the model's device. */
  readonly suite: TranscoderSuite
  /** Files, folders or globs. */
  readonly text: string | readonly string[]
  /** Tokens to read from the start of the text. Default 65,536. */
  readonly tokens?: number
  /** Features of each layer. Default 6. */
  readonly features?: number
  /** Places of each feature. Default 6. */
  readonly contexts?: number
  /** Called now and then with the share of the work that is done, from 0 to 1. */
  readonly progress?: (share: number) => void
  readonly signal?: AbortSignal
}

/** A feature worth a look. */
export interface TellingFeature {
  readonly layer: number
  readonly feature: number
  /** Share of tokens on which it fires. */
  readonly density: number
  /** Its largest activation on the text. */
  readonly maximum: number
  /** Why it was chosen, in words; tokens between backticks. */
  readonly why: string
  readonly contexts: readonly Context[]
}

const KEYS = ['model', 'suite', 'text', 'tokens', 'features', 'contexts', 'progress', 'signal'] satisfies (keyof FeatureOptions)[]

/**
 * Chooses features of each layer by plain scores (fires on one token, after one token, on most tokens, most strongly, rarely and
 * strongly) and finds the places on which they fire most, 12 tokens on each side.
 *
 * @throws as `evaluate`
 * @example
 * import { LanguageModel, tellingFeatures, TranscoderSuite } from 'transweld'
 * async function run(folder: string): Promise<void> {
 *   using model = await LanguageModel.open('examples/codelm')
 *   using suite = await TranscoderSuite.open(folder, { device: model.device })
 *   for (const { layer, feature, why } of await tellingFeatures({ model, suite, text: 'README.md' })) console.log(layer, feature, why)
 * }
 */
export async function tellingFeatures(options: FeatureOptions): Promise<TellingFeature[]> {
  closed('tellingFeatures', options, KEYS)
  const { model, suite, text, signal, progress = () => {} } = options, { context } = model.config
  suite.checkFits(model)
  const count = integer('features', options.features ?? 6, 1), places = integer('contexts', options.contexts ?? 6, 1)
  const ids = await heldOutIds(model, text, integer('tokens', options.tokens ?? 65536, 1), signal)
  const tokenizer = await model.tokenizer(), piece = (id: number): string => tokenizer.piece(id), turn = new Turn()
  const out: TellingFeature[] = []
  for (const firings of await collectFirings(model, suite, ids, { signal, progress })) {
    for (const { feature, density, maximum, why } of await pickFeatures(firings, ids, context, count, piece, turn)) {
      out.push({ layer: firings.layer, feature, density, maximum, why, contexts: topContexts(firings, feature, ids, context, places, piece) })
      if (turn.isOver) await turn.rest()
    }
  }
  return out
}
