// One object of a config.json being read. It remembers what was asked for, and refuses at the end what nobody asked for: a field
// that is not known may change the arithmetic, and a model that computes something else is worse than none.
import { TransweldError } from '../native/error.ts'
import type { MatmulActivation } from '../tensor/dense.ts'

/** The most layers, and heads, that a config may ask for: a damaged number must not become a list of that length. */
export const MOST_PARTS = 4096

/** A JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>

// Fields that do not touch the arithmetic of a forward pass: training, generation, classification heads, bookkeeping.
const NEUTRAL = new Set(['architectures', 'attn_implementation', 'bad_words_ids', 'begin_suppress_tokens', 'cache_implementation',
  'chunk_size_feed_forward', 'diversity_penalty', 'do_sample', 'dtype', 'early_stopping', 'encoder_no_repeat_ngram_size',
  'exponential_decay_length_penalty', 'finetuning_task', 'gradient_checkpointing', 'id2label', 'initializer_range', 'is_decoder',
  'is_encoder_decoder', 'is_llama_config', 'label2id', 'length_penalty', 'max_length', 'max_sequence_length', 'min_length', 'model_max_length',
  'model_type', 'n_ctx', 'no_repeat_ngram_size', 'num_beam_groups', 'num_beams', 'num_labels', 'num_return_sequences', 'output_attentions',
  'output_hidden_states', 'output_scores', 'prefix', 'pretraining_tp', 'problem_type', 'remove_invalid_values', 'reorder_and_upcast_attn',
  'repetition_penalty', 'return_dict', 'return_dict_in_generate', 'suppress_tokens', 'summary_activation', 'summary_proj_to_labels', 'summary_type',
  'summary_use_proj', 'task_specific_params', 'temperature', 'tf_legacy_loss', 'tokenizer_class', 'top_k', 'top_p', 'torch_dtype', 'torchscript',
  'transformers.js_config', 'transformers_version', 'typical_p', 'unsloth_fixed', 'unsloth_version', 'use_bfloat16', 'use_cache'])
const NEUTRAL_ENDS = /(_token_id|(^|_)p?drop(out)?(_prob)?)$/

// transformers' names of the functions that a product may end in. Its tanh forms of gelu differ in the order of operations only.
const ACTIVATIONS: Readonly<Record<string, MatmulActivation>> = {
  gelu: 'geluErf', gelu_python: 'geluErf', gelu_new: 'geluTanh', gelu_fast: 'geluTanh', gelu_pytorch_tanh: 'geluTanh', gelu_python_tanh: 'geluTanh',
  gelu_accurate: 'geluTanh', quick_gelu: 'quickGelu', relu: 'relu', silu: 'silu', swish: 'silu', linear: 'linear',
}

/** The fields of one object, read by name. A default stands in for a field that is missing; null is missing only where a method says so. */
export class Fields {
  /** What errors call the file. */
  readonly from: string
  readonly #values: JsonObject
  readonly #asked = new Set<string>()
  readonly #path: string

  constructor(values: JsonObject, from: string, path = '') {
    this.#values = values
    this.from = from
    this.#path = path
  }

