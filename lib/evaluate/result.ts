// What an evaluation returns: plain data. `transweld evaluate --json` prints all of it but the histograms.

/** How one layer's transcoder does on held-out text. Losses are nats a token. */
export interface LayerEvaluation {
  readonly layer: number
  /** Fraction of variance unexplained: Σ‖e‖² / Σ‖y − ȳ‖², both sums over the whole text, ȳ its global mean. */
  readonly fvu: number
  /** Mean over rows of the cosine between ŷ and y. */
  readonly cosine: number
  /** Mean count of active features a row. */
  readonly l0: number
  /** Share of features that never fired on this text. */
  readonly dead: number
  /** Next-token loss with this MLP replaced by its transcoder. */
  readonly spliced: number
  /** Next-token loss with this MLP's output set to zero. */
  readonly zero: number
  /** Next-token loss with this MLP's output set to its mean over the text. */
  readonly mean: number
  /** KL(p_clean ‖ p_spliced), mean over the predicted tokens. */
  readonly kl: number
  /** (zero − spliced) / (zero − clean). */
  readonly recoveredZero: number
  /** (mean − spliced) / (mean − clean). */
  readonly recoveredMean: number
  /** Histogram of log10(density + 1e-10) over features: `counts[i]` features in [edges[i], edges[i+1]). */
  readonly density: { readonly edges: readonly number[], readonly counts: readonly number[] }
}

/** The losses with every layer of the suite replaced at once. */
export type AllLayersEvaluation = Pick<LayerEvaluation, 'spliced' | 'zero' | 'mean' | 'kl' | 'recoveredZero' | 'recoveredMean'>

/** The result of `evaluate`. */
export interface Evaluation {
  /** Tokens read (each window of the model's context is read alone). */
  readonly tokens: number
  /** Next-token loss of the untouched model. */
  readonly clean: number
  readonly layers: readonly LayerEvaluation[]
  readonly all: AllLayersEvaluation
}
