// Qwen 3: norms of each head of queries and keys before they turn, heads of 128 columns whatever the width, no biases unless asked for.
import type { Fields } from '../fields.ts'
import type { ModelPlan } from '../plan.ts'
import { readPositions } from '../positions.ts'
import { lineage, lineagePlan, sizes, TWO_NORMS } from './lineage.ts'
import { someWindows } from './qwen2.ts'

const USUAL = { width: 4096, hidden: 22_016, layers: 32, heads: 32, keyHeads: 32, headWidth: 128, context: 32_768, vocabulary: 151_936 }

/** Reads the fields of a Qwen3Config. */
export function qwen3(fields: Fields): ModelPlan {
  const size = sizes(fields, USUAL), { rotary, context } = readPositions(fields, size.headWidth, size.context)
  const bias = fields.flag('attention_bias', false)
  return lineagePlan({
    ...lineage('qwen3', size), context, normEpsilon: fields.number('rms_norm_eps', 1e-6), activation: fields.activation('hidden_act', 'silu'),
    attention: someWindows(fields, size), rotaries: [rotary], tied: fields.flag('tie_word_embeddings', false),
  }, { qkvBias: bias, mixedBias: bias, mlpBias: false, perHead: 'head', norms: TWO_NORMS })
}
