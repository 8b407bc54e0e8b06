// What a training report shows: plain data in, one self-contained HTML page out.
import type { Evaluation } from '../evaluate/result.ts'

/** The curves of one layer; arrays run along `TrainingCurves.tokens`. */
export interface LayerCurves { readonly layer: number, readonly loss: readonly number[], readonly fvu: readonly number[], readonly l0: readonly number[], readonly dead: readonly number[] }

/** What was told during training, thinned to at most a few hundred points. */
export interface TrainingCurves {
  readonly tokens: readonly number[]
  readonly seconds: number
  readonly tokensPerSecond: number
  readonly layers: readonly LayerCurves[]
}

/** One activating context: `values[i]` is the feature's activation on `tokens[i]`; `at` is the index of the largest. */
export interface FeatureContext { readonly tokens: readonly string[], readonly values: readonly number[], readonly at: number }

/** A feature worth a look. */
export interface FeatureCard {
  readonly layer: number
  readonly feature: number
  /** Share of rows on which it fires. */
  readonly density: number
  /** Its largest activation on the text. */
  readonly maximum: number
  /** Why it was chosen, in words, such as "fires on one token: ` year`". */
  readonly why: string
  readonly contexts: readonly FeatureContext[]
}

/** Everything a report needs. */
export interface ReportData {
  readonly title: string
  /** ISO time of making. */
  readonly created: string
  readonly model: { readonly name: string, readonly parameters: number, readonly layers: number, readonly width: number, readonly vocabulary: number }
  /** Settings of the transcoders, label → value, in the order to be shown. */
  readonly settings: Readonly<Record<string, string>>
  /** Absent where the suite was not trained by this library. */
  readonly training?: TrainingCurves
  readonly evaluation: Evaluation
  readonly features: readonly FeatureCard[]
}
