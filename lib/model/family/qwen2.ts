// Qwen 2 and 2.5: Llama with biases of queries, keys and values, and a window in some layers where the config asks for it.
import type { AttentionPlan } from '../architecture.ts'
import type { Fields } from '../fields.ts'
import type { ModelPlan } from '../plan.ts'
import { readPositions } from '../positions.ts'
import { alike, LAYER_TYPES, lineage, lineagePlan, type Sizes, sizes, TWO_NORMS } from './lineage.ts'

const USUAL = { width: 4096, hidden: 22_016, layers: 32, heads: 32, keyHeads: 32, context: 32_768, vocabulary: 151_936 }

/** Reads the fields of a Qwen2Config. */
export function qwen2(fields: Fields): ModelPlan {
  const size = sizes(fields, USUAL), { rotary, context } = readPositions(fields, size.headWidth, size.context)
  return lineagePlan({
    ...lineage('qwen2', size), context, normEpsilon: fields.number('rms_norm_eps', 1e-6), activation: fields.activation('hidden_act', 'silu'),
    attention: someWindows(fields, size), rotaries: [rotary], tied: fields.flag('tie_word_embeddings', false),
  }, { qkvBias: true, mixedBias: false, mlpBias: false, norms: TWO_NORMS })
}

/** A window in the layers that `layer_types` names, else in those from `max_window_layers` on; none unless `use_sliding_window`. */
export function someWindows(fields: Fields, size: Sizes): AttentionPlan[] {
  const isUsed = fields.flag('use_sliding_window', false), first = fields.number('max_window_layers', 28)
  const window = isUsed ? fields.sizeOr('sliding_window', 4096, 0) : (fields.any('sliding_window'), 0)
  const types = fields.words('layer_types', size.layers, LAYER_TYPES)
  if (window === 0 && types?.includes('sliding_attention')) {
    throw fields.wrong('layer_types', 'no "sliding_attention" without use_sliding_window and sliding_window', types)
  }
  const slides = (l: number): boolean => types === undefined ? l >= first : types[l] === 'sliding_attention'
  return alike(size).map((plan, l) => slides(l) ? { ...plan, window } : plan)
}
