// What the families that came from Llama share: their fields, and the names of their tensors. A family says its defaults, which of its
// layers have biases, and which norms it has.
import type { AttentionPlan, BlockSource, Family, ModelConfig, ModelSource, NormSource } from '../architecture.ts'
import { type Fields, MOST_PARTS } from '../fields.ts'
import type { ModelPlan, TensorNames } from '../plan.ts'
import { embeddingsAt, linearAt, stacked, vectorAt } from './place.ts'

/** The sizes of a configuration class of transformers, which stand in for missing fields. */
export interface Usual {
  readonly width: number
  readonly hidden: number
  readonly layers: number
  readonly heads: number
  /** undefined: as many as heads. */
  readonly keyHeads?: number
  /** undefined: the width divided by the heads. */
  readonly headWidth?: number
  readonly context: number
  readonly vocabulary: number
}

/** The sizes of a model. */
export type Sizes = Pick<ModelConfig, 'width' | 'hidden' | 'layers' | 'heads' | 'keyHeads' | 'headWidth' | 'context' | 'vocabulary'>

/** Reads the sizes, and refuses those that do not fit each other. */
export function sizes(fields: Fields, usual: Usual): Sizes {
  const width = fields.size('hidden_size', usual.width), heads = fields.size('num_attention_heads', usual.heads, MOST_PARTS)
  const keyHeads = fields.sizeOr('num_key_value_heads', usual.keyHeads ?? heads, heads), share = width / heads, otherwise = usual.headWidth ?? share
  if (!fields.has('head_dim') && !Number.isInteger(otherwise)) {
    throw fields.wrong('num_attention_heads', `a number that divides hidden_size = ${width}`, heads)
  }
  const headWidth = fields.sizeOr('head_dim', otherwise, otherwise)
  if (heads % keyHeads) throw fields.wrong('num_key_value_heads', `a number that divides num_attention_heads = ${heads}`, keyHeads)
  return {
    width, heads, keyHeads, headWidth,
    hidden: fields.size('intermediate_size', usual.hidden), layers: fields.size('num_hidden_layers', usual.layers, MOST_PARTS),
    context: fields.size('max_position_embeddings', usual.context), vocabulary: fields.size('vocab_size', usual.vocabulary),
  }
}

/** What every model of the lineage is unless it says otherwise. */
export type Lineage = Sizes & Pick<ModelConfig, 'family' | 'norm' | 'gated' | 'parallel' | 'embeddingScale' | 'logitCap'>

/** The rest that they share, with their sizes. */
export function lineage(family: Family, sizes: Sizes): Lineage {
  return { family, ...sizes, norm: 'rms', gated: true, parallel: false, embeddingScale: 1, logitCap: 0 }
}

/** The same attention in every layer: all keys, the usual scale, the first rotary. */
export function alike({ layers, headWidth }: Sizes, window = 0): AttentionPlan[] {
  return Array.from({ length: layers }, () => ({ scale: 1 / Math.sqrt(headWidth), window, cap: 0, rotary: 0 }))
}

/** The types of layers that the families with windows have. */
export const LAYER_TYPES = ['sliding_attention', 'full_attention'] as const

/** What tensors a family has. */
export interface Layout {
  /** Where its tensors may stand; the first that the file has. Default "model." or nothing. */
  readonly prefixes?: readonly string[]
  /** Names that the unembedding may have. Default "lm_head.weight". */
  readonly heads?: readonly [string, ...string[]]
  readonly qkvBias: boolean
  readonly mixedBias: boolean
  readonly mlpBias: boolean
  /** Norms of queries and keys: of each head, or of the whole row. */
  readonly perHead?: 'head' | 'row'
  /** Names of the norms of a block; a place without a name has no norm. */
  readonly norms: Partial<Readonly<Record<'beforeAttention' | 'afterAttention' | 'beforeMlp' | 'afterMlp', string>>>
  /** Whether 1 is added to the gains (Gemma), or there is no gain (OLMo). Default: as they are. */
  readonly gains?: 'plusOne' | 'none'
  readonly ignored?: readonly RegExp[]
}

/** The norms of most of them: one before attention, one before the MLP. */
export const TWO_NORMS = { beforeAttention: 'input_layernorm', beforeMlp: 'post_attention_layernorm' } as const

const BUFFERS = [/(^|\.)rotary_emb\.inv_freq$/]        // frequencies, which config.json says too; old versions saved them

/** Where the weights of such a model stand. */
export function lineagePlan(config: ModelConfig, layout: Layout): ModelPlan {
  return { config, source: names => sourceOf(config, layout, names) }
}

function sourceOf(config: ModelConfig, layout: Layout, names: TensorNames): ModelSource {
  const { width: D, heads, keyHeads, headWidth: W, hidden: M, layers, vocabulary: V, tied } = config
  const prefixes = layout.prefixes ?? ['model.', ''], { perHead, norms, qkvBias, mixedBias, mlpBias } = layout
  const prefix = prefixes.find(p => names.has(`${p}layers.0.mlp.down_proj.weight`)) ?? prefixes[0]!
  const norm = (name: string, width = D): NormSource =>
    layout.gains === 'none' ? {} : { gain: { ...vectorAt(`${name}.weight`, width), plusOne: layout.gains === 'plusOne' } }
  const block = (l: number): BlockSource => {
    const at = `${prefix}layers.${l}`, attention = `${at}.self_attn`, mlp = `${at}.mlp`
    const placed: Partial<Record<keyof Layout['norms'], NormSource>> =
      Object.fromEntries(Object.entries(norms).map(([place, name]) => [place, norm(`${at}.${name}`)]))
    return {
      ...placed,
      qkv: stacked([
        linearAt(`${attention}.q_proj`, heads * W, D, qkvBias), linearAt(`${attention}.k_proj`, keyHeads * W, D, qkvBias),
        linearAt(`${attention}.v_proj`, keyHeads * W, D, qkvBias),
      ]),
      ...(perHead === 'head' && { queries: norm(`${attention}.q_norm`, W), keys: norm(`${attention}.k_norm`, W) }),
      ...(perHead === 'row' && { queries: norm(`${attention}.q_norm`, heads * W), keys: norm(`${attention}.k_norm`, keyHeads * W) }),
      mixed: linearAt(`${attention}.o_proj`, D, heads * W, mixedBias),
      into: stacked([linearAt(`${mlp}.gate_proj`, M, D, mlpBias), linearAt(`${mlp}.up_proj`, M, D, mlpBias)]),
      out: linearAt(`${mlp}.down_proj`, D, M, mlpBias),
    }
  }
  return {
    ...embeddingsAt(names, tied, `${prefix}embed_tokens.weight`, layout.heads ?? ['lm_head.weight'], V, D),
    blocks: Array.from({ length: layers }, (_, l) => block(l)),
    last: norm(`${prefix}norm`),
    ignored: [...BUFFERS, ...layout.ignored ?? []],
  }
}
