// Which tokenizers can be run pre-token by pre-token: byte-level BPE without a normaliser (GPT-2, NeoX, Llama 3 …).
// There the ids of a pre-token depend on nothing around it, so they can be kept, and a long document can be encoded while it is read.
import { isObject, type Fields } from './files.ts'
import { library } from './library.ts'

/** How to cut text into pre-tokens. */
export interface SplitPlan {
  /** Global and unicode; text between two matches is a pre-token too. */
  readonly pattern: RegExp
  /** Added tokens by content: they are cut out of the text before the pattern sees it. */
  readonly added: ReadonlyMap<string, number>
  /** Finds the added tokens: leftmost first, then longest; null where there are none. */
  readonly addedPattern: RegExp | null
  /** Length of the longest added token. */
  readonly addedLength: number
  /** False where the pattern looks backwards, so that text cannot be cut before it is complete. */
  readonly canStream: boolean
}

/** The plan for a checked tokenizer.json, or undefined where the whole text must go through the library at once. */
export function splitPlan(tokenizer: Fields, config: Fields): SplitPlan | undefined {
  const model = tokenizer['model'] as Fields, added = (tokenizer['added_tokens'] ?? []) as readonly Fields[]
  if (tokenizer['normalizer'] != null || config['remove_space'] === true || config['do_lowercase_and_remove_accent'] === true) return undefined
  if (model['type'] !== 'BPE' || model['fuse_unk'] === true) return undefined
  if (added.some(token => token['lstrip'] === true || token['rstrip'] === true || token['single_word'] === true)) return undefined
  const pattern = splitPattern(tokenizer['pre_tokenizer'])
  if (pattern === undefined) return undefined
  const words = added.map(token => token['content'] as string).sort((a, b) => b.length - a.length)
  return {
    pattern,
    added: new Map(added.map(token => [token['content'] as string, token['id'] as number])),
    addedPattern: words.length === 0 ? null : new RegExp(words.map(word => word.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')).join('|'), 'g'),
    addedLength: words[0]?.length ?? 0,
    canStream: !/\(\?<[=!]/.test(pattern.source),
  }
}

// Either ByteLevel with its own pattern, or one Split that keeps its matches apart followed by ByteLevel without a pattern.
function splitPattern(preTokenizer: unknown): RegExp | undefined {
  if (!isObject(preTokenizer)) return undefined
  if (preTokenizer['type'] === 'ByteLevel') return isPlainByteLevel(preTokenizer, true) ? new library.ByteLevelPreTokenizer(preTokenizer).pattern : undefined
  const steps = preTokenizer['pretokenizers']
  if (preTokenizer['type'] !== 'Sequence' || !Array.isArray(steps) || steps.length !== 2) return undefined
  const [split, bytes] = steps as [unknown, unknown]
  if (!isObject(split) || split['type'] !== 'Split' || split['behavior'] !== 'Isolated' || split['invert'] === true) return undefined
  if (!isObject(split['pattern']) || typeof split['pattern']['Regex'] !== 'string') return undefined
  if (!isObject(bytes) || bytes['type'] !== 'ByteLevel' || !isPlainByteLevel(bytes, false)) return undefined
  return new library.SplitPreTokenizer(split).pattern ?? undefined
}

function isPlainByteLevel(step: Fields, withPattern: boolean): boolean {
  return step['add_prefix_space'] !== true && (step['use_regex'] ?? true) === withPattern
}
