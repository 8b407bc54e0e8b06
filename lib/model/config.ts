// A Hugging Face config.json, read strictly: a field that changes the arithmetic and is not known is an error that names it.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { TransweldError } from '../native/error.ts'
import { gemma } from './family/gemma.ts'
import { gemma2 } from './family/gemma2.ts'
import { gemma3, gemma3Text } from './family/gemma3.ts'
import { gpt2 } from './family/gpt2.ts'
import { llama } from './family/llama.ts'
import { mistral } from './family/mistral.ts'
import { neox } from './family/neox.ts'
import { olmo } from './family/olmo.ts'
import { olmo2 } from './family/olmo2.ts'
import { qwen2 } from './family/qwen2.ts'
import { qwen3 } from './family/qwen3.ts'
import { Fields, type JsonObject } from './fields.ts'
import type { ModelPlan, ReadFamily } from './plan.ts'

/** What reads a `model_type`. */
const FAMILIES: Readonly<Record<string, ReadFamily>> = {
  gpt2, gpt_neox: neox, llama, mistral, gemma, gemma2, gemma3_text: gemma3Text, gemma3, qwen2, qwen3, olmo, olmo2,
}

/** Every `model_type` of a config.json that can be read. */
export const MODEL_TYPES: readonly string[] = Object.keys(FAMILIES)

/**
 * Reads `folder/config.json`.
 * @throws ERR_FILE without the file, ERR_FORMAT where it is no JSON object or a size is wrong, ERR_UNSUPPORTED for an
 * architecture, a quantisation or a field that is not supported.
 */
export async function readPlan(folder: string): Promise<ModelPlan> {
  const path = join(folder, 'config.json')
  let text: string
  try { text = await readFile(path, 'utf8') } catch (cause) {
    throw new TransweldError('ERR_FILE', `expected a model's folder with a config.json: ${path} cannot be read`, { cause })
  }
  let fields: unknown
  try { fields = JSON.parse(text) } catch (cause) { throw new TransweldError('ERR_FORMAT', `${path} is not JSON`, { cause }) }
  if (fields === null || typeof fields !== 'object' || Array.isArray(fields)) throw new TransweldError('ERR_FORMAT', `${path} does not hold an object`)
  return parsePlan(fields as JsonObject, path)
}

/** The same for an object already read; `from` names it in errors. */
export function parsePlan(values: JsonObject, from: string): ModelPlan {
  const type = values.model_type, read = typeof type === 'string' && Object.hasOwn(FAMILIES, type) ? FAMILIES[type]! : undefined
  if (read === undefined) {
    throw new TransweldError('ERR_UNSUPPORTED',
      `expected a model_type of ${MODEL_TYPES.join(', ')} in ${from} but found ${JSON.stringify(type)}: this architecture is not supported`)
  }
  refuseQuantised(values, from)
  const fields = new Fields(values, from), plan = read(fields)
  fields.end()
  return plan
}

function refuseQuantised(values: JsonObject, from: string): void {
  for (const name of ['quantization_config', 'compression_config']) {
    const value = values[name]
    if (value === undefined || value === null) continue
    const method = (value as JsonObject).quant_method ?? (value as JsonObject).quant_type ?? 'an unnamed method'
    throw new TransweldError('ERR_UNSUPPORTED', `${name} in ${from} says that the weights are quantised by ${String(method)}, which is not supported: `
      + 'expected f32, bf16 or f16. Open the model that it was made from')
  }
}
