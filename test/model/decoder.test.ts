// The forward pass of every kind of block: each site against the modules of transformers' models, and the laws of caches: in whatever
// pieces a sequence is read, alone or beside others, its rows have the bits of one read.
import { readdirSync } from 'node:fs'
import { cp, readFile, writeFile } from 'node:fs/promises'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { LanguageModel } from '../../lib/model/model.ts'
import { placeOf, siteOf, hookName } from '../../lib/model/names.ts'
import { isFinal, SITES } from '../../lib/model/site.ts'
import { devices } from '../../lib/native/backend.ts'
import { openSafetensors } from '../../lib/safetensors/reader.ts'
import { axpy, cast } from '../../lib/tensor/ops.ts'
import { openDevice } from '../../lib/tensor/device.ts'
import { isAsked } from '../ops/asked.ts'
import { failsWith, farthest, inFolder, MODEL, sameBits, someIds } from './tiny.ts'

const FAMILIES = 'test/golden/families', RUNNING = 'test/golden/running'
const FOLDERS = readdirSync(FAMILIES, { withFileTypes: true }).filter(entry => entry.isDirectory()).map(({ name }) => name)
const PROMPT = [7, 3, 29, 45, 11, 60, 2, 18, 33]
const DEVICES = devices().devices.filter(isAsked).map(({ device }) => device)

const test = suite('decoder')

type Round = readonly (readonly [slot: number, rows: number])[]

/** Logits of sequences whose pieces go through one pass after another, packed. */
async function inPieces(model: LanguageModel, sequences: readonly (readonly number[])[], rounds: readonly Round[]): Promise<Float32Array[]> {
  const { device, config: { layers, vocabulary } } = model, logits = sequences.map(() => [] as number[])
  using cache = model.cache(sequences.length, Math.max(...sequences.map(ids => ids.length))), pass = model.pass(64), out = device.tensor('f32', 64, vocabulary)
  for (const round of rounds) {
    const starts = [0], ids: number[] = []
    for (const [slot, rows] of round) {
      const from = cache.counts[slot]!
      ids.push(...sequences[slot]!.slice(from, from + rows))
      starts.push(ids.length)
    }
    pass.begin(Uint32Array.from(ids), Uint32Array.from(starts), { cache, slots: round.map(([slot]) => slot) })
    await pass.blocks(0, layers)
    const view = out.view(0, ids.length)
    pass.logits(0, ids.length, view)
    const data = await view.read()
    for (const [i, [slot]] of round.entries()) for (let k = starts[i]! * vocabulary; k < starts[i + 1]! * vocabulary; k++) logits[slot]!.push(data[k]!)
  }
  return logits.map(list => Float32Array.from(list))
}

for (const device of DEVICES) {
  for (const name of device === 'cpu' ? FOLDERS : ['gemma2-capped', 'neox-parallel', 'qwen3']) {
    test(`${device}, ${name}: from a cache, token by token or in pieces, a sequence has the bits of one read`, async () => {
      using model = await LanguageModel.open(`${FAMILIES}/${name}`, { device })
      // Frequencies of a length are those of the pieces: see the test of "dynamic" scaling in generate.test.ts.
      const length = Math.min(19, ...model.config.rotaries.map(({ fixedUpTo }) => fixedUpTo))
      const [a, b] = [6, 7].map(seed => [...someIds(length, seed)].map(id => id % model.config.vocabulary)) as [number[], number[]]
      const whole = (await model.logits(a)).data, other = (await model.logits(b)).data
      const same = device === 'cpu' ? sameBits : (x: Float32Array, y: Float32Array) => farthest(x, y) < 1e-4
      const pieces = await inPieces(model, [a, b], [[[0, 5], [1, 1]], [[1, length - 3]], [[0, 1], [1, 1]], [[0, 1]], [[1, 1], [0, length - 7]]])
      assert.ok(same(pieces[0]!, whole), 'first sequence')
      assert.ok(same(pieces[1]!, other), 'second sequence')
      const steps = await inPieces(model, [a], a.map((): Round => [[0, 1]]))
      assert.ok(same(steps[0]!, whole), 'token by token')
    })
  }

  test(`${device}: what transformers' modules read and give is found by their names, to 1e-4`, async () => {
    const file = await openSafetensors(`${RUNNING}/sites.safetensors`), found = new Set<string>()
    for (const name of new Set(file.names.map(path => path.split('/')[0]!))) {
      using model = await LanguageModel.open(`${FAMILIES}/${name}`, { device })
      const paths = file.names.filter(path => path.startsWith(`${name}/`)).map(path => path.split('/')[1]!)
      const known = paths.filter(path => placeOf(path, model.config) !== undefined)
      const unknown = paths.filter(path => !known.includes(path)).map(path => path.replace(/^.*\.(?=\w+\.\w+$)/, ''))
      const nowhere = /^(gate_proj|c_fc|dense_h_to_4h)\.output$|^(norm|ln_f|final_layer_norm)\.input$/
      assert.ok(unknown.every(path => nowhere.test(path)), `${name}: ${unknown.join(' ')}`)
      for await (const batch of model.taps(PROMPT, { sites: known })) {
        for (const path of known) {
          const expected = (await file.readFloat32(`${name}/${path}`)).data, { site, layer } = placeOf(path, model.config)!
          assert.ok(layer === 1 || isFinal(site), path)
          const off = farthest(await batch.tensor(path).read(), expected)
          assert.ok(off < 1e-4, `${name} ${path} as ${site}: ${off}`)
          found.add(site)
        }
      }
    }
    await file.close()
    const rest = SITES.filter(site => !found.has(site))
    assert.equal(rest, ['attentionNormalised', 'queriesTurned', 'keysTurned', 'mlpNormalised', 'finalNormalised'], 'sites that no module has')
  })
}

