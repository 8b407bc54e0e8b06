// What other libraries call our sites: read from files and accepted from users. TransformerLens has hook names; of Hugging Face
// models the module counts, and whether its input or its output is meant.
import { invalid } from '../native/check.ts'
import type { Family, ModelConfig } from './architecture.ts'
import { MLP_SITES, type MlpSite, type Site, SITES } from './site.ts'

// The first one is what we write. TransformerLens's hook_mlp_in and hook_attn_in are none of ours: they hold the stream before a norm, but
// what is written there reaches the MLP or attention alone.
const HOOKS: Readonly<Record<Site, readonly string[]>> = {
  residualBefore: ['hook_resid_pre'],
  attentionNormalised: ['ln1.hook_normalized'],
  attentionInput: ['attn.hook_in'],
  queries: ['attn.hook_q'],
  keys: ['attn.hook_k'],
  values: ['attn.hook_v'],
  queriesTurned: ['attn.hook_rot_q'],
  keysTurned: ['attn.hook_rot_k'],
  attentionMixed: ['attn.hook_z'],
  attentionOutput: ['attn.hook_out'],
  attentionWrite: ['hook_attn_out'],
  residualMiddle: ['hook_resid_mid'],
  mlpNormalised: ['ln2.hook_normalized'],
  mlpInput: ['mlp.hook_in'],
  mlpHidden: ['mlp.hook_post'],
  mlpOutput: ['mlp.hook_out'],
  mlpWrite: ['hook_mlp_out'],
  residualAfter: ['hook_resid_post'],
  finalNormalised: ['ln_final.hook_normalized'],
  finalInput: ['ln_final.hook_out'],
}

interface Ends { readonly input?: Site, readonly output?: Site }

// Modules of a block: by every name that a family gives them.
const MODULES: readonly (readonly [names: RegExp, ends: Ends])[] = [
  [/^$/, { input: 'residualBefore', output: 'residualAfter' }],
  [/^(input_layernorm|ln_1)$/, { input: 'residualBefore', output: 'attentionInput' }],
  [/^(self_attn|attn|attention)$/, { input: 'attentionInput', output: 'attentionOutput' }],
  [/^self_attn\.q_proj$/, { input: 'attentionInput', output: 'queries' }],
  [/^self_attn\.k_proj$/, { input: 'attentionInput', output: 'keys' }],
  [/^self_attn\.v_proj$/, { input: 'attentionInput', output: 'values' }],
  [/^(self_attn\.o_proj|attn\.c_proj|attention\.dense)$/, { input: 'attentionMixed', output: 'attentionOutput' }],
  [/^(ln_2|pre_feedforward_layernorm)$/, { input: 'residualMiddle', output: 'mlpInput' }],
  [/^post_feedforward_layernorm$/, { input: 'mlpOutput', output: 'mlpWrite' }],
  [/^mlp$/, { input: 'mlpInput', output: 'mlpOutput' }],
  [/^mlp\.(c_fc|dense_h_to_4h|gate_proj|up_proj)$/, { input: 'mlpInput' }],
  [/^mlp\.(c_proj|dense_4h_to_h|down_proj)$/, { input: 'mlpHidden', output: 'mlpOutput' }],
]
const LAST = /^(ln_f|norm|final_layer_norm)$/
// post_attention_layernorm is the norm after attention in these families, the norm before the MLP in the others.
const AFTER_ATTENTION: ReadonlySet<Family> = new Set(['gemma2', 'gemma3', 'olmo2'])

/** What of a model says which norm a name means. */
export type Kind = Pick<ModelConfig, 'family' | 'parallel'>

/** A site and, where the name says it, its layer. */
export interface Place { readonly site: Site, readonly layer?: number }

/**
 * The place that `name` means: our name of a site; TransformerLens's, such as `hook_resid_mid` or `blocks.3.hook_resid_mid`; a module of
 * a Hugging Face model with its end, such as `model.layers.3.mlp.input` (without an end: its output).
 * @param kind says which norm `post_attention_layernorm` is; default: that before the MLP
 *
 * @example
 * import { placeOf } from 'transweld'
 * console.log(placeOf('model.layers.3.mlp.input'))   // { site: 'mlpInput', layer: 3 }
 */
export function placeOf(name: string, kind?: Kind): Place | undefined {
  if (SITES.includes(name as Site)) return { site: name as Site }
  const [, number, rest] = /^(?:[a-z_]+\.){0,2}(?:blocks|layers|h)\.(\d{1,4})(?:\.|$)(.*)$/.exec(name) ?? [undefined, undefined, name]
  const site = hooked(rest!) ?? ofModule(rest!, number !== undefined, kind)
  return site && { site, ...(number !== undefined && { layer: Number(number) }) }
}

function hooked(name: string): Site | undefined {
  return SITES.find(site => HOOKS[site].includes(name)) ?? SITES.find(site => HOOKS[site].includes(`attn.${name}`))
}

function ofModule(name: string, inBlock: boolean, kind: Kind | undefined): Site | undefined {
  const [, module = '', end] = /^(?:(.*)\.)?(input|output)$/.exec(name) ?? [undefined, name], way = end === 'input' ? 'input' : 'output'
  if (!inBlock && LAST.test(module.replace(/^.*\./, ''))) return way === 'output' ? 'finalInput' : undefined
  if (!inBlock && (module === '' || end === undefined)) return undefined
  if (module === 'post_attention_layernorm') {
    if (kind !== undefined && AFTER_ATTENTION.has(kind.family)) return way === 'input' ? 'attentionOutput' : 'attentionWrite'
    return way === 'output' ? 'mlpInput' : kind?.parallel ? 'residualBefore' : 'residualMiddle'
  }
  return MODULES.find(([names]) => names.test(module))?.[1][way]
}

/**
 * The site that another library calls `name`; undefined where it is none of ours.
 *
 * @example
 * import { siteOf } from 'transweld'
 * console.log(siteOf('hook_resid_mid'))   // residualMiddle
 */
export function siteOf(name: string, kind?: Kind): Site | undefined {
  return placeOf(name, kind)?.site
}

/** The same for a place around an MLP, which a transcoder may read and write. */
export function mlpSiteOf(name: string): MlpSite | undefined {
  const site = siteOf(name)
  return MLP_SITES.find(one => one === site)
}

/**
 * The name of a site in TransformerLens, which circuit-tracer's files use.
 *
 * @example
 * import { hookName } from 'transweld'
 * console.log(hookName('mlpWrite'))   // hook_mlp_out
 */
export function hookName(site: Site): string {
  return HOOKS[site][0]!
}

/** The place that a user asked for. @throws TransweldError ERR_INVALID_ARGUMENT for a name of none */
export function placeFor(what: string, name: unknown, kind: Kind): Place {
  const place = typeof name === 'string' ? placeOf(name, kind) : undefined
  if (place === undefined) throw invalid(what, `a site (${SITES.join(', ')}), or a name of TransformerLens or Hugging Face for one`, name)
  return place
}
