// OLMo: Llama whose norms subtract the mean and have no weights.
import type { Fields } from '../fields.ts'
import type { ModelPlan } from '../plan.ts'
import { readPositions } from '../positions.ts'
import { alike, lineage, lineagePlan, sizes, TWO_NORMS } from './lineage.ts'

const USUAL = { width: 4096, hidden: 11_008, layers: 32, heads: 32, context: 2048, vocabulary: 50_304 }

/** Reads the fields of an OlmoConfig. Clipped queries, keys and values (`clip_qkv`) are refused. */
export function olmo(fields: Fields): ModelPlan {
  const size = sizes(fields, USUAL), { rotary, context } = readPositions(fields, size.headWidth, size.context)
  const bias = fields.flag('attention_bias', false)
  fields.only('clip_qkv')
  return lineagePlan({
    ...lineage('olmo', size), context, norm: 'layer', normEpsilon: 1e-5, activation: fields.activation('hidden_act', 'silu'),
    attention: alike(size), rotaries: [rotary], tied: fields.flag('tie_word_embeddings', false),
  }, { qkvBias: bias, mixedBias: bias, mlpBias: false, gains: 'none', norms: TWO_NORMS })
}
