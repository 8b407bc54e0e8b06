// The places of a model that a transcoder may read or write. They have names because a transcoder that is fed the wrong
// one fails silently.
import type { Tensor } from '../tensor/tensor.ts'

/**
 * A place around an MLP.
 *
 * - `mlpNormalised`: the norm before the MLP without its gain and bias (what some published GPT-2 transcoders read)
 * - `mlpInput`: the same with gain and bias: what the MLP sees
 * - `residualMiddle`: the residual stream between attention and MLP
 * - `mlpOutput`: what the MLP returns
 * - `mlpWrite`: what is added to the stream (differs from `mlpOutput` where a norm comes after the MLP)
 */
export type Site = 'mlpNormalised' | 'mlpInput' | 'residualMiddle' | 'mlpOutput' | 'mlpWrite'

/** Every site, in the order in which a block reaches them. */
export const SITES: readonly Site[] = ['residualMiddle', 'mlpNormalised', 'mlpInput', 'mlpOutput', 'mlpWrite']

/** The tensors at the sites of one block, each [N, D]: valid for ops enqueued before the hook that got them ends. */
export type Sites = Readonly<Record<Site, Tensor>>

/**
 * Called when a block's MLP has been enqueued. What it enqueues runs right after; a tensor [N, D], or [1, D] for every row,
 * that it returns takes the place of the MLP's output.
 */
export type MlpHook = (layer: number, sites: Sites) => Tensor | void | Promise<Tensor | void>

// Names of the same places in other libraries, to be read and written in files.
const NAMES: Readonly<Record<Site, readonly string[]>> = {
  mlpNormalised: ['ln2.hook_normalized'],
  mlpInput: ['mlp.hook_in', 'hook_mlp_in'],
  residualMiddle: ['hook_resid_mid'],
  mlpOutput: ['mlp.hook_out'],
  mlpWrite: ['hook_mlp_out'],
}

/** The site that another library calls `name`; undefined where it is none of ours. */
export function siteOf(name: string): Site | undefined {
  return SITES.find(site => site === name || NAMES[site].includes(name))
}

/** The name of a site in TransformerLens, which circuit-tracer's files use. */
export function hookName(site: Site): string {
  return NAMES[site][0]!
}
