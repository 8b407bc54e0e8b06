// Loading by a plan: every dtype, fused and turned matrices in their places, shards, and files that are not of the model.
import { cp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Matrix, Weights } from '../../lib/model/architecture.ts'
import { readPlan } from '../../lib/model/config.ts'
import { LanguageModel } from '../../lib/model/model.ts'
import { loadWeights, type WeightDtype, weightTensors } from '../../lib/model/weights.ts'
import { openWeights } from '../../lib/safetensors/weights.ts'
import { openSafetensors } from '../../lib/safetensors/reader.ts'
import { type Device, openDevice } from '../../lib/tensor/device.ts'
import { cast } from '../../lib/tensor/ops.ts'
import { CASES, FAMILIES } from './golden.ts'
import { failsWith, inFolder, rewriteTensors } from './tiny.ts'

const test = suite('weights')

async function load(folder: string, device: Device, dtype: WeightDtype = 'f32'): Promise<Weights> {
  const { source } = await readPlan(folder), file = await openWeights(folder)
  try { return await loadWeights(file, source(file), device, { dtype }) } finally { await file.close() }
}

// A matrix as f32 numbers, whatever it is kept as.
async function numbers({ weight, scales }: Matrix): Promise<Float32Array> {
  if (weight.dtype === 'f32') return await weight.read() as Float32Array
  if (scales !== undefined) {
    const factors = await scales.read() as Float32Array, { columns } = weight
    return Float32Array.from(await weight.read() as Int8Array, (x, i) => x * factors[Math.floor(i / columns)]!)
  }
  const wide = weight.device.tensor('f32', weight.rows, weight.columns)
  try { cast({ source: weight, out: wide }); return await wide.read() } finally { wide.dispose() }
}

test('queries, keys and values of GPT-NeoX leave their heads and stand together', async () => {
  using device = openDevice('cpu')
  const folder = `${FAMILIES}/neox-parallel`, name = 'gpt_neox.layers.1.attention.query_key_value'
  const { qkv } = (await load(folder, device)).blocks[1]!, { headWidth: W, heads: H, width: D } = (await readPlan(folder)).config
  await using file = await openSafetensors(`${folder}/model.safetensors`)
  const from = (await file.readFloat32(`${name}.weight`)).data, bias = (await file.readFloat32(`${name}.bias`)).data
  const made = await numbers(qkv), madeBias = await qkv.bias!.read() as Float32Array
  for (let row = 0; row < 3 * D; row++) {
    const which = Math.floor(row / D), h = Math.floor(row % D / W), there = (3 * h + which) * W + row % W
    assert.equal(made.subarray(row * D, (row + 1) * D), from.subarray(there * D, (there + 1) * D), `row ${row} of ${3 * H * W}`)
    assert.is(madeBias[row], bias[there])
  }
})

test('GPT-2 is turned, Gemma\'s gains are 1 + weight, gates stand above the rest', async () => {
  using device = openDevice('cpu')
  const gpt2 = await load(`${FAMILIES}/gpt2-by-layer`, device), gemma = await load(`${FAMILIES}/gemma`, device)
  await using old = await openSafetensors(`${FAMILIES}/gpt2-by-layer/model.safetensors`)
  await using file = await openSafetensors(`${FAMILIES}/gemma/model.safetensors`)
  const { shape: [rows, columns], data } = await old.readFloat32('transformer.h.2.mlp.c_fc.weight'), made = await numbers(gpt2.blocks[2]!.into)
  assert.equal([gpt2.blocks[2]!.into.weight.rows, gpt2.blocks[2]!.into.weight.columns], [columns, rows])
  for (let r = 0; r < rows!; r++) for (let c = 0; c < columns!; c++) assert.is(made[c * rows! + r], data[r * columns! + c])
  const gain = (await file.readFloat32('model.layers.0.input_layernorm.weight')).data
  assert.equal(await gemma.blocks[0]!.beforeAttention!.gain!.read(), gain.map(x => 1 + x))
  const [gate, up] = [await file.readFloat32('model.layers.0.mlp.gate_proj.weight'), await file.readFloat32('model.layers.0.mlp.up_proj.weight')]
  assert.equal(await numbers(gemma.blocks[0]!.into), Float32Array.of(...gate.data, ...up.data))
})

