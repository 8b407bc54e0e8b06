// Models that are not opened, and prompts that are not read: each with a code and words that say what is wrong.
import { rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { LanguageModel, type ModelOptions } from '../../lib/model/model.ts'
import { openDevice } from '../../lib/tensor/device.ts'
import { copyModel, failsWith, inFolder, MODEL, PROMPT, rewriteTensors } from './tiny.ts'

const test = suite('refusals')
const open = async (folder: string): Promise<void> => (await LanguageModel.open(folder)).dispose()

// Opening a copy with these fields must fail so.
async function refused(code: string, words: RegExp, fields: Record<string, unknown>): Promise<void> {
  await inFolder(async folder => { await copyModel(folder, fields); await failsWith(code, words, () => open(folder)) })
}

test('architectures and fields that change the arithmetic', async () => {
  await refused('ERR_UNSUPPORTED', /model_type of gpt2, gpt_neox, llama, .*olmo2 .* found "opt"/, { model_type: 'opt' })
  await refused('ERR_UNSUPPORTED', /found undefined/, { model_type: undefined })
  await refused('ERR_UNSUPPORTED', /found "toString"/, { model_type: 'toString' })
  await refused('ERR_UNSUPPORTED', /(activation_function|n_embd) = .* may change the arithmetic/, { model_type: 'llama' })
  await refused('ERR_UNSUPPORTED', /activation_function = "mish"/, { activation_function: 'mish' })
  await refused('ERR_UNSUPPORTED', /activation_function = "toString"/, { activation_function: 'toString' })
  await refused('ERR_UNSUPPORTED', /add_cross_attention/, { add_cross_attention: true })
  await refused('ERR_UNSUPPORTED', /sliding_window = 4 .* may change the arithmetic/, { sliding_window: 4 })
  await refused('ERR_UNSUPPORTED', /quantization_config .* quantised by an unnamed method/, { quantization_config: { bits: 4 } })
  for (const method of ['gptq', 'awq', 'bitsandbytes', 'fp8', 'compressed-tensors']) {
    const words = new RegExp(`quantization_config .* quantised by ${method}, .* Open the model that it was made from`)
    await refused('ERR_UNSUPPORTED', words, { quantization_config: { quant_method: method } })
  }
})

test('sizes that cannot be', async () => {
  await refused('ERR_FORMAT', /positive integer for n_layer .* received 0/, { n_layer: 0 })
  await refused('ERR_FORMAT', /positive integer for n_embd .* received "24"/, { n_embd: '24' })
  await refused('ERR_FORMAT', /wte\.weight of shape \[101,768\] as config\.json says but its shape is \[101,24\]/, { n_embd: undefined })
  await refused('ERR_FORMAT', /divides n_embd = 24 for n_head .* 5/, { n_head: 5 })
  await refused('ERR_FORMAT', /layer_norm_epsilon/, { layer_norm_epsilon: -1 })
  await refused('ERR_FORMAT', /true or false for tie_word_embeddings/, { tie_word_embeddings: 1 })
  await refused('ERR_FORMAT', /transformer\.wte\.weight of shape \[102,24\] .* \[101,24\]/, { vocab_size: 102 })
  await refused('ERR_FORMAT', /wpe\.weight of shape \[33,24\]/, { n_positions: 33 })
  await refused('ERR_FORMAT', /transformer\.h\.3\..* there is none/, { n_layer: 4 })
  await refused('ERR_FORMAT', /lm_head\.weight/, { tie_word_embeddings: false })
})

test('fields that mean nothing here, null and false ones are passed over', async () => {
  await inFolder(async folder => {
    await copyModel(folder, { resid_pdrop: 0.3, task_specific_params: { x: 1 }, _name_or_path: 'x', sliding_window: null, use_parallel_residual: false, n_ctx: 32 })
    await open(folder)
  })
})

test('files that are missing or damaged', async () => {
  await inFolder(async folder => {
    await failsWith('ERR_FILE', /config\.json/, () => open(folder))
    await failsWith('ERR_FILE', /config\.json/, () => open(join(folder, 'nowhere')))
    await writeFile(join(folder, 'config.json'), '{')
    await failsWith('ERR_FORMAT', /not JSON/, () => open(folder))
    await writeFile(join(folder, 'config.json'), '[]')
    await failsWith('ERR_FORMAT', /object/, () => open(folder))
    await copyModel(folder)
    await truncate(join(folder, 'model.safetensors'), 50_000)
    await failsWith('ERR_FORMAT', /model\.safetensors/, () => open(folder))
    await rm(join(folder, 'model.safetensors'))
    await failsWith('ERR_FILE', /model\.safetensors/, () => open(folder))
  })
})

test('weights that are missing, misshapen or not finite', async () => {
  await inFolder(async folder => {
    const path = join(await copyModel(folder), 'model.safetensors'), name = 'transformer.h.2.mlp.c_proj.bias'
    await rewriteTensors(path, tensors => { tensors[name]!.data[7] = NaN })
    await failsWith('ERR_NOT_FINITE', /h\.2\.mlp\.c_proj\.bias.* NaN at index 7/, () => open(folder))
    await rewriteTensors(await copyModel(folder).then(() => path), tensors => { tensors[name]!.data[3] = -Infinity })
    await failsWith('ERR_NOT_FINITE', /infinity at index 3/, () => open(folder))
    await rewriteTensors(await copyModel(folder).then(() => path), tensors => { delete tensors[name] })
    await failsWith('ERR_FORMAT', /h\.2\.mlp\.c_proj\.bias .* there is none/, () => open(folder))
    await rewriteTensors(await copyModel(folder).then(() => path), tensors => { tensors[name] = { shape: [2, 12], data: tensors[name]!.data } })
    await failsWith('ERR_FORMAT', /shape \[24\] .* \[2,12\]/, () => open(folder))
  })
})

test('names without the prefix "transformer." are the same model', async () => {
  await inFolder(async folder => {
    await rewriteTensors(join(await copyModel(folder), 'model.safetensors'), tensors => {
      for (const [name, tensor] of Object.entries(tensors)) { delete tensors[name]; tensors[name.replace('transformer.', '')] = tensor }
    })
    using model = await LanguageModel.open(folder)
    using plain = await LanguageModel.open(MODEL)
    assert.equal((await model.logits(PROMPT)).data, (await plain.logits(PROMPT)).data)
  })
})

test('prompts', async () => {
  using model = await LanguageModel.open(MODEL)
  await failsWith('ERR_EMPTY_TEXT', /at least one token/, () => model.logits([]))
  await failsWith('ERR_TOKEN_RANGE', /at most 32 tokens .* received 33: shorten/, () => model.logits(new Uint32Array(33)))
  await failsWith('ERR_TOKEN_RANGE', /from 0 to 100 but received 101 at position 2/, () => model.logits([1, 2, 101]))
  for (const id of [-1, 1.5, NaN, 2 ** 32]) await failsWith('ERR_TOKEN_RANGE', /at position 0/, () => model.logits([id]))
  await failsWith('ERR_INVALID_ARGUMENT', /rows/, () => model.pass(0))
})

test('options and devices', async () => {
  await failsWith('ERR_INVALID_ARGUMENT', /not empty for model/, () => LanguageModel.open(''))
  await failsWith('ERR_UNKNOWN_OPTION', /"devise" .* did you mean "device"/, () => LanguageModel.open(MODEL, { devise: 'cpu' } as ModelOptions))
  await failsWith('ERR_DEVICE_MISSING', /cuda:99/, () => LanguageModel.open(MODEL, { device: 'cuda:99' }))
  await failsWith('ERR_INVALID_ARGUMENT', /device/, () => LanguageModel.open(MODEL, { device: 'gpu' }))
})

test('a model that does not fit into the memory leaves nothing behind', async () => {
  using device = openDevice('cpu', { memoryLimit: 60_000 })
  await failsWith('ERR_OUT_OF_MEMORY', /memory/, () => LanguageModel.open(MODEL, { device }))
  assert.is(device.memory().used, 0)
})

test('a signal stops the loading of weights, and nothing is left behind', async () => {
  using device = openDevice('cpu')
  await failsWith('ERR_ABORTED', /loading of the weights/, () => LanguageModel.open(MODEL, { device, signal: AbortSignal.abort() }))
  assert.is(device.memory().used, 0)
})

test('a disposed model says so; a device that it was given stays open', async () => {
  using device = openDevice('cpu')
  const model = await LanguageModel.open(MODEL, { device })
  model.dispose()
  model.dispose()
  assert.ok(model.isDisposed)
  await failsWith('ERR_DISPOSED', /disposed/, () => model.logits(PROMPT))
  assert.is(device.memory().used, 0)
  assert.not(device.isDisposed)
})

test.run()
