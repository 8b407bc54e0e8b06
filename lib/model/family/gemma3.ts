// Gemma 3, text: Gemma 2 with norms of each head of queries and keys in place of soft caps on scores, and windows in five of six layers,
// which turn by a base of their own. The models that also see are read without their eyes: text does not pass through them.
import type { AttentionPlan, Rotary } from '../architecture.ts'
import type { Fields } from '../fields.ts'
import type { ModelPlan } from '../plan.ts'
import { readScaling } from '../positions.ts'
import { FOUR_NORMS } from './gemma2.ts'
import { LAYER_TYPES, lineage, lineagePlan, type Sizes, sizes } from './lineage.ts'

const USUAL = { width: 2304, hidden: 9216, layers: 26, heads: 8, keyHeads: 4, headWidth: 256, context: 131_072, vocabulary: 262_208 }
const PREFIXES = ['model.', 'language_model.model.', 'model.language_model.', 'language_model.', '']
const EYES = [/^(model\.)?vision_tower\./, /^(model\.)?multi_modal_projector\./]

/** Reads the fields of a Gemma3TextConfig. */
export function gemma3Text(fields: Fields): ModelPlan {
  return text(fields, fields.flag('tie_word_embeddings', true), fields.cap('final_logit_softcapping', 0))
}

/** Reads the fields of a Gemma3Config: a text model with a vision tower beside it. */
export function gemma3(fields: Fields): ModelPlan {
  for (const name of ['vision_config', 'mm_tokens_per_image', 'boi_token_index', 'eoi_token_index', 'image_token_index']) fields.any(name)
  const tied = fields.flag('tie_word_embeddings', true), inner = fields.object('text_config')
  if (inner === undefined) throw fields.wrong('text_config', 'the fields of the text model', null)
  inner.any('tie_word_embeddings')                               // the outer one decides
  inner.any('final_logit_softcapping')                           // the class with eyes does not read it
  const plan = text(inner, tied, 0)
  inner.end()
  return plan
}

function text(fields: Fields, tied: boolean, logitCap: number): ModelPlan {
  const size = sizes(fields, USUAL), bias = fields.flag('attention_bias', false)
  const { attention, rotaries } = layers(fields, size)
  fields.only('hidden_act', 'gelu_pytorch_tanh')
  fields.only('use_bidirectional_attention', false)
  fields.any('attn_logit_softcapping')                           // a field of the class that its attention does not read
  return lineagePlan({
    ...lineage('gemma3', size), embeddingScale: Math.sqrt(size.width), logitCap,
    normEpsilon: fields.number('rms_norm_eps', 1e-6), activation: fields.activation('hidden_activation', 'gelu_pytorch_tanh'),
    attention, rotaries, tied,
  }, {
    qkvBias: bias, mixedBias: bias, mlpBias: false, perHead: 'head', gains: 'plusOne', norms: FOUR_NORMS,
    prefixes: PREFIXES, heads: ['lm_head.weight', 'language_model.lm_head.weight'], ignored: EYES,
  })
}

// Rotary 0 is that of full attention, 1 that of windows. `rope_scaling` of before transformers 5 concerns the first only.
function layers(fields: Fields, size: Sizes): { attention: AttentionPlan[], rotaries: Rotary[] } {
  const { headWidth, context } = size, window = fields.size('sliding_window', 4096), pattern = fields.size('sliding_window_pattern', 6)
  const types = fields.words('layer_types', size.layers, LAYER_TYPES), both = fields.object('rope_parameters'), older = fields.object('rope_scaling')
  const scale = 1 / Math.sqrt(fields.positive('query_pre_attn_scalar', 256))
  if (older?.has('type')) throw older.unsupported('type', 'expected rope_type')
  const turn = (type: typeof LAYER_TYPES[number], theta: number, scaling?: Fields): Rotary => {
    const own = both?.object(type)
    if (own !== undefined && scaling !== undefined) throw fields.unsupported('rope_scaling', 'rope_parameters say the same')
    return readScaling(scaling ?? own, { fields, headWidth, context, theta, isNested: true }).rotary
  }
  const rotaries = [
    turn('full_attention', fields.positive('rope_theta', 1e6), older), turn('sliding_attention', fields.positive('rope_local_base_freq', 1e4)),
  ]
  both?.end()
  const attention = Array.from({ length: size.layers }, (_, l) => {
    const slides = types === undefined ? (l + 1) % pattern !== 0 : types[l] === 'sliding_attention'
    return { scale, window: slides ? window : 0, cap: 0, rotary: slides ? 1 : 0 }
  })
  return { attention, rotaries }
}