test('bf16 and f16 of a file keep their bits, i8 errs by at most half a step', async () => {
  using device = openDevice('cpu')
  for (const [name, own] of [['llama-yarn', 'bf16'], ['qwen2-yarn', 'f16'], ['mistral-shards', 'bf16'], ['gpt2-unscaled', 'f16']] as const) {
    const folder = `${FAMILIES}/${name}`
    const wide = await load(folder, device), same = await load(folder, device, own), small = await load(folder, device, 'i8')
    for (const which of ['qkv', 'mixed', 'into', 'out'] as const) {
      const exact = await numbers(wide.blocks[1]![which]), { weight } = wide.blocks[1]![which]
      assert.is(same.blocks[1]![which].weight.dtype, own)
      assert.equal(await numbers(same.blocks[1]![which]), exact)
      const rounded = await numbers(small.blocks[1]![which]), steps = await small.blocks[1]![which].scales!.read() as Float32Array
      for (const [i, x] of exact.entries()) assert.ok(Math.abs(rounded[i]! - x) <= 0.5001 * steps[Math.floor(i / weight.columns)]!)
    }
    assert.ok([wide, same, small].every(w => weightTensors(w).every(t => t.rows > 1 || t.dtype === 'f32')), 'vectors stay f32')
    if (small.positions !== undefined) assert.is(small.positions.dtype, 'f32')
  }
})

test('a small bf16 file becomes f32, but where products are to be rounded', async () => {
  for (const [arithmetic, dtype] of [['exact', 'f32'], ['rounded', 'bf16']] as const) {
    using model = await LanguageModel.open('examples/codelm', { arithmetic })
    assert.is(model.weights.blocks[0]!.qkv.weight.dtype, dtype)
  }
})

test('what does not fit into f16 is refused, not made infinite', async () => {
  await inFolder(async folder => {
    await cp(`${FAMILIES}/llama-linear`, folder, { recursive: true })
    await rewriteTensors(join(folder, 'model.safetensors'), t => { t['model.layers.0.mlp.down_proj.weight']!.data[5] = 7e4 })
    using device = openDevice('cpu')
    await failsWith('ERR_NOT_FINITE', /mlp\.down_proj\.weight.* a number at index 5 that is too large/, () => load(folder, device, 'f16'))
    assert.is(device.memory().used, 0)
    await load(folder, device, 'bf16')
  })
})

test('a tied unembedding is the embedding, once', async () => {
  using device = openDevice('cpu')
  for (const name of CASES) {
    const { config } = await readPlan(`${FAMILIES}/${name}`), weights = await load(`${FAMILIES}/${name}`, device)
    assert.is(weights.unembedding === weights.tokens, config.tied, name)
    const all = weightTensors(weights)
    assert.is(new Set(all).size, all.length)
    for (const one of all) one.dispose()
    assert.is(device.memory().used, 0, `${name} is given back whole`)
  }
})

type Change = Parameters<typeof rewriteTensors>[1]

// A copy of a golden model whose tensors are changed must fail so, and leave nothing in memory.
async function refused(code: string, words: RegExp, name: string, change: Change): Promise<void> {
  await inFolder(async folder => {
    await cp(`${FAMILIES}/${name}`, folder, { recursive: true })
    await rewriteTensors(join(folder, 'model.safetensors'), change)
    using device = openDevice('cpu')
    await failsWith(code, words, () => LanguageModel.open(folder, { device }))
    assert.is(device.memory().used, 0)
  })
}

test('tensors that are missing, misshapen, left over or not finite', async () => {
  const q = 'model.layers.1.self_attn.q_proj.weight', v = 'model.layers.1.self_attn.v_proj.weight', gain = 'model.layers.1.input_layernorm.weight'
  await refused('ERR_FORMAT', /expected a tensor model\.layers\.1\.self_attn\.q_proj\.weight \[24,24\] .* there is none\. Are they of/, 'olmo2',
    t => { delete t[q] })
  await refused('ERR_FORMAT', /v_proj\.weight of shape \[12,24\] as config\.json says but its shape is \[24,12\]/, 'olmo2',
    t => { t[v] = { ...t[v]!, shape: [24, 12] } })
  await refused('ERR_FORMAT', /does not have, 2 in all: model\.layers\.1\.self_attn\.q_proj\.bias \[24\], x \[1\]\. They would/, 'olmo2', t => {
    t['model.layers.1.self_attn.q_proj.bias'] = { shape: [24], data: new Float32Array(24) }
    t['x'] = { shape: [1], data: new Float32Array(1) }
  })
  await refused('ERR_NOT_FINITE', /v_proj\.weight.*NaN/, 'llama-linear', t => { t[v]!.data[3] = NaN })
  await refused('ERR_NOT_FINITE', /input_layernorm\.weight.*infinity/, 'llama-linear', t => { t[gain]!.data[3] = Infinity })
  await refused('ERR_FORMAT', /embed_tokens\.weight of shape \[61,24\] .* \[60,24\]/, 'llama-linear', t => {
    t['model.embed_tokens.weight'] = { shape: [60, 24], data: t['model.embed_tokens.weight']!.data.slice(24) }
  })
})

