// Llama 2 and 3, SmolLM and what else has its class: RMS norms, rotary positions, heads that share keys, a gated MLP.
//
//   stream += o(attend(turn q, turn k, v))     q, k, v of norm₁ stream
//   stream += down(act(gate x) · up x)         x = norm₂ stream is the site mlpInput, down(…) the site mlpOutput
//   logits = unembed(norm stream)
import type { Fields } from '../fields.ts'
import type { ModelPlan } from '../plan.ts'
import { readPositions } from '../positions.ts'
import { alike, lineage, lineagePlan, sizes, TWO_NORMS } from './lineage.ts'

const USUAL = { width: 4096, hidden: 11008, layers: 32, heads: 32, context: 2048, vocabulary: 32_000 }

/** Reads the fields of a LlamaConfig. */
export function llama(fields: Fields): ModelPlan {
  const size = sizes(fields, USUAL), { rotary, context } = readPositions(fields, size.headWidth, size.context)
  const bias = fields.flag('attention_bias', false)
  return lineagePlan({
    ...lineage('llama', size), context, normEpsilon: fields.number('rms_norm_eps', 1e-6), activation: fields.activation('hidden_act', 'silu'),
    attention: alike(size), rotaries: [rotary], tied: fields.flag('tie_word_embeddings', false),
  }, { qkvBias: bias, mixedBias: bias, mlpBias: fields.flag('mlp_bias', false), norms: TWO_NORMS })
}
