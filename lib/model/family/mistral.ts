// Mistral: Llama without biases, and a window over the keys in every layer where the config has one.
import type { Fields } from '../fields.ts'
import type { ModelPlan } from '../plan.ts'
import { readPositions } from '../positions.ts'
import { alike, lineage, lineagePlan, sizes, TWO_NORMS } from './lineage.ts'

const USUAL = { width: 4096, hidden: 14_336, layers: 32, heads: 32, keyHeads: 8, context: 131_072, vocabulary: 32_000 }

/** Reads the fields of a MistralConfig. A missing window is 4096 keys; null means none. */
export function mistral(fields: Fields): ModelPlan {
  const size = sizes(fields, USUAL), { rotary, context } = readPositions(fields, size.headWidth, size.context)
  return lineagePlan({
    ...lineage('mistral', size), context, normEpsilon: fields.number('rms_norm_eps', 1e-6), activation: fields.activation('hidden_act', 'silu'),
    attention: alike(size, fields.sizeOr('sliding_window', 4096, 0)), rotaries: [rotary], tied: fields.flag('tie_word_embeddings', false),
  }, { qkvBias: false, mixedBias: false, mlpBias: false, norms: TWO_NORMS })
}
