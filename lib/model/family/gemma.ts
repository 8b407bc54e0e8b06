// Gemma: Llama with gelu in the gate, token embeddings times √D, norms whose gain is 1 + weight, and tied embeddings.
import type { Fields } from '../fields.ts'
import type { ModelPlan } from '../plan.ts'
import { readPositions } from '../positions.ts'
import { alike, lineage, lineagePlan, sizes, TWO_NORMS } from './lineage.ts'

const USUAL = { width: 3072, hidden: 24_576, layers: 28, heads: 16, keyHeads: 16, headWidth: 256, context: 8192, vocabulary: 256_000 }

/** Reads the fields of a GemmaConfig. */
export function gemma(fields: Fields): ModelPlan {
  const size = sizes(fields, USUAL), { rotary, context } = readPositions(fields, size.headWidth, size.context)
  const bias = fields.flag('attention_bias', false), activation = fields.activation('hidden_act', 'gelu_pytorch_tanh')
  fields.only('hidden_activation', 'gelu_pytorch_tanh')
  fields.only('use_bidirectional_attention', false)
  return lineagePlan({
    ...lineage('gemma', size), context, embeddingScale: Math.sqrt(size.width), normEpsilon: fields.number('rms_norm_eps', 1e-6),
    activation: fields.any('hidden_act') === 'gelu' ? 'geluTanh' : activation,        // the first releases say "gelu" and were trained with tanh
    attention: alike(size), rotaries: [rotary], tied: fields.flag('tie_word_embeddings', true),
  }, { qkvBias: bias, mixedBias: bias, mlpBias: false, gains: 'plusOne', norms: TWO_NORMS })
}
