// A Hugging Face config.json, read strictly: a field that changes the arithmetic and is not known is an error that names it.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { TransweldError } from '../native/error.ts'

/** The sizes of a model, the same for every family. */
export interface ModelConfig {
  readonly family: 'gpt2'
  readonly layers: number
  /** Width of the residual stream, D. */
  readonly width: number
  readonly heads: number
  /** Width of an MLP's hidden layer. */
  readonly hidden: number
  /** Longest sequence, in tokens. */
  readonly context: number
  readonly vocabulary: number
  readonly normEpsilon: number
  readonly activation: 'relu' | 'geluTanh' | 'geluErf'
  /** Factor on the attention scores, for each layer. */
  readonly attentionScales: readonly number[]
  /** Whether the unembedding is the token embedding. */
  readonly tied: boolean
}

type Fields = Readonly<Record<string, unknown>>

/**
 * Reads `dir/config.json`.
 * @throws ERR_FILE without the file, ERR_FORMAT where it is no JSON object or a size is wrong, ERR_UNSUPPORTED for an
 * architecture or a field that is not supported.
 */
export async function readConfig(dir: string): Promise<ModelConfig> {
  const path = join(dir, 'config.json')
  let text: string
  try { text = await readFile(path, 'utf8') } catch (cause) {
    throw new TransweldError('ERR_FILE', `expected a model's folder with a config.json: ${path} cannot be read`, { cause })
  }
  let fields: unknown
  try { fields = JSON.parse(text) } catch (cause) { throw new TransweldError('ERR_FORMAT', `${path} is not JSON`, { cause }) }
  if (fields === null || typeof fields !== 'object' || Array.isArray(fields)) throw new TransweldError('ERR_FORMAT', `${path} does not hold an object`)
  return parseConfig(fields as Fields, path)
}

/** The same for an object already read; `from` names it in errors. */
export function parseConfig(fields: Fields, from: string): ModelConfig {
  if (fields.model_type !== 'gpt2') throw new TransweldError('ERR_UNSUPPORTED', `expected model_type "gpt2" in ${from} but found ${JSON.stringify(fields.model_type)}: this architecture is not supported`)
  return gpt2(fields, from)
}

// Fields that do not touch the arithmetic of a forward pass: training, generation, classification heads, bookkeeping.
const NEUTRAL = new Set(['architectures', 'attn_pdrop', 'bad_words_ids', 'begin_suppress_tokens', 'bos_token_id', 'chunk_size_feed_forward',
  'decoder_start_token_id', 'diversity_penalty', 'do_sample', 'dtype', 'early_stopping', 'embd_pdrop', 'encoder_no_repeat_ngram_size', 'eos_token_id',
  'exponential_decay_length_penalty', 'finetuning_task', 'forced_bos_token_id', 'forced_eos_token_id', 'gradient_checkpointing', 'id2label',
  'initializer_range', 'is_decoder', 'is_encoder_decoder', 'label2id', 'length_penalty', 'max_length', 'min_length', 'model_type', 'n_ctx',
  'no_repeat_ngram_size', 'num_beam_groups', 'num_beams', 'num_return_sequences', 'output_attentions', 'output_hidden_states', 'output_scores',
  'pad_token_id', 'prefix', 'problem_type', 'remove_invalid_values', 'reorder_and_upcast_attn', 'repetition_penalty', 'resid_pdrop', 'return_dict',
  'return_dict_in_generate', 'sep_token_id', 'suppress_tokens', 'summary_activation', 'summary_first_dropout', 'summary_proj_to_labels', 'summary_type',
  'summary_use_proj', 'task_specific_params', 'temperature', 'tf_legacy_loss', 'tokenizer_class', 'top_k', 'top_p', 'torch_dtype', 'torchscript',
  'transformers_version', 'typical_p', 'use_bfloat16', 'use_cache'])

const ACTIVATIONS = { gelu_new: 'geluTanh', gelu_pytorch_tanh: 'geluTanh', gelu: 'geluErf', relu: 'relu' } as const

function gpt2(fields: Fields, from: string): ModelConfig {
  const used = new Set<string>()
  const field = (name: string, otherwise?: unknown): unknown => { used.add(name); return fields[name] ?? otherwise }
  const size = (name: string, otherwise?: number): number => {
    const value = field(name, otherwise)
    if (typeof value === 'number' && Number.isInteger(value) && value > 0) return value
    throw new TransweldError('ERR_FORMAT', `expected a positive integer for ${name} in ${from} but received ${JSON.stringify(value)}`)
  }
  const flag = (name: string, otherwise: boolean): boolean => {
    const value = field(name, otherwise)
    if (typeof value === 'boolean') return value
    throw new TransweldError('ERR_FORMAT', `expected true or false for ${name} in ${from} but received ${JSON.stringify(value)}`)
  }
  const width = size('n_embd'), heads = size('n_head'), layers = size('n_layer')
  if (width % heads) throw new TransweldError('ERR_FORMAT', `expected n_embd to be a multiple of n_head in ${from} but received ${width} and ${heads}`)
  const activation = field('activation_function', 'gelu_new') as keyof typeof ACTIVATIONS
  if (!Object.hasOwn(ACTIVATIONS, activation)) throw unsupported('activation_function', activation, from)
  if (flag('add_cross_attention', false)) throw unsupported('add_cross_attention', true, from)
  const scale = flag('scale_attn_weights', true) ? 1 / Math.sqrt(width / heads) : 1
  const byLayer = flag('scale_attn_by_inverse_layer_idx', false)
  const epsilon = field('layer_norm_epsilon', 1e-5)
  if (typeof epsilon !== 'number' || !(epsilon >= 0)) throw new TransweldError('ERR_FORMAT', `expected a number of at least 0 for layer_norm_epsilon in ${from} but received ${JSON.stringify(epsilon)}`)
  const config: ModelConfig = {
    family: 'gpt2', layers, width, heads, hidden: size('n_inner', 4 * width), context: size('n_positions'), vocabulary: size('vocab_size'),
    normEpsilon: epsilon, activation: ACTIVATIONS[activation], tied: flag('tie_word_embeddings', true),
    attentionScales: Array.from({ length: layers }, (_, l) => byLayer ? scale / (l + 1) : scale),
  }
  for (const name of Object.keys(fields)) {
    if (used.has(name) || NEUTRAL.has(name) || name.startsWith('_') || fields[name] === null || fields[name] === false) continue
    throw unsupported(name, fields[name], from)
  }
  return config
}

function unsupported(name: string, value: unknown, from: string): TransweldError {
  return new TransweldError('ERR_UNSUPPORTED', `${name} = ${JSON.stringify(value)} in ${from} may change the arithmetic and is not supported for gpt2`)
}