for (const name of FOLDERS) {
  test(`${name}: what an MLP hook gives back through the norm after it, and going on from the middle of a block, change no bit`, async () => {
    using model = await LanguageModel.open(`${FAMILIES}/${name}`)
    const { device, config: { layers, width, vocabulary } } = model, plain = (await model.logits(PROMPT)).data
    using pass = model.pass(9), out = device.tensor('f32', 9, vocabulary), before = device.tensor('f32', 9, width), output = device.tensor('f32', 9, width)
    const begin = (): void => pass.begin(Uint32Array.from(PROMPT), Uint32Array.of(0, 9))
    begin()
    await pass.blocks(0, layers, (layer, sites) => {
      if (layer === 0) {
        cast({ source: sites.stream, out: before })
        cast({ source: sites.mlpOutput, out: output })
      }
      return pass.writeOf(layer, sites.mlpOutput)
    })
    pass.logits(0, 9, out)
    assert.ok(sameBits(await out.read(), plain), 'the hook')
    axpy({ x: before, y: pass.writeOf(0, output), out: pass.stream })
    await pass.blocks(1, layers)
    pass.logits(0, 9, out)
    assert.ok(sameBits(await out.read(), plain), 'the middle')
  })
}

for (const dtype of ['bf16', 'f16', 'i8'] as const) {
  test(`${dtype} weights: the laws of caches hold, and logits stay near those of f32`, async () => {
    for (const name of ['neox-parallel', 'gemma2-capped', 'qwen3']) {
      using model = await LanguageModel.open(`${FAMILIES}/${name}`, { dtype })
      using exact = await LanguageModel.open(`${FAMILIES}/${name}`, { dtype: 'f32' })
      const { data } = await model.logits(PROMPT), reference = (await exact.logits(PROMPT)).data, most = reference.reduce((a, b) => Math.max(a, Math.abs(b)), 0)
      assert.ok(sameBits((await inPieces(model, [PROMPT], [[[0, 4]], [[0, 1]], [[0, 4]]]))[0]!, data), name)
      assert.ok(farthest(data, reference) < 0.1 * most, `${name}: ${farthest(data, reference)} of ${most}`)
      if (dtype !== 'bf16') continue
      using rounded = await LanguageModel.open(`${FAMILIES}/${name}`, { dtype, arithmetic: 'rounded' })
      const fast = (await rounded.logits(PROMPT)).data
      assert.not.ok(sameBits(fast, data), 'rounded')
      assert.ok(farthest(fast, data) < 0.1 * most, `${name}, rounded: ${farthest(fast, data)} of ${most}`)
      assert.ok(sameBits((await inPieces(rounded, [PROMPT], [[[0, 4]], [[0, 1]], [[0, 4]]]))[0]!, fast), `${name}, rounded: pieces`)
    }
  })
}

test('sites are known by the names of other libraries', () => {
  for (const site of SITES) assert.is(siteOf(hookName(site)), site)
  for (const site of SITES) assert.equal(placeOf(`blocks.12.${hookName(site)}`), { site, layer: 12 })
  assert.is(siteOf('hook_q'), 'queries')
  assert.equal(placeOf('model.layers.3.mlp'), { site: 'mlpOutput', layer: 3 })
  assert.equal(placeOf('transformer.h.0'), { site: 'residualAfter', layer: 0 })
  assert.equal(placeOf('model.language_model.layers.7.post_attention_layernorm', { family: 'gemma3', parallel: false }), { site: 'attentionWrite', layer: 7 })
  assert.equal(placeOf('gpt_neox.layers.7.post_attention_layernorm.input', { family: 'neox', parallel: true }), { site: 'residualBefore', layer: 7 })
  assert.equal(placeOf('model.norm'), { site: 'finalInput' })
  const none = ['', 'mlp', 'input', 'output', 'hook_pattern', 'hook_mlp_in', 'hook_attn_in', 'model.layers.x.mlp', 'model.layers.3.gate', 'model.norm.input',
    'layers.12345', 'residualmiddle', 'mlpinput', 'model.layers.3.mlpoutput']
  for (const name of none) assert.is(placeOf(name), undefined, name)
})

