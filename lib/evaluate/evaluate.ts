// Evaluation on held-out text: how well transcoders stand for the MLPs, and what the model loses when they take their place.
//
//   first pass     ȳ of each layer, over the whole text
//   second pass    a batch at a time: the untouched model with a probe at each layer, then every splice of the same batch
import { closed, integer, invalid } from '../native/check.ts'
import { TransweldError } from '../native/error.ts'
import { LanguageModel } from '../model/model.ts'
import type { Pass } from '../model/pass.ts'
import { fill, reduceRows } from '../tensor/ops.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { TranscoderSuite } from '../transcoder/suite.ts'
import { batches, batchRows, checkAborted, heldOutIds } from './held-out.ts'
import { later } from '../tensor/later.ts'
import { Probe } from './probe.ts'
import type { AllLayersEvaluation, Evaluation } from './result.ts'
import { Scorer } from './scorer.ts'
import { spliceAll, spliceLayer, type Splicing, VariantSums } from './splice.ts'

/** Options of {@link evaluate}. */
export interface EvaluateOptions {
  readonly model: LanguageModel
  /** On the model's device; a suite of a few layers is evaluated on those. */
  readonly suite: TranscoderSuite
  /** Files, folders or globs; gzip is recognised by content. */
  readonly text: string | readonly string[]
  /** Tokens to read from the start of the text (files in sorted order), in whole windows of the model's context. Default 65,536. */
  readonly tokens?: number
  /** Called now and then with the share of the work that is done, from 0 to 1. */
  readonly progress?: (share: number) => void
  /** Stops the evaluation between two batches. */
  readonly signal?: AbortSignal
}

const KEYS = ['model', 'suite', 'text', 'tokens', 'progress', 'signal'] satisfies (keyof EvaluateOptions)[]
const FIRST_PASS = 0.1       // its share of the work: one forward pass of about ten

/**
 * Evaluates the transcoders of a model on text that they were not trained on.
 *
 * FVU has both of its sums over the whole text, and the text's mean. Losses are nats a token over all but the first token of each
 * window. Zero and mean ablation are what the recovered fractions compare with, for each layer alone and for all at once.
 * A figure that is not finite stays so (`null` in JSON).
 *
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_DEVICE_MISMATCH, ERR_SHAPE_MISMATCH (a suite of another model),
 * ERR_UNSUPPORTED (a suite that writes elsewhere than an MLP), ERR_FILE, ERR_EMPTY_TEXT, ERR_TOKEN_RANGE, ERR_OUT_OF_MEMORY, ERR_ABORTED.
 * @example
 * import { evaluate, LanguageModel, TranscoderSuite } from 'transweld'
 * async function run(folder: string): Promise<void> {
 *   using model = await LanguageModel.open('examples/codelm')
 *   using suite = await TranscoderSuite.open(folder, { device: model.device })
 *   const { clean, all } = await evaluate({ model, suite, text: 'examples/codelm/text/held-out.txt.gz' })
 *   console.log(clean, all.spliced, all.recoveredZero)
 * }
 */
export async function evaluate(options: EvaluateOptions): Promise<Evaluation> {
  closed('evaluate', options, KEYS)
  const { model, suite, text, tokens = 65536, progress = () => {}, signal } = options
  checkSuite(model, suite)
  integer('tokens', tokens, 1)
  const ids = await heldOutIds(model, text, tokens, signal), rows = batchRows(model, ids)
  const owned: { dispose(): void }[] = []
  const own = <T extends { dispose(): void }>(one: T): T => { owned.push(one); return one }
  const at = (share: number): void => { checkAborted(signal); progress(share) }
  try {
    const pass = own(model.pass(rows)), means = suite.coders.map(coder => own(model.device.tensor('f32', 1, coder.outputs)))
    await meanOutputs(model, suite, pass, ids, means, share => at(FIRST_PASS * share))
    const probes = suite.coders.map((coder, i) => own(new Probe(model, coder, means[i]!, rows)))
    const scorer = own(new Scorer(model, pass, rows)), nothing = own(model.device.tensor('f32', 1, model.config.width))
    fill({ out: nothing, value: 0 })
    const splicing = { pass, scorer, probes, nothing, depth: model.config.layers }
    return await measure(model, ids, splicing, share => at(FIRST_PASS + (1 - FIRST_PASS) * share))
  } finally { for (const one of owned) one.dispose() }
}

