// A forward pass of GPT-2 against the numbers of another implementation, and the laws of passes: what is packed, spliced or
// begun in the middle has the bits of the plain way.
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { LanguageModel } from '../../lib/model/model.ts'
import { evenStarts, places } from '../../lib/model/pass.ts'
import { MLP_SITES, type MlpHook, type MlpSite } from '../../lib/model/site.ts'
import { axpy, cast, fill } from '../../lib/tensor/ops.ts'
import type { Tensor } from '../../lib/tensor/tensor.ts'
import { openSafetensors } from '../../lib/safetensors/reader.ts'
import { failsWith, farthest, known, MODEL, PROMPT, sameBits, SIZE, someIds } from './tiny.ts'

const test = suite<{ model: LanguageModel }>('gpt2')
test.before(async context => { context.model = await LanguageModel.open(MODEL) })
test.after(context => { context.model.dispose() })

const { layers: L, width: D, vocabulary: V } = SIZE

// The logits of packed sequences, with a hook and with something done between blocks.
async function logitsOf(model: LanguageModel, ids: Uint32Array, starts: Uint32Array, mlp?: MlpHook): Promise<Float32Array> {
  const pass = model.pass(ids.length), out = model.device.tensor('f32', ids.length, V)
  try {
    pass.begin(ids, starts)
    await pass.blocks(0, L, mlp)
    pass.logits(0, ids.length, out)
    return await out.read()
  } finally { out.dispose(); pass.dispose() }
}

test('logits agree with the reference', async ({ model }) => {
  const { rows, columns, data } = await model.logits(PROMPT)
  assert.equal([rows, columns], [PROMPT.length, V])
  assert.ok(farthest(data, await known('gpt2', 'logits')) < 1e-5)
})

test('every site is the place that its name says', async ({ model }) => {
  const taps: Record<MlpSite, Promise<Float32Array>>[] = []
  await logitsOf(model, Uint32Array.from(PROMPT), Uint32Array.of(0, PROMPT.length), (_, sites) => {
    taps.push(Object.fromEntries(MLP_SITES.map(site => [site, sites[site].read()])) as Record<MlpSite, Promise<Float32Array>>)
  })
  assert.is(taps.length, L)
  const inputs = await known('gpt2', 'feature_input'), outputs = await known('gpt2', 'feature_output'), size = PROMPT.length * D
  const weights = await openSafetensors(`${MODEL}/model.safetensors`)
  for (const [l, tap] of taps.entries()) {
    const input = await tap.mlpInput, normalised = await tap.mlpNormalised
    assert.ok(farthest(input, inputs.subarray(l * size, (l + 1) * size)) < 1e-5, `mlpInput of layer ${l}`)
    assert.ok(farthest(await tap.mlpOutput, outputs.subarray(l * size, (l + 1) * size)) < 1e-5, `mlpOutput of layer ${l}`)
    assert.ok(farthest(await tap.residualMiddle, await known('gpt2', `blocks.${l}.hook_resid_mid`)) < 1e-5, `residualMiddle of layer ${l}`)
    assert.ok(sameBits(await tap.mlpWrite, await tap.mlpOutput), 'GPT-2 adds what its MLP returns')
    const gain = (await weights.readFloat32(`transformer.h.${l}.ln_2.weight`)).data, bias = (await weights.readFloat32(`transformer.h.${l}.ln_2.bias`)).data
    assert.ok(farthest(input, normalised.map((x, i) => x * gain[i % D]! + bias[i % D]!)) < 1e-6, `mlpNormalised of layer ${l}`)
  }
  await weights.close()
})

test('sequences packed together have the bits of each read alone', async ({ model }) => {
  const lengths = [1, 9, 32, 5, 31], starts = Uint32Array.of(0, 1, 10, 42, 47, 78)
  const ids = someIds(starts[starts.length - 1]!), packed = await logitsOf(model, ids, starts)
  for (const [b, length] of lengths.entries()) {
    const alone = (await model.logits(ids.subarray(starts[b], starts[b + 1]))).data
    assert.ok(sameBits(packed.subarray(starts[b]! * V, (starts[b]! + length) * V), alone), `sequence ${b}`)
  }
})

