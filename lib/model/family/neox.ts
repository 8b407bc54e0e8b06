// GPT-NeoX and Pythia: layer norms and biases, rotary positions on a part of each head, and, in most of them, attention and MLP side by side.
//
//   stream += dense(attend(turn q, turn k, v)) + out(act(in(norm₂ stream)))      q, k, v of norm₁ of the same stream
//
// The file has queries, keys and values of one head under each other, then the next head's; here all queries come first.
import type { BlockSource, ModelConfig, ModelSource, Part } from '../architecture.ts'
import type { Fields } from '../fields.ts'
import type { ModelPlan, TensorNames } from '../plan.ts'
import { readAlike } from '../positions.ts'
import { alike, lineage, sizes } from './lineage.ts'
import { embeddingsAt, layerNormAt, linearAt } from './place.ts'

const USUAL = { width: 6144, hidden: 24_576, layers: 44, heads: 64, context: 2048, vocabulary: 50_432 }
const BUFFERS = [/\.attention\.(bias|masked_bias|rotary_emb\.inv_freq)$/]      // masks and frequencies that old versions saved

/** Reads the fields of a GPTNeoXConfig. */
export function neox(fields: Fields): ModelPlan {
  fields.only('head_dim')
  fields.only('num_key_value_heads')
  const size = sizes(fields, USUAL), { headWidth } = size
  const theta = fields.positive('rotary_emb_base', 10_000), share = fields.number('rotary_pct', 0.25)
  const { rotary, context } = readAlike({ fields, headWidth, context: size.context, theta, share }), hasBias = fields.flag('attention_bias', true)
  const config: ModelConfig = {
    ...lineage('neox', size), context, norm: 'layer', gated: false, parallel: fields.flag('use_parallel_residual', true),
    normEpsilon: fields.number('layer_norm_eps', 1e-5), activation: fields.activation('hidden_act', 'gelu'),
    attention: rotary.columns > 0 ? alike(size) : alike(size).map(plan => ({ ...plan, rotary: undefined })), rotaries: [rotary],
    tied: fields.flag('tie_word_embeddings', false),
  }
  return { config, source: names => sourceOf(config, hasBias, names) }
}

function sourceOf(config: ModelConfig, hasBias: boolean, names: TensorNames): ModelSource {
  const { width: D, hidden: M, heads, headWidth: W, layers, vocabulary: V, tied } = config
  const prefix = names.has('embed_in.weight') ? '' : 'gpt_neox.'
  // Head by head the queries (0), then the keys (1), then the values (2).
  const apart = (part: Part): Part[] => [0, 1, 2].flatMap(which =>
    Array.from({ length: heads }, (_, h) => ({ ...part, rows: [(3 * h + which) * W, (3 * h + which + 1) * W] as const })))
  const block = (l: number): BlockSource => {
    const at = `${prefix}layers.${l}`, qkv = linearAt(`${at}.attention.query_key_value`, 3 * D, D, hasBias)
    return {
      beforeAttention: layerNormAt(`${at}.input_layernorm`, D),
      qkv: { weight: qkv.weight.flatMap(apart), ...(qkv.bias && { bias: { parts: qkv.bias.parts.flatMap(apart) } }) },
      mixed: linearAt(`${at}.attention.dense`, D, D, hasBias),
      beforeMlp: layerNormAt(`${at}.post_attention_layernorm`, D),
      into: linearAt(`${at}.mlp.dense_h_to_4h`, M, D), out: linearAt(`${at}.mlp.dense_4h_to_h`, D, M),
    }
  }
  return {
    ...embeddingsAt(names, tied, `${prefix}embed_in.weight`, ['embed_out.weight', 'lm_head.weight'], V, D),
    blocks: Array.from({ length: layers }, (_, l) => block(l)), last: layerNormAt(`${prefix}final_layer_norm`, D), ignored: BUFFERS,
  }
}
