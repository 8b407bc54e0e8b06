// What config.json files say, in the style of every version: defaults of each family's class in transformers, fields that must be refused,
// and values that cannot be. What the fields do to the arithmetic is the golden models' part (families.test.ts).
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { ModelConfig } from '../../lib/model/architecture.ts'
import { MODEL_TYPES, parsePlan } from '../../lib/model/config.ts'
import type { JsonObject } from '../../lib/model/fields.ts'
import { failsWith } from './tiny.ts'

const test = suite('config')
const read = (model_type: string, fields: JsonObject = {}): ModelConfig => parsePlan({ model_type, ...fields }, 'config.json').config
const windows = (config: ModelConfig): number[] => config.attention.map(({ window }) => window)

// width, hidden, layers, heads, keyHeads, headWidth, context, vocabulary, tied, epsilon, activation of each class without a field.
const DEFAULTS: Readonly<Record<string, readonly [...number[], boolean, number, string]>> = {
  gpt2: [768, 3072, 12, 12, 12, 64, 1024, 50257, true, 1e-5, 'geluTanh'],
  gpt_neox: [6144, 24576, 44, 64, 64, 96, 2048, 50432, false, 1e-5, 'geluErf'],
  llama: [4096, 11008, 32, 32, 32, 128, 2048, 32000, false, 1e-6, 'silu'],
  mistral: [4096, 14336, 32, 32, 8, 128, 131072, 32000, false, 1e-6, 'silu'],
  gemma: [3072, 24576, 28, 16, 16, 256, 8192, 256000, true, 1e-6, 'geluTanh'],
  gemma2: [2304, 9216, 26, 8, 4, 256, 8192, 256000, true, 1e-6, 'geluTanh'],
  gemma3_text: [2304, 9216, 26, 8, 4, 256, 131072, 262208, true, 1e-6, 'geluTanh'],
  qwen2: [4096, 22016, 32, 32, 32, 128, 32768, 151936, false, 1e-6, 'silu'],
  qwen3: [4096, 22016, 32, 32, 32, 128, 32768, 151936, false, 1e-6, 'silu'],
  olmo: [4096, 11008, 32, 32, 32, 128, 2048, 50304, false, 1e-5, 'silu'],
  olmo2: [4096, 11008, 32, 32, 32, 128, 2048, 50304, false, 1e-5, 'silu'],
}

test('a field that is missing has the default of its class', () => {
  assert.equal([...Object.keys(DEFAULTS), 'gemma3'].sort(), [...MODEL_TYPES].sort())
  for (const [type, known] of Object.entries(DEFAULTS)) {
    const c = read(type)
    assert.equal([c.width, c.hidden, c.layers, c.heads, c.keyHeads, c.headWidth, c.context, c.vocabulary, c.tied, c.normEpsilon, c.activation], known, type)
    assert.is(c.attention.length, c.layers)
    assert.is(c.rotaries.length, type === 'gpt2' ? 0 : type === 'gemma3_text' ? 2 : 1)
  }
  assert.equal([read('gemma2').logitCap, read('gemma2').attention[0]!.cap, read('gemma3_text').logitCap], [30, 50, 0])
})

test('a missing number of key heads differs from null, and a head\'s width from its share', () => {
  assert.is(read('mistral', { num_attention_heads: 16 }).keyHeads, 8)
  assert.is(read('mistral', { num_attention_heads: 16, num_key_value_heads: null }).keyHeads, 16)
  assert.is(read('llama', { num_attention_heads: 16, num_key_value_heads: null }).keyHeads, 16)
  assert.is(read('llama', { hidden_size: 64, num_attention_heads: 4, head_dim: null }).headWidth, 16)
  assert.is(read('qwen3', { hidden_size: 64, num_attention_heads: 4, num_key_value_heads: 4 }).headWidth, 128)
  assert.is(read('llama', { hidden_size: 63, num_attention_heads: 4, head_dim: 10 }).headWidth, 10)
})

