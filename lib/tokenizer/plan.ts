// Tokenizers that cut text by one pattern and then spell the words in bytes (GPT-2, NeoX, Llama 3, Qwen …). There the ids of a word depend on nothing
// around it, so they are kept by the word as it stands in the text, and a long document can be encoded while it is read.
import { isObject, type Fields } from './files.ts'
import { fromOniguruma } from './regex.ts'
import { byteLevelPattern } from './split.ts'

/** The pattern of such a tokenizer, global and unicode; text between two matches is a word too. Undefined for any other. */
export function wordPattern(tokenizer: Fields): RegExp | undefined {
  const step = tokenizer['pre_tokenizer']
  if (!isObject(step)) return undefined
  if (step['type'] === 'ByteLevel') return isPlainByteLevel(step, true) ? byteLevelPattern() : undefined
  const steps = step['pretokenizers']
  if (step['type'] !== 'Sequence' || !Array.isArray(steps) || steps.length !== 2) return undefined
  const [split, bytes] = steps as [unknown, unknown]
  if (!isObject(split) || split['type'] !== 'Split' || split['behavior'] !== 'Isolated') return undefined
  if (!isObject(split['pattern']) || typeof split['pattern']['Regex'] !== 'string') return undefined
  if (!isObject(bytes) || bytes['type'] !== 'ByteLevel' || !isPlainByteLevel(bytes, false)) return undefined
  return fromOniguruma(split['pattern']['Regex'])
}

function isPlainByteLevel(step: Fields, withPattern: boolean): boolean {
  return step['add_prefix_space'] !== true && (step['use_regex'] ?? true) === withPattern
}

/** False where a pattern looks backwards, so that text cannot be cut before it is complete. */
export function looksAhead(pattern: RegExp): boolean { return !/\(\?<[=!]/.test(pattern.source) }
