// Gemma 2: Gemma with norms before and after attention and MLP, soft caps on scores and logits, and a window in every other layer.
// What the MLP returns (mlpOutput) and what is added to the stream (mlpWrite) differ: the norm after the MLP stands between.
import type { Fields } from '../fields.ts'
import type { ModelPlan } from '../plan.ts'
import { readPositions } from '../positions.ts'
import { LAYER_TYPES, lineage, lineagePlan, sizes } from './lineage.ts'

const USUAL = { width: 2304, hidden: 9216, layers: 26, heads: 8, keyHeads: 4, headWidth: 256, context: 8192, vocabulary: 256_000 }

/** Norms around attention and around the MLP: the second is named after its place in Llama. */
export const FOUR_NORMS = {
  beforeAttention: 'input_layernorm', afterAttention: 'post_attention_layernorm',
  beforeMlp: 'pre_feedforward_layernorm', afterMlp: 'post_feedforward_layernorm',
} as const

/** Reads the fields of a Gemma2Config. */
export function gemma2(fields: Fields): ModelPlan {
  const size = sizes(fields, USUAL), { rotary, context } = readPositions(fields, size.headWidth, size.context)
  const bias = fields.flag('attention_bias', false), window = fields.size('sliding_window', 4096)
  const types = fields.words('layer_types', size.layers, LAYER_TYPES)
  const scale = 1 / Math.sqrt(fields.positive('query_pre_attn_scalar', 256)), cap = fields.cap('attn_logit_softcapping', 50)
  fields.only('hidden_act', 'gelu_pytorch_tanh')                 // said again beside hidden_activation in published configs
  fields.only('sliding_window_size', window)
  fields.only('use_bidirectional_attention', false)
  return lineagePlan({
    ...lineage('gemma2', size), context, embeddingScale: Math.sqrt(size.width), logitCap: fields.cap('final_logit_softcapping', 30),
    normEpsilon: fields.number('rms_norm_eps', 1e-6), activation: fields.activation('hidden_activation', 'gelu_pytorch_tanh'),
    attention: Array.from({ length: size.layers }, (_, l) => {
      const slides = types === undefined ? l % 2 === 0 : types[l] === 'sliding_attention'
      return { scale, window: slides ? window : 0, cap, rotary: 0 }
    }),
    rotaries: [rotary], tied: fields.flag('tie_word_embeddings', true),
  }, { qkvBias: bias, mixedBias: bias, mlpBias: false, gains: 'plusOne', norms: FOUR_NORMS })
}