test('which layers have a window', () => {
  const six = { num_hidden_layers: 6, num_attention_heads: 8 }
  assert.equal(windows(read('mistral', six)), Array<number>(6).fill(4096))
  assert.equal(windows(read('mistral', { ...six, sliding_window: null })), Array<number>(6).fill(0))
  assert.equal(windows(read('gemma2', { ...six, sliding_window: 9 })), [9, 0, 9, 0, 9, 0])
  assert.equal(windows(read('gemma3_text', six)), [4096, 4096, 4096, 4096, 4096, 0])
  assert.equal(read('gemma3_text', six).attention.map(({ rotary }) => rotary), [1, 1, 1, 1, 1, 0])
  assert.equal(windows(read('gemma3_text', { ...six, sliding_window_pattern: 2, sliding_window: 5 })), [5, 0, 5, 0, 5, 0])
  const late = { ...six, num_key_value_heads: 8, sliding_window: 5, max_window_layers: 4 }
  assert.equal(windows(read('qwen2', late)), Array<number>(6).fill(0))
  assert.equal(windows(read('qwen2', { ...late, use_sliding_window: true })), [0, 0, 0, 0, 5, 5])
  const types = ['full_attention', 'sliding_attention', 'full_attention', 'full_attention', 'full_attention', 'sliding_attention']
  const said = { ...six, num_key_value_heads: 8, sliding_window: 5, layer_types: types }
  for (const type of ['gemma2', 'gemma3_text']) assert.equal(windows(read(type, said)), [0, 5, 0, 0, 0, 5])
  assert.equal(windows(read('qwen3', { ...said, use_sliding_window: true })), [0, 5, 0, 0, 0, 5])
})

test('scales of attention', () => {
  assert.is(read('llama').attention[0]!.scale, 1 / Math.sqrt(128))
  assert.is(read('gemma2', { query_pre_attn_scalar: 144 }).attention[0]!.scale, 1 / 12)
  const byLayer = read('gpt2', { n_layer: 3, n_embd: 48, n_head: 3, scale_attn_by_inverse_layer_idx: true })
  assert.equal(byLayer.attention.map(({ scale }) => scale), [1 / 4, 1 / 8, 1 / 12])
  assert.is(read('gpt2', { scale_attn_weights: false }).attention[11]!.scale, 1)
})

test('published configs of several years are read', () => {
  assert.is(read('gemma', { hidden_act: 'gelu', hidden_activation: null, rope_theta: 10000.0, rope_scaling: null }).activation, 'geluTanh')
  assert.is(read('gemma2', {
    hidden_act: 'gelu_pytorch_tanh', hidden_activation: 'gelu_pytorch_tanh', cache_implementation: 'hybrid', sliding_window: 4096, sliding_window_size: 4096,
  }).layers, 26)
  assert.is(read('llama', {
    is_llama_config: true, rope_interleaved: false, 'transformers.js_config': { kv_cache_dtype: {} }, pretraining_tp: 1, pruned_heads: {}, image_token_id: 7,
    attention_probs_dropout_prob: 0.1,
  }).layers, 32)
  const pythia = { rotary_pct: 0.25, rotary_emb_base: 10000, classifier_dropout: 0.1, hidden_dropout: 0.0, is_decoder: true }
  assert.is(read('gpt_neox', pythia).rotaries[0]!.columns, 24)
  const text_config = {
    model_type: 'gemma3_text', hidden_size: 2560, intermediate_size: 10240, num_hidden_layers: 34, sliding_window: 1024,
    rope_scaling: { factor: 8.0, rope_type: 'linear' },
  }
  const eyes = read('gemma3', {
    text_config, vision_config: { hidden_size: 1152 }, mm_tokens_per_image: 256, boi_token_index: 255999, eoi_token_index: 256000,
    image_token_index: 262144, eos_token_id: [1, 106],
  })
  assert.equal([eyes.family, eyes.width, eyes.heads, eyes.keyHeads, eyes.headWidth, eyes.tied], ['gemma3', 2560, 8, 4, 256, true])
})