test('what old versions saved beside the weights is passed over', async () => {
  await inFolder(async folder => {
    await cp(`${FAMILIES}/neox-parallel`, folder, { recursive: true })
    await rewriteTensors(join(folder, 'model.safetensors'), t => {
      t['gpt_neox.layers.0.attention.bias'] = { shape: [1, 1, 4, 4], data: new Float32Array(16) }
      t['gpt_neox.layers.0.attention.masked_bias'] = { shape: [1], data: Float32Array.of(-1e9) }
      t['gpt_neox.layers.0.attention.rotary_emb.inv_freq'] = { shape: [1], data: Float32Array.of(1) }
    })
    using model = await LanguageModel.open(folder)
    using plain = await LanguageModel.open(`${FAMILIES}/neox-parallel`)
    assert.equal((await model.logits([1, 2, 3])).data, (await plain.logits([1, 2, 3])).data)
  })
})

test('of a tied pair a file may hold the unembedding alone, or both', async () => {
  await inFolder(async folder => {
    const path = join(folder, 'model.safetensors'), tokens = 'model.embed_tokens.weight'
    await cp(`${FAMILIES}/llama-linear`, folder, { recursive: true })
    using plain = await LanguageModel.open(folder)
    const known = (await plain.logits([1, 2, 3])).data
    await rewriteTensors(path, t => { t['lm_head.weight'] = t[tokens]!; delete t[tokens] })
    { using model = await LanguageModel.open(folder); assert.equal((await model.logits([1, 2, 3])).data, known) }
    await rewriteTensors(path, t => {
      const { shape, data } = t[tokens] = t['lm_head.weight']!
      t['lm_head.weight'] = { shape, data: data.map(x => 2 * x) }
    })
    using model = await LanguageModel.open(folder)
    assert.equal((await model.logits([1, 2, 3])).data, known.map(x => 2 * x), 'two that differ are not tied, whatever the config says')
  })
})

test('shards: one missing, cut short, or of another model', async () => {
  await inFolder(async folder => {
    const fresh = (): Promise<void> => cp(`${FAMILIES}/mistral-shards`, folder, { recursive: true, force: true })
    await fresh()
    const shards = (await readdir(folder)).filter(name => /^model-.*safetensors$/.test(name)).sort(), [first, second] = shards as [string, string]
    assert.ok(shards.length > 2)
    using device = openDevice('cpu')
    const fails = async (code: string, words: RegExp): Promise<void> => {
      await failsWith(code, words, () => LanguageModel.open(folder, { device }))
      assert.is(device.memory().used, 0)
    }
    await rm(join(folder, second))
    await fails('ERR_FILE', new RegExp(`names the shard ${second}, which is missing`))
    await cp(join(folder, first), join(folder, second))
    await fails('ERR_FORMAT', new RegExp(`in ${second}, which does not hold it`))
    await fresh()
    await truncate(join(folder, second), 3000)
    await fails('ERR_FORMAT', new RegExp(second))
    await fresh()
    await rewriteTensors(join(folder, second), t => {
      for (const one of Object.values(t)) if (one.shape.length === 2) one.shape = [one.shape[1]!, one.shape[0]!]
    })
    await fails('ERR_FORMAT', /as config\.json says but its shape is/)
    await fresh()
    const index = join(folder, 'model.safetensors.index.json'), text = await readFile(index, 'utf8')
    await writeFile(index, text.replace(/"model\.norm\.weight": "[^"]*",?\n/, '').replace(/,(\s*})/, '$1'))
    await fails('ERR_FORMAT', /expected a tensor model\.norm\.weight \[24\] .* there is none/)
  })
})

test('a device that is too small: what was loaded is given back, and the device stays usable', async () => {
  for (const memoryLimit of [5000, 20_000, 60_000]) {
    using device = openDevice('cpu', { memoryLimit })
    await failsWith('ERR_OUT_OF_MEMORY', /memory/, () => LanguageModel.open(`${FAMILIES}/llama-biased`, { device }))
    assert.is(device.memory().used, 0)
    assert.equal(await device.from(Float32Array.of(1, 2), 1, 2).read(), Float32Array.of(1, 2))
  }
})

test.run()
