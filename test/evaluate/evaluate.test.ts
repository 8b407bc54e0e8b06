// Every figure of an evaluation against a plain computation, and the laws that tie them together.
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { evaluate } from '../../lib/evaluate/evaluate.ts'
import type { Evaluation } from '../../lib/evaluate/result.ts'
import { LanguageModel } from '../../lib/model/model.ts'
import { openSafetensors } from '../../lib/safetensors/reader.ts'
import type { Tensor } from '../../lib/tensor/tensor.ts'
import { topK } from '../../lib/transcoder/activation.ts'
import { TranscoderSuite } from '../../lib/transcoder/suite.ts'
import { copyModel, GOLDEN, inFolder, MODEL, someIds } from '../model/tiny.ts'
import { activations, D, L, plainLosses, suiteOf, T, textOf } from './tiny.ts'

const test = suite<{ model: LanguageModel }>('evaluate')
test.before(async context => { context.model = await LanguageModel.open(MODEL) })
test.after(context => { context.model.dispose() })

const near = (a: number, b: number, tolerance: number, what: string): void => { assert.ok(Math.abs(a - b) <= tolerance, `${what}: ${a} against ${b}`) }
const evaluated = (model: LanguageModel, coders: TranscoderSuite, tokens: number): Promise<Evaluation> =>
  inFolder(async folder => evaluate({ model, suite: coders, text: await textOf(folder, tokens), tokens }))

// 131 windows: two batches of 64 and one of 3.
const TOKENS = 131 * T

test('every figure of a ReLU set is that of whole forward passes and float64 loops', async ({ model }) => {
  using coders = await TranscoderSuite.open(`${GOLDEN}/gpt2/transcoders`, { device: model.device })
  const ids = someIds(TOKENS), result = await evaluated(model, coders, TOKENS), clean = await plainLosses(model, ids)
  assert.is(result.tokens, TOKENS)
  near(result.clean, clean.loss, 1e-6, 'clean')
  const means: Float32Array[] = []
  for (const [l, coder] of coders.coders.entries()) {
    const { x, y } = await activations(model, ids, l), got = result.layers[l]!, F = coder.features
    const { encoder, encoderBias, decoder, decoderBias } = coder.weights, read = (w: Tensor): Promise<Float32Array> => w.read() as Promise<Float32Array>
    const we = await read(encoder), be = await read(encoderBias), wd = await read(decoder), bd = await read(decoderBias)
    const mean = new Float64Array(D), fired = new Uint32Array(F)
    for (let i = 0; i < y.length; i++) mean[i % D]! += y[i]! / TOKENS
    let error = 0, spread = 0, cosine = 0
    for (let n = 0; n < TOKENS; n++) {
      const yHat = Float64Array.from(bd)
      for (let f = 0; f < F; f++) {
        let p = be[f]!
        for (let k = 0; k < D; k++) p += we[f * D + k]! * x[n * D + k]!
        if (p <= 0) continue
        fired[f]!++
        for (let k = 0; k < D; k++) yHat[k]! += p * wd[f * D + k]!
      }
      let aa = 0, ab = 0, bb = 0
      for (let k = 0; k < D; k++) {
        const a = yHat[k]!, b = y[n * D + k]!
        error += (a - b) ** 2
        spread += (b - mean[k]!) ** 2
        aa += a * a; ab += a * b; bb += b * b
      }
      cosine += ab / Math.sqrt(aa * bb) / TOKENS
    }
    near(got.fvu / (error / spread), 1, 1e-5, `fvu of layer ${l}`)
    near(got.cosine, cosine, 1e-5, `cosine of layer ${l}`)
    near(got.l0, fired.reduce((a, b) => a + b) / TOKENS, 1e-3, `l0 of layer ${l}`)
    near(got.dead, fired.filter(count => count === 0).length / F, 1e-9, `dead of layer ${l}`)
    assert.is(got.density.counts.reduce((a, b) => a + b), F)
    means.push(Float32Array.from(mean))
  }
  using zero = model.device.from(new Float32Array(TOKENS * D), TOKENS, D)
  const expanded = means.map(mean => model.device.from(Float32Array.from({ length: TOKENS * D }, (_, i) => mean[i % D]!), TOKENS, D))
  const yHat = model.device.tensor('f32', TOKENS, D), spaces = coders.coders.map(coder => coder.space(TOKENS))
  for (const which of [0, 1, 2, 'all'] as const) {
    const got = which === 'all' ? result.all : result.layers[which]!, hit = (l: number): boolean => which === 'all' || which === l
    const spliced = await plainLosses(model, ids, async (l, sites) => {
      if (!hit(l)) return
      await coders.coders[l]!.encode(sites.mlpInput, spaces[l]!)
      coders.coders[l]!.decode(sites.mlpInput, spaces[l]!, yHat)
      return yHat
    }, clean.logp)
    const ablated = await plainLosses(model, ids, l => hit(l) ? zero : undefined)
    const averaged = await plainLosses(model, ids, l => hit(l) ? expanded[l] : undefined)
    near(got.spliced, spliced.loss, 1e-6, `spliced ${which}`)
    near(got.kl, spliced.kl, 1e-6, `kl ${which}`)
    near(got.zero, ablated.loss, 1e-6, `zero ${which}`)
    near(got.mean, averaged.loss, 1e-6, `mean ${which}`)
    assert.is(got.recoveredZero, (got.zero - got.spliced) / (got.zero - result.clean))
    assert.is(got.recoveredMean, (got.mean - got.spliced) / (got.mean - result.clean))
  }
  for (const one of [yHat, ...expanded, ...spaces]) one.dispose()
})

