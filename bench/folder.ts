// A folder with a random language model of a known shape, as transformers would save it: both sides open the same one.
// Its numbers come from one block of random bits that all tensors share, so that a billion weights are written in seconds.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parsePlan } from '../lib/model/config.ts'
import { partsOf } from '../lib/model/weights.ts'
import { type TensorToWrite, writeSafetensors } from '../lib/safetensors/writer.ts'

/** The models that are measured: their config.json, and what people call them. */
export const MODELS = {
  'GPT-2 small': {
    model_type: 'gpt2', n_embd: 768, n_layer: 12, n_head: 12, n_positions: 1024, vocab_size: 50257, activation_function: 'gelu_new', architectures: ['GPT2LMHeadModel'],
  },
  'Pythia 410M': {
    model_type: 'gpt_neox', hidden_size: 1024, num_hidden_layers: 24, num_attention_heads: 16, intermediate_size: 4096, max_position_embeddings: 2048,
    vocab_size: 50304, rotary_pct: 0.25, rotary_emb_base: 10000, use_parallel_residual: true, hidden_act: 'gelu', layer_norm_eps: 1e-5,
    tie_word_embeddings: false, architectures: ['GPTNeoXForCausalLM'],
  },
  'Llama 1B': {
    model_type: 'llama', hidden_size: 2048, num_hidden_layers: 16, num_attention_heads: 32, num_key_value_heads: 8, head_dim: 64, intermediate_size: 8192,
    max_position_embeddings: 4096, vocab_size: 128256, rms_norm_eps: 1e-5, rope_theta: 500000, hidden_act: 'silu', tie_word_embeddings: true,
    architectures: ['LlamaForCausalLM'],
  },
} as const

/** The name of a model that is measured. */
export type ModelName = keyof typeof MODELS

const SPREAD = 0.04           // of weights that are drawn evenly: activations stay finite through all layers

/** bf16 numbers between ± SPREAD, as bits. */
function randomBits(count: number): Uint16Array {
  const bits = new Uint16Array(count), wide = new Float32Array(1), word = new Uint32Array(wide.buffer)
  for (let i = 0, state = 1; i < count; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    wide[0] = (state / 2 ** 31 - 1) * SPREAD
    bits[i] = word[0]! >>> 16
  }
  return bits
}

/** The folder of a model, config.json and bf16 weights, gone when it is disposed of. */
export interface ModelFolder extends AsyncDisposable { readonly path: string, readonly bytes: number }

/** Writes a model into a folder of its own in the system's folder for temporary files. */
export async function modelFolder(name: ModelName): Promise<ModelFolder> {
  const config = MODELS[name], source = parsePlan(config, name).source({ names: [], has: () => false })
  const shapes = new Map(partsOf(source).map(part => [part.name, part.shape]))
  const sizes = [...shapes.values()].map(shape => shape.reduce((a, b) => a * b, 1)), bits = randomBits(Math.max(...sizes))
  const path = await mkdtemp(join(tmpdir(), 'transweld-bench-'))
  const remove = (): Promise<void> => rm(path, { recursive: true, force: true })
  try {
    await writeFile(join(path, 'config.json'), JSON.stringify({ ...config, dtype: 'bfloat16' }))
    await writeSafetensors(join(path, 'model.safetensors'), Object.fromEntries([...shapes].map(([tensor, shape], i): [string, TensorToWrite] =>
      [tensor, { dtype: 'BF16', shape, data: bits.subarray(0, sizes[i]!) } as TensorToWrite])))
  } catch (error) {
    await remove()
    throw error
  }
  return { path, bytes: 2 * sizes.reduce((a, b) => a + b, 0), [Symbol.asyncDispose]: remove }
}