function checkSuite(model: LanguageModel, suite: TranscoderSuite): void {
  if (!(model instanceof LanguageModel)) throw invalid('model', 'an open LanguageModel', model)
  if (!(suite instanceof TranscoderSuite) || suite.coders.length === 0) throw invalid('suite', 'a TranscoderSuite with at least one transcoder', suite)
  suite.checkFits(model)
  for (const { layer, writes } of suite.coders) {
    if (writes === 'mlpOutput' || writes === 'mlpWrite') continue
    throw new TransweldError('ERR_UNSUPPORTED', `expected transcoders that write mlpOutput or mlpWrite but that of layer ${layer} writes ${writes}`)
  }
}

// ȳ of every layer: batch sums in f32, added in f64.
async function meanOutputs(model: LanguageModel, suite: TranscoderSuite, pass: Pass, ids: Uint32Array, out: readonly Tensor[],
  progress: (share: number) => void): Promise<void> {
  const { coders } = suite, depth = coders[coders.length - 1]!.layer + 1, indexOf = new Map(coders.map((coder, i) => [coder.layer, i]))
  const totals = out.map(mean => new Float64Array(mean.columns))
  for (const { at, ids: some, starts } of batches(model, ids)) {
    const told: Promise<void>[] = []
    pass.begin(some, starts)
    await pass.blocks(0, depth, (layer, sites) => {
      const i = indexOf.get(layer)
      if (i === undefined) return
      reduceRows({ x: sites[coders[i]!.writes], scale: 1, out: out[i]! })
      const sums = out[i]!.read() as Promise<Float32Array>
      told.push(later(sums.then(some => { for (let c = 0; c < some.length; c++) totals[i]![c]! += some[c]! })))
    })
    await Promise.all(told)
    progress((at + some.length) / ids.length)
  }
  for (const [i, mean] of out.entries()) mean.write(Float32Array.from(totals[i]!, total => total / ids.length))
}

async function measure(model: LanguageModel, ids: Uint32Array, splicing: Splicing, progress: (share: number) => void): Promise<Evaluation> {
  const { pass, scorer, probes, depth } = splicing, byLayer = new Map(probes.map(probe => [probe.coder.layer, probe]))
  const sums = probes.map(() => new VariantSums()), all = new VariantSums()
  let clean = 0, pending: Promise<unknown> = Promise.resolve()
  for (const { at, ids: some, starts, targets } of batches(model, ids)) {
    const told: Promise<void>[] = []
    pass.begin(some, starts)
    await pass.blocks(0, depth, async (layer, sites) => {
      const observed = await byLayer.get(layer)?.observe(sites)
      if (observed) told.push(later(observed.told))
    })
    told.push(later(scorer.clean(targets).then(({ loss }) => { clean += loss })))
    for (const [i, probe] of probes.entries()) told.push(...await spliceLayer(splicing, probe, sums[i]!))
    told.push(...await spliceAll(splicing, all))
    await pending                                        // at most two batches are in flight
    pending = later(Promise.all(told))
    if (at > 0) progress(at / ids.length)
  }
  await pending
  progress(1)
  const predicted = ids.length - ids.length / model.config.context, nats = clean / predicted
  return {
    tokens: ids.length, clean: nats,
    layers: probes.map((probe, i) => ({ ...probe.figures(), ...lossFigures(sums[i]!, nats, predicted) })),
    all: lossFigures(all, nats, predicted),
  }
}

function lossFigures({ loss, kl }: VariantSums, clean: number, predicted: number): AllLayersEvaluation {
  const spliced = loss.spliced / predicted, zero = loss.zero / predicted, mean = loss.mean / predicted
  return {
    spliced, zero, mean, kl: kl / predicted,
    recoveredZero: (zero - spliced) / (zero - clean), recoveredMean: (mean - spliced) / (mean - clean),
  }
}