  /** Whether the field is there and not null. */
  has(name: string): boolean { return (this.#values[name] ?? undefined) !== undefined }

  /** The field as it is, undefined where it is missing. */
  any(name: string): unknown { this.#asked.add(name); return Object.hasOwn(this.#values, name) ? this.#values[name] : undefined }

  /** A positive integer, at most `most`. */
  size(name: string, missing: number, most = 2 ** 31): number {
    const value = this.#or(name, missing), isSize = typeof value === 'number' && Number.isSafeInteger(value) && value > 0
    if (isSize && value <= most) return value
    throw this.wrong(name, isSize ? `at most ${most}` : 'a positive integer', value)
  }

  /** A positive integer, or what stands for null. */
  sizeOr(name: string, missing: number, whenNull: number): number { return this.any(name) === null ? whenNull : this.size(name, missing) }

  /** A finite number above 0. */
  positive(name: string, missing?: number): number {
    const value = this.#or(name, missing)
    if (typeof value === 'number' && Number.isFinite(value) && value > 0) return value
    throw this.wrong(name, 'a number above 0', value)
  }

  /** A finite number of at least 0. */
  number(name: string, missing?: number): number {
    const value = this.#or(name, missing)
    if (typeof value === 'number' && Number.isFinite(value) && value >= 0) return value
    throw this.wrong(name, 'a number of at least 0', value)
  }

  /** true or false. */
  flag(name: string, missing: boolean): boolean {
    const value = this.#or(name, missing)
    if (typeof value === 'boolean') return value
    throw this.wrong(name, 'true or false', value)
  }

  /** A soft cap: 0 for null, which means none. */
  cap(name: string, missing: number): number {
    const value = this.any(name)
    return value === null || value === undefined && missing === 0 ? 0 : this.positive(name, missing)
  }

  /** The activation that a name of transformers means. */
  activation(name: string, missing: string): MatmulActivation {
    const value = this.#or(name, missing)
    if (typeof value === 'string' && Object.hasOwn(ACTIVATIONS, value)) return ACTIVATIONS[value]!
    throw this.unsupported(name, `known: ${Object.keys(ACTIVATIONS).join(', ')}`)
  }

  /** An object in the object, or undefined where it is missing or null. */
  object(name: string): Fields | undefined {
    const value = this.any(name)
    if (value === undefined || value === null) return undefined
    if (typeof value !== 'object' || Array.isArray(value)) throw this.wrong(name, 'an object', value)
    return new Fields(value as JsonObject, this.from, `${this.#path}${name}.`)
  }

  /** A list of `length` words out of `choices`, or undefined where it is missing or null. */
  words<const T extends string>(name: string, length: number, choices: readonly T[]): readonly T[] | undefined {
    const value = this.any(name)
    if (value === undefined || value === null) return undefined
    if (Array.isArray(value) && value.length === length && value.every(word => choices.includes(word as T))) return value as T[]
    throw this.wrong(name, `${length} of ${choices.map(c => `"${c}"`).join(' or ')}`, value)
  }

  /** A field that transformers does not read, or that says again what another one said: it may be missing, null or one of `harmless`. */
  only(name: string, ...harmless: readonly unknown[]): void {
    const value = this.any(name)
    if (value !== undefined && value !== null && !harmless.includes(value)) throw this.unsupported(name)
  }

  /** Refuses what nobody has asked for, unless it is known to be neutral, begins with "_", or is null, false or empty. */
  end(): void {
    for (const [name, value] of Object.entries(this.#values)) {
      if (this.#asked.has(name) || NEUTRAL.has(name) || NEUTRAL_ENDS.test(name) || name.startsWith('_') || isNothing(value)) continue
      throw this.unsupported(name)
    }
  }

  /** The error for a field whose value is of the wrong kind. */
  wrong(name: string, expected: string, value: unknown): TransweldError {
    return new TransweldError('ERR_FORMAT', `expected ${expected} for ${this.#path}${name} in ${this.from} but received ${JSON.stringify(value)}`)
  }

  /** The error for a field whose value is not supported. */
  unsupported(name: string, hint = ''): TransweldError {
    const value = JSON.stringify(this.#values[name])
    const field = `${this.#path}${name} = ${value !== undefined && value.length > 80 ? `${value.slice(0, 77)}...` : value} in ${this.from}`
    return new TransweldError('ERR_UNSUPPORTED', `${field} may change the arithmetic and is not supported${hint && `; ${hint}`}`)
  }

  #or(name: string, missing: unknown): unknown {
    const value = this.any(name)
    return value === undefined ? missing : value
  }
}

function isNothing(value: unknown): boolean {
  return value === null || value === false || typeof value === 'object' && Object.keys(value).length === 0
}