test('sites that a family has not are refused in words', async () => {
  using model = await LanguageModel.open(`${FAMILIES}/neox-parallel`)
  await failsWith('ERR_UNSUPPORTED', /neox has no residualMiddle: .* use mlpInput/, () => model.taps(PROMPT, { sites: 'residualMiddle' }).next())
  const pass = model.pass(9)
  pass.begin(Uint32Array.from(PROMPT), Uint32Array.of(0, 9))
  await failsWith('ERR_UNSUPPORTED', /no residualMiddle/, () => pass.blocks(0, 1, (_, sites) => sites.residualMiddle))
  await failsWith('ERR_UNSUPPORTED', /no residualMiddle/, () => pass.blocks(0, 1, { wants: () => true, at: () => {} }))
  pass.dispose()
  using after = await LanguageModel.open(`${FAMILIES}/olmo2`)
  await failsWith('ERR_UNSUPPORTED', /olmo2 has no mlpNormalised: there is no norm/, () => after.taps(PROMPT, { sites: 'mlpNormalised' }).next())
})

test('a cache refuses what it has no room for, and what comes after fits', async () => {
  using model = await LanguageModel.open(MODEL)
  using cache = model.cache(2, 4), pass = model.pass(8)
  await failsWith('ERR_TOKEN_RANGE', /at most 4 tokens .* received 5/, () => pass.begin(someIds(6), Uint32Array.of(0, 1, 6), { cache }))
  await failsWith('ERR_INVALID_ARGUMENT', /at most 8 ids.* received "9 and 9"/, () => pass.begin(someIds(9), Uint32Array.of(0, 9), { cache }))
  await failsWith('ERR_INVALID_ARGUMENT', /end with their count.* received "3 and 2"/, () => pass.begin(someIds(3), Uint32Array.of(0, 2), { cache }))
  assert.equal([...cache.counts], [0, 0], 'nothing was taken')
  pass.begin(someIds(5), Uint32Array.of(0, 1, 5), { cache })
  assert.equal([...cache.counts], [1, 4])
  await failsWith('ERR_INVALID_ARGUMENT', /slot/, () => pass.begin(someIds(1), Uint32Array.of(0, 1), { cache, slots: [2] }))
  await failsWith('ERR_INVALID_ARGUMENT', /sequences/, () => model.cache(0, 4))
})

test('a pass that has begun is not disturbed by another one that needs more places', async () => {
  await inFolder(async folder => {
    await cp(`${FAMILIES}/llama-biased`, folder, { recursive: true })
    const config = JSON.parse(await readFile(`${folder}/config.json`, 'utf8')) as object
    await writeFile(`${folder}/config.json`, JSON.stringify({ ...config, max_position_embeddings: 4096 }))
    using model = await LanguageModel.open(folder)
    const { data } = await model.logits(PROMPT), { layers, vocabulary } = model.config, long = [...someIds(700)].map(id => id % vocabulary)
    using pass = model.pass(9), other = model.pass(700), out = model.device.tensor('f32', 9, vocabulary)
    pass.begin(Uint32Array.from(PROMPT), Uint32Array.of(0, 9))
    other.begin(Uint32Array.from(long), Uint32Array.of(0, 700))
    await Promise.all([pass.blocks(0, layers), other.blocks(0, layers)])
    pass.logits(0, 9, out)
    assert.ok(sameBits(await out.read(), data))
    assert.ok(sameBits((await model.logits(long)).data.subarray(0, 9 * vocabulary), (await model.logits(long.slice(0, 9))).data))
  })
})

test('memory that runs out while a model is opened, or a pass made, is given back', async () => {
  using device = openDevice('cpu', { memoryLimit: 60_000 })
  await failsWith('ERR_OUT_OF_MEMORY', /memory/, () => LanguageModel.open(MODEL, { device }))
  assert.is(device.memory().used, 0)
  using room = openDevice('cpu', { memoryLimit: 4_000_000 })          // with scratch of the products for every thread
  using model = await LanguageModel.open(MODEL, { device: room })
  const { used } = room.memory(), plain = (await model.logits(PROMPT)).data
  await failsWith('ERR_OUT_OF_MEMORY', /memory/, () => model.pass(8000))
  await failsWith('ERR_OUT_OF_MEMORY', /memory/, () => model.cache(4, 4000))
  await failsWith('ERR_OUT_OF_MEMORY', /memory/, async () => {
    for await (const { index } of model.generate(PROMPT, { maxTokens: 20 })) if (index === 1) model.cache(99, 99)
  })
  await room.wait()
  assert.is(room.memory().used, used)
  assert.ok(sameBits((await model.logits(PROMPT)).data, plain))
})

test.run()