test('what comes later does not change what came before', async ({ model }) => {
  const ids = someIds(32), whole = (await model.logits(ids)).data
  for (const length of [1, 2, 15, 16, 17, 31]) {
    const { data } = await model.logits(ids.subarray(0, length))
    assert.ok(sameBits(data, whole.subarray(0, length * V)), `length ${length}`)
  }
})

test('a pass may be used again, with fewer rows, and starts afresh', async ({ model }) => {
  const pass = model.pass(40), out = model.device.tensor('f32', 9, V)
  for (const ids of [someIds(40, 3), Uint32Array.from(PROMPT)]) { pass.begin(ids, evenStarts(ids.length, 32)); await pass.blocks(0, L) }
  pass.logits(0, 9, out)
  assert.ok(sameBits(await out.read(), (await model.logits(PROMPT)).data))
  pass.dispose()
  out.dispose()
})

test('splicing in the output of the MLP itself changes no bit, and zero differs', async ({ model }) => {
  const ids = someIds(32), starts = Uint32Array.of(0, 32), plain = await logitsOf(model, ids, starts)
  assert.ok(sameBits(await logitsOf(model, ids, starts, (_, sites) => sites.mlpOutput), plain))
  assert.ok(sameBits(await logitsOf(model, ids, starts, () => undefined), plain))
  const copy = model.device.tensor('f32', 32, D), none = model.device.tensor('f32', 1, D), nothing = model.device.tensor('f32', 32, D)
  fill({ out: none, value: 0 })
  fill({ out: nothing, value: 0 })
  assert.ok(sameBits(await logitsOf(model, ids, starts, async (_, sites) => {
    cast({ source: sites.mlpWrite, out: copy })
    await copy.read()
    return copy
  }), plain))
  const zero = await logitsOf(model, ids, starts, layer => layer === 1 ? nothing : undefined)
  assert.ok(sameBits(await logitsOf(model, ids, starts, layer => layer === 1 ? none : undefined), zero), 'one row stands for every row')
  assert.ok(farthest(zero, plain) > 1e-3)
  for (const one of [copy, none, nothing]) one.dispose()
})

test('going on from the middle of a block has the bits of the whole pass', async ({ model }) => {
  const ids = someIds(32), starts = Uint32Array.of(0, 32), plain = await logitsOf(model, ids, starts)
  for (let l = 0; l < L; l++) {
    const pass = model.pass(32), room = (columns: number): Tensor<'f32'> => model.device.tensor('f32', 32, columns)
    const middle = room(D), write = room(D), out = room(V)
    pass.begin(ids, starts)
    await pass.blocks(0, L, (layer, sites) => {
      if (layer !== l) return
      cast({ source: sites.residualMiddle, out: middle })
      cast({ source: sites.mlpWrite, out: write })
    })
    axpy({ x: middle, y: write, out: pass.stream })
    await pass.blocks(l + 1, L)
    pass.logits(0, 32, out)
    assert.ok(sameBits(await out.read(), plain), `layer ${l}`)
    for (const one of [pass, middle, write, out]) one.dispose()
  }
})

test('logits of some rows are those rows of all logits', async ({ model }) => {
  const ids = someIds(32), pass = model.pass(32), out = model.device.tensor('f32', 7, V), plain = (await model.logits(ids)).data
  pass.begin(ids, Uint32Array.of(0, 32))
  await pass.blocks(0, L)
  for (const from of [25, 0, 11]) {
    pass.logits(from, from + 7, out)
    assert.ok(sameBits(await out.read(), plain.subarray(from * V, (from + 7) * V)), `rows from ${from}`)
  }
  pass.dispose()
  out.dispose()
})

test('an op that fails in a pass surfaces where its logits are read, and the model stays usable', async ({ model }) => {
  const ids = Uint32Array.of(5, SIZE.vocabulary, 7)
  await failsWith('ERR_INVALID_ARGUMENT', /embed|ids|table|101/i, () => logitsOf(model, ids, Uint32Array.of(0, 3)))
  assert.ok(farthest((await model.logits(PROMPT)).data, await known('gpt2', 'logits')) < 1e-5)
})

test('places and starts of windows', () => {
  assert.equal([...evenStarts(10, 4)], [0, 4, 8, 10])
  assert.equal([...evenStarts(8, 4)], [0, 4, 8])
  assert.equal([...places(Uint32Array.of(0, 1, 4, 6))], [0, 0, 1, 2, 0, 1])
})

test.run()
