// A model frozen at one prompt. Attention patterns and norm denominators of a forward pass are kept and what the MLPs return counts as
// constant: then what arrives at any site is a linear map of what is added at any earlier one. Attribution reads these maps and
// their transposes.
//
//   stream points   2l: before block l        2l + 1: after its attention        2l + 2: after its MLP, before block l + 1
//   a block         attention leads from point 2l to 2l + 1: norm, values, pattern, product, norm after; the MLP leads nowhere
//   parallel        the MLP reads point 2l as well
import { closed, integer, invalid, oneOf } from '../native/check.ts'
import { TransweldError } from '../native/error.ts'
import { axpy, cast, norm } from '../tensor/ops.ts'
import type { Device } from '../tensor/device.ts'
import { Tensor } from '../tensor/tensor.ts'
import type { ModelConfig, Weights } from './architecture.ts'
import { frozenNorm, gainOf, type KeptLayer, Patterns, product, rowsOf, type Step } from './linear.ts'
import type { Pass } from './pass.ts'
import { checkSite, isFinal, type NormName, type Site, SITES, siteWidth } from './site.ts'

/** Where a map begins or ends: a site, or the logits before their cap. */
export type FrozenSite = Exclude<Site, typeof CONSTANT[number]> | 'logits'

/** A site of a layer. The final sites and the logits have no layer. */
export interface FrozenPlace { readonly site: FrozenSite, readonly layer?: number | undefined }

/** What {@link FrozenModel.map} and {@link FrozenModel.transpose} take. */
export interface FrozenMap {
  /** Where vectors are added. */ readonly from: FrozenPlace
  /** Where they arrive: the same site, or a later one. */ readonly to: FrozenPlace
  /** f32 [B · T, columns of `from`], transposed of `to`: B passes over the T positions. */ readonly x: Tensor
  /** Out, f32 [B · T, columns of `to`], transposed of `from`. */ readonly out: Tensor
}

/** Options of freezing. */
export interface FreezeOptions {
  /** Sites whose values are kept for {@link FrozenModel.at}, of every layer. Default none. */
  readonly keep?: readonly Site[] | undefined
}

/** What a model gives to be frozen. */
export interface Freezable { readonly config: ModelConfig, readonly weights: Weights, readonly device: Device, pass(rows: number): Pass }

const CONSTANT = ['queries', 'keys', 'queriesTurned', 'keysTurned', 'mlpHidden'] as const
// The sites of attention in the order of its steps; step i leads from site i to site i + 1, and before the first lies the stream.
const ATTENTION = ['attentionNormalised', 'attentionInput', 'values', 'attentionMixed', 'attentionOutput', 'attentionWrite'] as const
const READS = ['mlpNormalised', 'mlpInput'] as const
const WRITES = ['mlpOutput', 'mlpWrite'] as const
const LAST = ['finalNormalised', 'finalInput', 'logits'] as const
const NORMS = ['beforeAttention', 'afterAttention', 'beforeMlp', 'afterMlp'] as const
const BRANCHES: readonly (readonly FrozenSite[])[] = [ATTENTION, READS, WRITES, LAST]

/** A place on its branch: `index` of the site there, −1 on the stream itself, and the stream points that the branch leaves and joins. */
interface Located {
  readonly branch: readonly FrozenSite[] | undefined, readonly index: number, readonly layer: number, readonly leaves: number, readonly joins: number
}

/**
 * The linear maps of a model at one prompt. Holds memory, on the model's device: dispose it before the model, or declare it with `using`.
 * Made by `LanguageModel.freeze`.
 *
 * @example
 * import { LanguageModel } from 'transweld'
 * using model = await LanguageModel.open('examples/codelm')
 * using frozen = await model.freeze((await model.tokenizer()).encode('The war lasted from the year 1732'))
 * const last = model.config.layers - 1, { width } = model.config
 * using x = model.device.from(new Float32Array(frozen.tokens * width).fill(1), frozen.tokens, width)
 * using out = model.device.tensor('f32', frozen.tokens, width)
 * frozen.map({ from: { site: 'mlpWrite', layer: 0 }, to: { site: 'mlpInput', layer: last }, x, out })
 * console.log((await out.read()).length / width)
 */
