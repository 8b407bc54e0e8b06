// The places of a model that may be read and written while it runs. They have names because a transcoder that is fed the wrong
// one fails silently. names.ts has what other libraries call them.
import { TransweldError } from '../native/error.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { Block, ModelConfig } from './architecture.ts'

/**
 * A place around an MLP: what a transcoder may read or write.
 *
 * - `residualMiddle`: the residual stream between attention and MLP; a parallel block (GPT-NeoX) has none
 * - `mlpNormalised`: the norm before the MLP without its gain and bias (what some published GPT-2 transcoders read)
 * - `mlpInput`: the same with gain and bias: what the MLP sees
 * - `mlpOutput`: what the MLP returns
 * - `mlpWrite`: what is added to the stream (differs from `mlpOutput` where a norm comes after the MLP)
 */
export type MlpSite = typeof MLP_SITES[number]

/** Every place around an MLP, in the order in which a block reaches them. */
export const MLP_SITES = ['residualMiddle', 'mlpNormalised', 'mlpInput', 'mlpOutput', 'mlpWrite'] as const

/**
 * A place in a model. D columns unless it says another number; W are the columns of a head.
 *
 * - `residualBefore`: the residual stream before the block
 * - `attentionNormalised`, `attentionInput`: the norm before attention without and with its gain and bias
 * - `queries` [H · W], `keys`, `values` [keyHeads · W]: of the product with its bias, before their norms and rotary positions
 * - `queriesTurned`, `keysTurned`: after them: what attention compares
 * - `attentionMixed` [H · W]: values mixed by attention, head beside head
 * - `attentionOutput`, `attentionWrite`: what attention returns, and what is added to the stream (after a norm where there is one)
 * - the places of {@link MlpSite}, and between its input and output `mlpHidden` [hidden]: what the MLP's second matrix reads
 * - `residualAfter`: the stream after the block
 * - `finalNormalised`, `finalInput`: the norm before the unembedding, without and with its gain and bias; of no layer
 */
export type Site = typeof SITES[number]

/** Every place of a block in the order in which it reaches them, then those after the last block. A parallel block adds attention later. */
export const SITES = [
  'residualBefore', 'attentionNormalised', 'attentionInput', 'queries', 'keys', 'values', 'queriesTurned', 'keysTurned', 'attentionMixed',
  'attentionOutput', 'attentionWrite', 'residualMiddle', 'mlpNormalised', 'mlpInput', 'mlpHidden', 'mlpOutput', 'mlpWrite', 'residualAfter',
  'finalNormalised', 'finalInput',
] as const

/** Whether a site comes after the last block: its layer is then given as the number of layers. */
export function isFinal(site: Site): boolean {
  return site === 'finalNormalised' || site === 'finalInput'
}

/** Columns of a site. */
export function siteWidth(site: Site, config: ModelConfig): number {
  if (site === 'mlpHidden') return config.hidden
  if (site === 'queries' || site === 'queriesTurned' || site === 'attentionMixed') return config.heads * config.headWidth
  if (site === 'keys' || site === 'keysTurned' || site === 'values') return config.keyHeads * config.headWidth
  return config.width
}

/** Refuses a site that a block has not. @throws TransweldError ERR_UNSUPPORTED */
export function checkSite(site: Site, config: ModelConfig, block: Block): void {
  const has = site === 'residualMiddle' ? !config.parallel : site === 'attentionNormalised' ? block.beforeAttention !== undefined
    : site === 'mlpNormalised' ? block.beforeMlp !== undefined : true
  if (has) return
  const isParallel = site === 'residualMiddle'
  const why = isParallel ? 'attention and MLP read the same stream and are added to it at once: use mlpInput or residualBefore' : 'there is no norm there'
  throw new TransweldError('ERR_UNSUPPORTED', `a model of the family ${config.family} has no ${site}: ${why}`)
}

/** The tensors at the sites around one MLP, each [N, D]: valid for ops enqueued before the hook that got them ends. */
export type Sites = Readonly<Record<MlpSite, Tensor>> & {
  /** The stream to which mlpWrite is added: residualMiddle, and in a parallel block what stands for it. */
  readonly stream: Tensor
}

/**
 * Called when a block's MLP has been enqueued. What it enqueues runs right after; a tensor [N, D], or [1, D] for every row,
 * that it returns takes the place of what the MLP adds to the stream.
 */
export type MlpHook = (layer: number, sites: Sites) => Tensor | void | Promise<Tensor | void>

/** The norms of a block, and the one after the last. */
export type NormName = 'beforeAttention' | 'queries' | 'keys' | 'afterAttention' | 'beforeMlp' | 'afterMlp' | 'last'

/** What is done at sites while a pass runs: reading, writing, or both. */
export interface SiteHooks {
  /** Asked before a site is reached: a site that nobody wants costs nothing. */
  wants(layer: number, site: Site): boolean
  /**
   * Called when the ops that make a wanted site have been enqueued. It may enqueue ops that read or write `tensor` [N, columns] in place, or
   * return a tensor of its shape, or [1, columns] for every row, whose elements take the place. Valid until it ends.
   * @param places of each row its place in its sequence
   */
  at(layer: number, site: Site, tensor: Tensor, places: Uint32Array): Tensor | void | Promise<Tensor | void>
  /** Where a norm leaves what it multiplied each row (and group) by, f32 [N, groups]; undefined: nowhere. */
  inverse?(layer: number, norm: NormName): Tensor | undefined
}