test('fields that change the arithmetic and are not known, for every family', async () => {
  for (const type of MODEL_TYPES) {
    const fields = type === 'gemma3' ? { text_config: {} } : {}
    await failsWith('ERR_UNSUPPORTED', /alibi = true .* may change the arithmetic/, () => read(type, { ...fields, alibi: true }))
    await failsWith('ERR_UNSUPPORTED', /residual_multiplier = 0.22/, () => read(type, { ...fields, residual_multiplier: 0.22 }))
  }
  await failsWith('ERR_UNSUPPORTED', /text_config\.alibi/, () => read('gemma3', { text_config: { alibi: true } }))
  await failsWith('ERR_UNSUPPORTED', /use_bidirectional_attention/, () => read('gemma3_text', { use_bidirectional_attention: true }))
  await failsWith('ERR_UNSUPPORTED', /clip_qkv = 8/, () => read('olmo', { clip_qkv: 8 }))
  await failsWith('ERR_UNSUPPORTED', /sliding_window = 4/, () => read('llama', { sliding_window: 4 }))
  await failsWith('ERR_UNSUPPORTED', /sliding_window_size = 7/, () => read('gemma2', { sliding_window_size: 7 }))
  await failsWith('ERR_UNSUPPORTED', /num_key_value_heads = 2/, () => read('gpt_neox', { num_key_value_heads: 2 }))
  await failsWith('ERR_UNSUPPORTED', /hidden_act = "relu2" .* known: gelu, /, () => read('llama', { hidden_act: 'relu2' }))
  await failsWith('ERR_UNSUPPORTED', /rope_parameters\.rope_type/, () => read('gemma3_text', { rope_parameters: { rope_type: 'linear', factor: 8 } }))
  const old = { rope_scaling: { type: 'linear', factor: 8 } }
  await failsWith('ERR_UNSUPPORTED', /rope_scaling\.type = "linear" .* expected rope_type/, () => read('gemma3_text', old))
})

test('values that cannot be', async () => {
  await failsWith('ERR_FORMAT', /divides num_attention_heads = 32 for num_key_value_heads .* 5/, () => read('llama', { num_key_value_heads: 5 }))
  await failsWith('ERR_FORMAT', /divides hidden_size = 4097 for num_attention_heads/, () => read('llama', { hidden_size: 4097 }))
  await failsWith('ERR_FORMAT', /26 of "sliding_attention" or "full_attention" for layer_types/, () => read('gemma2', { layer_types: ['full_attention'] }))
  await failsWith('ERR_FORMAT', /no "sliding_attention" without/, () => read('qwen2', { num_hidden_layers: 1, layer_types: ['sliding_attention'] }))
  await failsWith('ERR_FORMAT', /above 0 for attn_logit_softcapping .* 0/, () => read('gemma2', { attn_logit_softcapping: 0 }))
  await failsWith('ERR_FORMAT', /text_config/, () => read('gemma3'))
  await failsWith('ERR_FORMAT', /true or false for attention_bias .* "no"/, () => read('qwen3', { attention_bias: 'no' }))
  const tall = { num_hidden_layers: 1e9 }
  for (const type of ['llama', 'gpt_neox']) await failsWith('ERR_FORMAT', /at most 4096 for num_hidden_layers .* 1000000000/, () => read(type, tall))
  await failsWith('ERR_FORMAT', /at most 4096 for num_attention_heads/, () => read('gpt_neox', { num_attention_heads: 2 ** 30, hidden_size: 2 ** 30 }))
  await failsWith('ERR_FORMAT', /hidden_size .* 1e\+300/, () => read('llama', { hidden_size: 1e300 }))
})

test.run()