export class FrozenModel {
  readonly config: ModelConfig
  readonly device: Device
  /** Length of the prompt, T. */
  readonly tokens: number
  /** f32 [1, V]: the logits after the last token, capped where the model caps them. */
  readonly logits: Tensor<'f32'>
  readonly #weights: Weights
  readonly #layers: readonly KeptLayer[]
  readonly #last: Tensor                               // [T, 1]
  readonly #sites: ReadonlyMap<string, Tensor<'f32'>>
  readonly #patterns: Patterns
  readonly #one: Tensor
  readonly #owned: { dispose(): void }[]
  #rooms: Tensor[] = []                                // scratch, as large as any call has needed so far
  #isDisposed = false

  /** Use {@link freeze}. */
  constructor(model: Freezable, tokens: number, kept: Kept) {
    this.config = model.config
    this.device = model.device
    this.tokens = tokens
    this.#weights = model.weights
    this.#layers = kept.layers
    this.#last = kept.last
    this.#sites = kept.sites
    this.logits = kept.logits
    this.#one = kept.one
    this.#patterns = kept.patterns
    this.#owned = kept.owned
  }

  get isDisposed(): boolean { return this.#isDisposed }

  /**
   * What the forward pass had at a site, f32 [T, columns]; not to be written.
   * @throws TransweldError ERR_INVALID_ARGUMENT for a site that was not kept; ERR_DISPOSED.
   */
  at(site: Site, layer = this.config.layers): Tensor<'f32'> {
    this.#alive()
    const found = this.#sites.get(`${site} ${isFinal(site) ? this.config.layers : layer}`)
    if (found !== undefined) return found
    throw invalid('site of FrozenModel.at', `one of those kept when the model was frozen (keep: ['${site}'])`, `${site} of layer ${layer}`)
  }

  /**
   * Enqueues out = what arrives at `to` of vectors that are added at `from`.
   * @throws TransweldError ERR_INVALID_ARGUMENT where `to` does not lie after `from`, ERR_UNSUPPORTED for a site that the family has not,
   * ERR_SHAPE_MISMATCH, ERR_DISPOSED.
   */
  map(args: FrozenMap): void { this.#run('map', args, false) }

  /** The transposed map: `x` are gradients at `to`, `out` gradients at `from`. Throws as {@link FrozenModel.map}. */
  transpose(args: FrozenMap): void { this.#run('transpose', args, true) }

  /** Enqueues stream += the attention of a layer of the stream [B · T, D] before it; transposed, for gradients after it. */
  attention(layer: number, stream: Tensor, transpose = false): void {
    this.#alive()
    const branch = this.#branch(integer('layer of attention', layer, 0, this.config.layers - 1), ATTENTION)
    const y = this.#room(0, stream.rows, this.config.width)
    this.#through(branch, stream, y, transpose)
    axpy({ alpha: 1, x: stream, beta: 1, y, out: stream })
  }

  /** Frees what it holds. */
  dispose(): void {
    if (this.#isDisposed) return
    this.#isDisposed = true
    for (const one of [...this.#owned, ...this.#rooms]) one.dispose()
  }
  [Symbol.dispose](): void { this.dispose() }

  #alive(): void {
    if (this.#isDisposed) throw new TransweldError('ERR_DISPOSED', 'expected a frozen model but received one that was disposed')
  }

  #run(verb: string, { from, to, x, out }: FrozenMap, transpose: boolean): void {
    this.#alive()
    const start = this.#locate(`from of ${verb}`, from), end = this.#locate(`to of ${verb}`, to)
    this.#fits(`x of ${verb}`, transpose ? to : from, x)
    this.#fits(`out of ${verb}`, transpose ? from : to, out, x.rows)
    const isSameBranch = start.branch !== undefined && start.branch === end.branch && start.layer === end.layer
    if (isSameBranch && start.index <= end.index) {
      return this.#through(this.#branch(start.layer, start.branch!).slice(start.index + 1, end.index + 1), x, out, transpose)
    }
    const named = ({ site, layer }: FrozenPlace): string => `${site} of layer ${layer ?? 'none'}`
    if (start.joins > end.leaves) throw invalid(`to of ${verb}`, `a place that ${named(from)} leads to`, named(to))
    const enter = start.branch === undefined ? [] : this.#branch(start.layer, start.branch).slice(start.index + 1)
    const leave = end.branch === undefined ? [] : this.#branch(end.layer, end.branch).slice(0, end.index + 1)
    const stream = this.#room(1, x.rows, this.config.width)
    this.#through(transpose ? leave : enter, x, stream, transpose)
    // Attention of layer l leads from point 2l to 2l + 1.
    const first = Math.ceil(start.joins / 2), beyond = Math.ceil(end.leaves / 2)
    for (let i = 0; i < beyond - first; i++) this.attention(transpose ? beyond - 1 - i : first + i, stream, transpose)
    this.#through(transpose ? enter : leave, stream, out, transpose)
  }

  #locate(what: string, { site, layer }: FrozenPlace): Located {
    const { layers, parallel } = this.config
    oneOf(what, site, [...SITES.filter(one => !(CONSTANT as readonly string[]).includes(one)), 'logits'])
    const isLast = (LAST as readonly FrozenSite[]).includes(site)
    const l = isLast ? layers : integer(`the layer of ${what}`, layer, 0, layers - 1)
    if (!isLast) checkSite(site as Site, this.config, this.#weights.blocks[l]!)
    const branch = BRANCHES.find(one => one.includes(site)), index = branch?.indexOf(site) ?? -1
    const point = site === 'residualMiddle' ? 2 * l + 1 : site === 'residualAfter' ? 2 * l + 2 : 2 * l
    if (branch === ATTENTION) return { branch, index, layer: l, leaves: 2 * l, joins: 2 * l + 1 }
    if (branch === READS) return { branch, index, layer: l, leaves: parallel ? 2 * l : 2 * l + 1, joins: Infinity }
    if (branch === WRITES) return { branch, index, layer: l, leaves: -1, joins: 2 * l + 2 }
    if (branch === LAST) return { branch, index, layer: l, leaves: 2 * layers, joins: Infinity }
    return { branch, index, layer: l, leaves: point, joins: point }
  }

  #fits(what: string, { site }: FrozenPlace, tensor: unknown, rows?: number): void {
    const columns = site === 'logits' ? this.config.vocabulary : siteWidth(site, this.config)
    if (tensor instanceof Tensor && tensor.dtype === 'f32' && tensor.rows === (rows ?? tensor.rows) && tensor.rows % this.tokens === 0
      && tensor.columns === columns) return
    throw new TransweldError('ERR_SHAPE_MISMATCH', `expected [B · ${this.tokens}, ${columns}] f32 for ${what} but received ${tensor}`)
  }

  // The steps of a branch: step i ends at its site i. Those of WRITES begin at its first site, which nothing leads to.
  #branch(layer: number, branch: readonly FrozenSite[]): Step[] {
    const { config } = this, { last, unembedding, blocks } = this.#weights
    if (branch === LAST) return [frozenNorm(config, last, this.#last, false), gainOf(config, last, this.#one), product(unembedding)]
    const block = blocks[layer]!, kept = this.#layers[layer]!, none = frozenNorm(config, undefined, undefined)
    if (branch === READS) return [frozenNorm(config, block.beforeMlp, kept.beforeMlp, false), gainOf(config, block.beforeMlp, this.#one)]
    if (branch === WRITES) return [none, frozenNorm(config, block.afterMlp, kept.afterMlp)]
    const values = (config.heads + config.keyHeads) * config.headWidth
    return [
      frozenNorm(config, block.beforeAttention, kept.beforeAttention, false), gainOf(config, block.beforeAttention, this.#one),
      product(rowsOf(block.qkv, values, values + config.keyHeads * config.headWidth)), this.#patterns.step(layer, kept), product(block.mixed),
      frozenNorm(config, block.afterAttention, kept.afterAttention),
    ]
  }

  // Steps one after another, in rooms 2 and 3 by turns.
  #through(steps: readonly Step[], x: Tensor, out: Tensor, transpose: boolean): void {
    if (steps.length === 0) return cast({ source: x, out })
    let at = x
    for (let i = 0; i < steps.length; i++) {
      const step = steps[transpose ? steps.length - 1 - i : i]!, isEnd = i === steps.length - 1
      const to = isEnd ? out : this.#room(2 + i % 2, x.rows, transpose ? step.from : step.to)
      step.run(at, to, transpose)
      at = to
    }
  }

  // Scratch [rows, columns] of its own number: at most as wide as the stream or all heads.
  #room(number: number, rows: number, columns: number): Tensor {
    const { width, heads, headWidth } = this.config, has = this.#rooms[number]
    if (has === undefined || has.rows < rows) {
      has?.dispose()
      this.#rooms[number] = this.device.tensor('f32', rows, Math.max(width, heads * headWidth))
    }
    return this.#rooms[number]!.view(0, rows, 0, columns)
  }
}

/** What a recorded pass left. */
interface Kept {
  readonly layers: readonly KeptLayer[], readonly last: Tensor, readonly sites: ReadonlyMap<string, Tensor<'f32'>>
  readonly logits: Tensor<'f32'>, readonly one: Tensor, readonly patterns: Patterns, readonly owned: { dispose(): void }[]
}

/** Runs `ids` through the model once and keeps what its linear maps need. @throws as the model's `logits` does. */
export async function freeze(model: Freezable, ids: Uint32Array, options: FreezeOptions = {}): Promise<FrozenModel> {
  closed('freeze', options, ['keep'])
  const { keep = [] } = options
  for (const site of keep) oneOf('keep of freeze', site, SITES)
  const { config, weights, device } = model, T = ids.length, owned: { dispose(): void }[] = []
  const own = <O extends { dispose(): void }>(one: O): O => { owned.push(one); return one }
  const room = (rows: number, columns: number): Tensor<'f32'> => own(device.tensor('f32', rows, columns))
  const pass = model.pass(T)
  try {
    for (const site of keep) for (const block of weights.blocks) if (!isFinal(site)) checkSite(site, config, block)
    const layers = weights.blocks.map((block): KeptLayer => ({
      queries: room(T, config.heads * config.headWidth), keys: room(T, config.keyHeads * config.headWidth),
      ...Object.fromEntries(NORMS.filter(name => block[name]).map(name => [name, room(T, 1)])),
    }))
    const sites = new Map<string, Tensor<'f32'>>(), last = room(T, 1), logits = room(1, config.vocabulary), one = own(device.from(Float32Array.of(1), 1, 1))
    pass.begin(ids, Uint32Array.of(0, T))
    await pass.blocks(0, config.layers, {
      wants: (_, site) => site === 'queriesTurned' || site === 'keysTurned' || keep.includes(site),
      at(layer, site, source) {
        if (site === 'queriesTurned') cast({ source, out: layers[layer]!.queries })
        if (site === 'keysTurned') cast({ source, out: layers[layer]!.keys })
        if (keep.includes(site)) cast({ source, out: keptAt(layer, site) })
      },
      inverse: (layer, name: NormName) => name === 'queries' || name === 'keys' || name === 'last' ? undefined : layers[layer]![name],
    })
    const normalised = keptAt(config.layers, 'finalNormalised'), input = keptAt(config.layers, 'finalInput')
    norm({ kind: config.norm, x: pass.stream, ...weights.last, epsilon: config.normEpsilon, inverse: last, normalised, out: input })
    pass.logits(T - 1, T, logits)
    return new FrozenModel(model, T, { layers, last, sites, logits, one, patterns: own(new Patterns(device, config, T)), owned })
    function keptAt(layer: number, site: Site): Tensor<'f32'> {
      const made = room(T, siteWidth(site, config))
      sites.set(`${site} ${layer}`, made)
      return made
    }
  } catch (error) {
    for (const one of owned) one.dispose()
    throw error
  } finally { pass.dispose() }
}
