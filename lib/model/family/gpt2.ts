// GPT-2: learned positions, layer norm before attention and before the MLP, biases everywhere.
//
//   stream = token + position
//   stream += proj(attend(qkv(norm₁ stream)))
//   stream += out(act(in(norm₂ stream)))        norm₂ stream is the site mlpInput, out(…) the site mlpOutput
//   logits = unembed(norm stream)
//
// The file stores its linear layers as [in, out]; here they are [out, in], so that every product contracts columns.
import type { BlockSource, LinearSource, ModelConfig, ModelSource } from '../architecture.ts'
import { type Fields, MOST_PARTS } from '../fields.ts'
import type { ModelPlan, TensorNames } from '../plan.ts'
import { embeddingsAt, layerNormAt, matrixAt, vectorAt } from './place.ts'

const BUFFERS = [/\.attn\.(bias|masked_bias)$/]        // masks that old versions saved

/** Reads the fields of a GPT2Config. */
export function gpt2(fields: Fields): ModelPlan {
  const width = fields.size('n_embd', 768), heads = fields.size('n_head', 12, MOST_PARTS), layers = fields.size('n_layer', 12, MOST_PARTS)
  if (width % heads) throw fields.wrong('n_head', `a number that divides n_embd = ${width}`, heads)
  fields.only('add_cross_attention', false)
  const scale = fields.flag('scale_attn_weights', true) ? 1 / Math.sqrt(width / heads) : 1
  const isByLayer = fields.flag('scale_attn_by_inverse_layer_idx', false)
  const config: ModelConfig = {
    family: 'gpt2', layers, width, heads, keyHeads: heads, headWidth: width / heads, hidden: fields.sizeOr('n_inner', 4 * width, 4 * width),
    context: fields.size('n_positions', 1024), vocabulary: fields.size('vocab_size', 50_257),
    norm: 'layer', normEpsilon: fields.number('layer_norm_epsilon', 1e-5), activation: fields.activation('activation_function', 'gelu_new'),
    gated: false, parallel: false, embeddingScale: 1, logitCap: 0,
    attention: Array.from({ length: layers }, (_, l) => ({ scale: isByLayer ? scale / (l + 1) : scale, window: 0, cap: 0, rotary: undefined })),
    rotaries: [], tied: fields.flag('tie_word_embeddings', true),
  }
  return { config, source: names => sourceOf(config, names) }
}

function sourceOf({ width: D, hidden: M, layers, vocabulary: V, context, tied }: ModelConfig, names: TensorNames): ModelSource {
  const prefix = names.has('wpe.weight') ? '' : 'transformer.'
  const linear = (name: string, into: number, out: number): LinearSource =>
    ({ weight: [{ name: `${name}.weight`, shape: [into, out], turned: true }], bias: vectorAt(`${name}.bias`, out) })
  const block = (l: number): BlockSource => {
    const at = `${prefix}h.${l}`
    return {
      beforeAttention: layerNormAt(`${at}.ln_1`, D), qkv: linear(`${at}.attn.c_attn`, D, 3 * D), mixed: linear(`${at}.attn.c_proj`, D, D),
      beforeMlp: layerNormAt(`${at}.ln_2`, D), into: linear(`${at}.mlp.c_fc`, D, M), out: linear(`${at}.mlp.c_proj`, M, D),
    }
  }
  return {
    ...embeddingsAt(names, tied, `${prefix}wte.weight`, ['lm_head.weight'], V, D), positions: matrixAt(`${prefix}wpe.weight`, context, D),
    blocks: Array.from({ length: layers }, (_, l) => block(l)), last: layerNormAt(`${prefix}ln_f`, D), ignored: BUFFERS,
  }
}