test('a set that is the MLP itself misses nothing', async () => {
  await inFolder(async folder => {
    const path = await copyModel(folder, { activation_function: 'relu' })      // then an MLP is a ReLU transcoder of 96 features
    const file = await openSafetensors(`${path}/model.safetensors`)
    const weights: Record<string, Float32Array>[] = []
    for (let l = 0; l < L; l++) {
      const read = async (name: string): Promise<Float32Array> => (await file.readFloat32(`transformer.h.${l}.mlp.${name}`)).data
      const into = await read('c_fc.weight'), encoder = new Float32Array(96 * D)
      for (let f = 0; f < 96; f++) for (let k = 0; k < D; k++) encoder[f * D + k] = into[k * 96 + f]!
      weights.push({ encoder, encoderBias: await read('c_fc.bias'), decoder: await read('c_proj.weight'), decoderBias: await read('c_proj.bias') })
    }
    await file.close()
    using model = await LanguageModel.open(path)
    using coders = suiteOf(model, [0, 1, 2], { features: 96, weights: l => weights[l]! })
    const { clean, layers, all } = await evaluate({ model, suite: coders, text: await textOf(folder, 10 * T), tokens: 10 * T })
    for (const one of layers) {
      assert.ok(one.fvu < 1e-10, `fvu ${one.fvu}`)
      near(one.cosine, 1, 1e-6, 'cosine')
    }
    for (const one of [...layers, all]) {
      near(one.spliced, clean, 1e-6, 'spliced')
      near(one.kl, 0, 1e-6, 'kl')
      near(one.recoveredZero, 1, 1e-3, 'recovered, zero')
      near(one.recoveredMean, 1, 1e-3, 'recovered, mean')
    }
  })
})

test('a set that returns nothing is zero ablation, to the bit', async ({ model }) => {
  using coders = suiteOf(model, [0, 1, 2], { activation: topK(4), weights: () => ({ decoder: 0, decoderBias: 0 }) })
  const { layers, all } = await evaluated(model, coders, TOKENS)
  for (const one of [...layers, all]) {
    assert.is(one.spliced, one.zero)
    assert.is(one.recoveredZero, 0)
  }
  for (const one of layers) {
    assert.is(one.cosine, 0)
    assert.ok(one.fvu >= 1, `${one.fvu}`)
    assert.ok(one.l0 > 0 && one.l0 <= 4)
  }
})

test('a set that returns the mean is mean ablation, and leaves all of the variance', async ({ model }) => {
  const ids = someIds(TOKENS), means: Float32Array[] = []
  for (let l = 0; l < L; l++) {
    const { y } = await activations(model, ids, l), mean = new Float64Array(D)
    for (let i = 0; i < y.length; i++) mean[i % D]! += y[i]! / TOKENS
    means.push(Float32Array.from(mean))
  }
  using coders = suiteOf(model, [0, 1, 2], { activation: topK(4), weights: l => ({ decoder: 0, decoderBias: means[l]! }) })
  const { layers, all } = await evaluated(model, coders, TOKENS)
  for (const one of layers) near(one.fvu, 1, 1e-6, 'fvu')
  for (const one of [...layers, all]) { near(one.spliced, one.mean, 1e-6, 'spliced'); near(one.recoveredMean, 0, 1e-3, 'recovered') }
})

test('a set of one layer: all at once is that layer alone', async ({ model }) => {
  using coders = suiteOf(model, [1], { activation: topK(5) })
  const { layers, all } = await evaluated(model, coders, 70 * T)
  const { spliced, zero, mean, kl, recoveredZero, recoveredMean } = layers[0]!
  assert.is(layers.length, 1)
  assert.equal(all, { spliced, zero, mean, kl, recoveredZero, recoveredMean })
})

test('features that always fire and features that never do', async ({ model }) => {
  const bias = Float32Array.from({ length: 40 }, (_, f) => f < 30 ? 1000 : -1000)
  using coders = suiteOf(model, [2], { weights: () => ({ encoderBias: bias, decoder: 0 }) })
  const { layers: [layer] } = await evaluated(model, coders, TOKENS)      // 30 of 40 fire: three times the room that there is at first
  assert.is(layer!.l0, 30)
  assert.is(layer!.dead, 0.25)
  assert.is(layer!.density.counts.at(-1), 30)
  assert.is(layer!.density.counts[0], 10)
})

test('sets that write what is added to the stream are the same in GPT-2', async ({ model }) => {
  const results: Evaluation[] = []
  for (const writes of ['mlpOutput', 'mlpWrite'] as const) {
    using coders = suiteOf(model, [0, 2], { activation: topK(5), ends: { reads: 'residualMiddle', writes } })
    results.push(await evaluated(model, coders, 66 * T))
  }
  assert.equal(results[0], results[1])
})

test('the same figures twice', async ({ model }) => {
  using coders = suiteOf(model, [0, 2], { activation: topK(5) })
  assert.equal(await evaluated(model, coders, TOKENS), await evaluated(model, coders, TOKENS))
})

test.run()
