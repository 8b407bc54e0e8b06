// Splices: what changes nothing changes no bit, at any site; what replaces, adds or scales does so for all that comes after; a transcoder
// stands for an MLP; and work that fails leaves the model as it was.
import { readdirSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { LanguageModel } from '../../lib/model/model.ts'
import { isFinal, type Site, type SiteHooks, SITES, siteWidth } from '../../lib/model/site.ts'
import type { Splice, SpliceWork } from '../../lib/model/splice.ts'
import { axpy, cast, fill, gate } from '../../lib/tensor/ops.ts'
import { TranscoderSuite } from '../../lib/transcoder/suite.ts'
import { failsWith, farthest, GOLDEN, MODEL, PROMPT, sameBits, SIZE, someIds } from './tiny.ts'

const FAMILIES = 'test/golden/families', { layers: L, width: D } = SIZE
const FOLDERS = ['gpt2-by-layer', 'neox-parallel', 'gemma2-capped', 'qwen3', 'olmo2', 'olmo']
const test = suite<{ model: LanguageModel }>('splice')
test.before(async context => { context.model = await LanguageModel.open(MODEL) })
test.after(context => { context.model.dispose() })

async function logits(model: LanguageModel, splices: Splice[], ids: ArrayLike<number> = PROMPT): Promise<Float32Array> {
  return (await model.logits(ids, { splices })).data
}
/** The sites that a model has. */
const sitesOf = ({ config, weights: { blocks } }: LanguageModel): Site[] => SITES.filter(site => !(site === 'residualMiddle' && config.parallel)
  && !(site === 'attentionNormalised' && !blocks[0]!.beforeAttention) && !(site === 'mlpNormalised' && !blocks[0]!.beforeMlp))

test('the folders of this test are there', () => {
  for (const name of FOLDERS) assert.ok(readdirSync(FAMILIES).includes(name), name)
})

for (const name of FOLDERS) {
  test(`${name}: at every site looking, or putting back a copy, changes no bit, and another row changes the logits`, async () => {
    using model = await LanguageModel.open(`${FAMILIES}/${name}`)
    const ids = PROMPT.map(id => id % model.config.vocabulary), plain = await logits(model, [], ids)
    for (const site of sitesOf(model)) {
      const layers = isFinal(site) ? {} : { layers: 0 }
      assert.ok(sameBits(await logits(model, [{ site, work: () => {} }], ids), plain), `looking at ${site}`)
      const copy = await logits(model, [{
        site, ...layers, work: async tensor => {
          const other = tensor.device.tensor('f32', tensor.rows, tensor.columns)
          cast({ source: tensor, out: other })
          await other.read()
          return other
        },
      }], ids)
      // After a norm without its gain and bias these are applied once more: where there is a bias the last bit may differ.
      assert.ok(/Normalised/.test(site) ? farthest(copy, plain) < 2e-5 : sameBits(copy, plain), `a copy at ${site}`)
      const columns = siteWidth(site, model.config)
      using row = model.device.from(Float32Array.from({ length: columns }, (_, i) => Math.sin(i)), 1, columns)
      assert.ok(farthest(await logits(model, [{ site, ...layers, replace: row }], ids), plain) > 1e-3, `another row at ${site}`)
    }
  })
}

test('replacing, adding and scaling, of one row for all or of each', async ({ model }) => {
  const { device } = model, ids = someIds(12), plain = await logits(model, [], ids)
  using row = device.tensor('f32', 1, D), zero = device.tensor('f32', 1, D), each = device.tensor('f32', 12, D)
  row.write(Float32Array.from({ length: D }, (_, i) => Math.sin(i)))
  fill({ out: zero, value: 0 })
  axpy({ x: row, out: each })
  const site = 'mlpWrite', layers = 1
  assert.ok(sameBits(await logits(model, [{ site, layers, replace: zero }], ids), await logits(model, [{ site, layers, scale: 0 }], ids)))
  assert.ok(sameBits(await logits(model, [{ site, layers, add: row }], ids), await logits(model, [{ site, layers, add: each }], ids)))
  assert.ok(farthest(await logits(model, [{ site, layers, add: row, times: 0.5 }, { site, layers, add: row, times: -0.5 }], ids), plain) < 1e-4)
  assert.ok(farthest(await logits(model, [{ site, layers, add: row }], ids), plain) > 1e-2)
  const stream = await logits(model, [{ site: 'hook_resid_post', layers: [1], add: row }], ids)
  assert.ok(farthest(stream, await logits(model, [{ site, layers, add: row }], ids)) < 1e-5, 'what an MLP writes is added to the stream')
  const twice = await logits(model, [{ site, layers, replace: row }, { site, layers, scale: 3 }], ids)
  assert.ok(farthest(twice, await logits(model, [{ site, layers, work: tensor => axpy({ alpha: 3, x: row, out: tensor }) }], ids)) < 1e-6, 'one after another')
})

test('work may look at places and write some rows; the others keep their bits', async ({ model }) => {
  const ids = someIds(12), plain = await logits(model, [], ids), V = SIZE.vocabulary
  const seen: number[][] = []
  const changed = await logits(model, [{ site: 'residualBefore', layers: 1, work: (tensor, { places }) => {
    seen.push([...places])
    for (const [n, place] of places.entries()) if (place === 7) fill({ out: tensor.view(n, n + 1), value: 0 })
  } }], ids)
  assert.equal(seen, [[...ids.keys()]])
  assert.ok(sameBits(changed.subarray(0, 7 * V), plain.subarray(0, 7 * V)))
  assert.ok(farthest(changed.subarray(7 * V), plain.subarray(7 * V)) > 1e-2)
})

test('the same splice in generation, losses and taps', async ({ model }) => {
  const { device } = model
  using row = device.tensor('f32', 1, D)
  row.write(Float32Array.from({ length: D }, (_, i) => 2 * Math.cos(i)))
  const splices: Splice[] = [{ site: 'residualMiddle', layers: 2, add: row }], ids: number[] = []
  for await (const { id } of model.generate(PROMPT, { maxTokens: 8, splices, stopIds: [] })) ids.push(id)
  const { data, columns } = await model.logits([...PROMPT, ...ids], { splices })
  for (const [i, id] of ids.entries()) {
    const last = data.subarray((PROMPT.length + i - 1) * columns, (PROMPT.length + i) * columns)
    assert.is(id, last.indexOf(last.reduce((a, b) => Math.max(a, b))))
  }
  assert.not.equal(await model.loss(PROMPT, { splices }), await model.loss(PROMPT))
  for await (const batch of model.taps(PROMPT, { sites: ['attentionWrite', 'residualMiddle', 'residualBefore'], layers: 2, splices })) {
    const [write, middle, before] = await Promise.all(['attentionWrite', 'residualMiddle', 'residualBefore'].map(site => batch.tensor(site).read()))
    const bias = await row.read()
    assert.ok(sameBits(middle!, before!.map((x, i) => Math.fround(x + write![i]!) + bias[i % D]!)), 'taps see what splices made')
  }
  for await (const batch of model.taps([PROMPT, PROMPT], { sites: 'mlpWrite', layers: 1, splices: [{ site: 'mlpWrite', replace: row }] })) {
    const data = await batch.tensor('mlpWrite').read(), one = await row.read()
    assert.ok(sameBits(data, data.map((_, i) => one[i % D]!)), 'one row for all, tapped where it was put')
  }
})

test('transcoders in the place of MLPs', async ({ model }) => {
  using suite = await TranscoderSuite.open(`${GOLDEN}/gpt2/transcoders`, { device: model.device })
  const spliced = await logits(model, suite.coders.map(coder => ({ coder }))), coders = new Map(suite.coders.map(coder => [coder.layer, coder]))
  const pass = model.pass(PROMPT.length), out = model.device.tensor('f32', PROMPT.length, SIZE.vocabulary)
  pass.begin(Uint32Array.from(PROMPT), Uint32Array.of(0, PROMPT.length))
  await pass.blocks(0, L, async (layer, sites) => {
    const coder = coders.get(layer)!, space = coder.space(PROMPT.length), yHat = model.device.tensor('f32', PROMPT.length, D)
    await coder.encode(sites[coder.reads], space)
    coder.decode(sites[coder.reads], space, yHat)
    return yHat
  })
  pass.logits(0, PROMPT.length, out)
  assert.ok(sameBits(spliced, await out.read()))
  assert.ok(farthest(spliced, await logits(model, [])) > 1e-2)
  const ids: number[] = []
  for await (const { id } of model.generate(PROMPT, { maxTokens: 4, splices: suite.coders.map(coder => ({ coder })), stopIds: [] })) ids.push(id)
  assert.is(ids.length, 4)
  for (const one of [pass, out]) one.dispose()
})

test('work that throws, rejects, or returns what does not fit is told, and the pass stays usable', async ({ model }) => {
  const plain = await logits(model, []), wide = model.device.tensor('f32', PROMPT.length, D + 1), pass = model.pass(PROMPT.length)
  const works = [() => { throw new Error('mine') }, async () => { await null; throw new Error('mine') }]
  for (const work of works) {
    await logits(model, [{ site: 'mlpInput', layers: 1, work }]).then(() => assert.unreachable(), (error: Error) => assert.is(error.message, 'mine'))
    pass.begin(Uint32Array.from(PROMPT), Uint32Array.of(0, PROMPT.length))
    const hooks: SiteHooks = { wants: (layer, site) => layer === 1 && site === 'queries', at: work }
    await pass.blocks(0, L, hooks).then(() => assert.unreachable(), (error: Error) => assert.is(error.message, 'mine'))
  }
  const at = { site: 'mlpInput', layers: 1 }
  await failsWith('ERR_SHAPE_MISMATCH', /\[9, 24\] or \[1, 24\] for mlpInput of layer 1 .*\[9, 25\]/, () => logits(model, [{ ...at, replace: wide }]))
  const work: SpliceWork = tensor => gate({ a: tensor, b: wide, activation: 'linear', out: tensor })
  await failsWith('ERR_SHAPE_MISMATCH', /gate/, () => logits(model, [{ ...at, work }]))
  pass.begin(Uint32Array.from(PROMPT), Uint32Array.of(0, PROMPT.length))
  await pass.blocks(0, L)
  const out = model.device.tensor('f32', PROMPT.length, SIZE.vocabulary)
  pass.logits(0, PROMPT.length, out)
  assert.ok(sameBits(await out.read(), plain))
  for (const one of [wide, pass, out]) one.dispose()
})

test('splices that are none', async ({ model }) => {
  using row = model.device.tensor('f32', 1, D)
  const ask = (splice: unknown): Promise<unknown> => logits(model, [splice as Splice])
  await failsWith('ERR_INVALID_ARGUMENT', /exactly one of .*received "none"/, () => ask({ site: 'mlpInput' }))
  await failsWith('ERR_INVALID_ARGUMENT', /received "replace and scale"/, () => ask({ site: 'mlpInput', replace: row, scale: 1 }))
  await failsWith('ERR_INVALID_ARGUMENT', /a site/, () => ask({ site: 'attn', scale: 1 }))
  await failsWith('ERR_INVALID_ARGUMENT', /layer/, () => ask({ site: 'mlpInput', layers: 3, scale: 1 }))
  await failsWith('ERR_INVALID_ARGUMENT', /finite/, () => ask({ site: 'mlpInput', scale: NaN }))
  await failsWith('ERR_INVALID_ARGUMENT', /Tensor/, () => ask({ site: 'mlpInput', add: [1] }))
  await failsWith('ERR_INVALID_ARGUMENT', /function/, () => ask({ site: 'mlpInput', work: 1 }))
  await failsWith('ERR_UNKNOWN_OPTION', /scales/, () => ask({ site: 'mlpInput', scales: 1 }))
  await failsWith('ERR_INVALID_ARGUMENT', /list of splices/, () => model.logits(PROMPT, { splices: row as unknown as Splice[] }))
})

test.run()
