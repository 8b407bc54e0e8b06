// OLMo 2: norms after attention and after the MLP in place of before, and norms over the whole row of queries and of keys.
import type { Fields } from '../fields.ts'
import type { ModelPlan } from '../plan.ts'
import { readPositions } from '../positions.ts'
import { alike, lineage, lineagePlan, sizes } from './lineage.ts'

const USUAL = { width: 4096, hidden: 11_008, layers: 32, heads: 32, context: 2048, vocabulary: 50_304 }

/** Reads the fields of an Olmo2Config. */
export function olmo2(fields: Fields): ModelPlan {
  const size = sizes(fields, USUAL), { rotary, context } = readPositions(fields, size.headWidth, size.context)
  const bias = fields.flag('attention_bias', false)
  return lineagePlan({
    ...lineage('olmo2', size), context, normEpsilon: fields.number('rms_norm_eps', 1e-5), activation: fields.activation('hidden_act', 'silu'),
    attention: alike(size), rotaries: [rotary], tied: fields.flag('tie_word_embeddings', false),
  }, {
    qkvBias: bias, mixedBias: bias, mlpBias: false, perHead: 'row',
    norms: { afterAttention: 'post_attention_layernorm', afterMlp: 'post_feedforward_layernorm' },
  })
}
