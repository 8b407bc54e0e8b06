// Sets of transcoders on disk: those of circuit-tracer are read to its own numbers, ours come back bit by bit, and what is
// damaged is refused before anything stays on the device.
import { cp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Device, openDevice } from '../../lib/tensor/device.ts'
import { fillRandom } from '../../lib/tensor/ops.ts'
import type { Tensor } from '../../lib/tensor/tensor.ts'
import { type Activation, relu, topK } from '../../lib/transcoder/activation.ts'
import { noteOf } from '../../lib/transcoder/format/circuit-tracer.ts'
import { TranscoderSuite } from '../../lib/transcoder/suite.ts'
import { Transcoder } from '../../lib/transcoder/transcoder.ts'
import { failsWith, farthest, GOLDEN, inFolder, known, rewriteTensors, sameBits } from '../model/tiny.ts'

const test = suite<{ device: Device }>('format')
test.before(context => { context.device = openDevice('cpu') })
test.after(context => { context.device.dispose() })

const T = 9, D = 24

// Codes [T, F] and ŷ [T, D] of a transcoder on one layer of the known inputs.
async function apply(coder: Transcoder, x: Float32Array): Promise<{ codes: Float32Array, yHat: Float32Array }> {
  const { device } = coder.weights.encoder, F = coder.features
  using input = device.from(x.slice(), T, D), out = device.tensor('f32', T, D)
  const space = coder.space(T)
  await coder.encode(input, space)
  coder.decode(input, space, out)
  const { pattern } = space
  const [index, z, starts, yHat] = await Promise.all([pattern.index.read(), space.z.read() as Promise<Float32Array>, pattern.starts?.read(), out.read()])
  space.dispose()
  const codes = new Float32Array(T * F)
  for (let t = 0; t < T; t++) {
    const from = starts ? Number(starts[t]) : t * pattern.k!, to = starts ? Number(starts[t + 1]) : from + pattern.k!
    for (let p = from; p < to; p++) codes[t * F + index[p]!] = z[p]!
  }
  return { codes, yHat }
}

for (const which of ['gpt2', 'llama'] as const) {
  test(`a set of circuit-tracer (${which}) gives its codes and reconstructions`, async ({ device }) => {
    using set = await TranscoderSuite.open(`${GOLDEN}/${which}/transcoders`, { device })
    assert.is(set.model, which === 'gpt2' ? 'tiny-gpt2' : 'tiny-llama')
    assert.is(set.note, undefined)
    assert.equal(set.coders.map(coder => coder.layer), which === 'gpt2' ? [0, 1, 2] : [0, 1, 2, 3])
    assert.equal(set.coders[0]!.activation, which === 'gpt2' ? relu({ l1: 0 }) : topK(6, { signed: true }))
    assert.is('skip' in set.coders[0]!.weights, which === 'llama')
    const inputs = await known(which, 'feature_input'), activations = await known(which, 'feature_activations')
    const outputs = await known(which, 'reconstruction_unzeroed')
    for (const [l, coder] of set.coders.entries()) {
      assert.equal([coder.reads, coder.writes, coder.inputs, coder.outputs], ['mlpInput', 'mlpOutput', D, D])
      const F = coder.features, { codes, yHat } = await apply(coder, inputs.subarray(l * T * D, (l + 1) * T * D))
      assert.ok(farthest(codes, activations.subarray(l * T * F, (l + 1) * T * F)) < 1e-5, `codes of layer ${l}`)
      // At the first token the reference holds the MLP's own output instead.
      assert.ok(farthest(yHat.subarray(D), outputs.subarray((l * T + 1) * D, (l + 1) * T * D)) < 1e-5, `reconstruction of layer ${l}`)
    }
  })
}

test('a foreign TopK keeps its negative survivors; with transweld.json beside it the flag is obeyed', async ({ device }) => {
  await inFolder(async folder => {
    await cp(`${GOLDEN}/llama/transcoders`, folder, { recursive: true })
    const path = join(folder, 'config.yaml')
    await writeFile(path, (await readFile(path, 'utf8')).replace('k: 6', 'k: 52'))        // K = F: everything survives
    const x = (await known('llama', 'feature_input')).subarray(0, T * D)
    const p = (await known('llama', 'feature_pre_activations')).subarray(0, T * 52)
    assert.ok(p.some(value => value < 0))
    using signed = await TranscoderSuite.open(folder, { device })
    assert.ok(farthest((await apply(signed.coders[0]!, x)).codes, p) < 1e-5)
    await writeFile(join(folder, 'transweld.json'), JSON.stringify({
      format: 'transweld-suite', version: 1, model: 'm', activation: topK(52), reads: 'mlpInput', writes: 'mlpOutput', layers: [0, 1, 2, 3], relu: '',
    }))
    using plain = await TranscoderSuite.open(folder, { device })
    assert.ok(farthest((await apply(plain.coders[0]!, x)).codes, p.map(value => Math.max(0, value))) < 1e-5)
  })
})

// Transcoders with random weights for some layers.
function made(device: Device, layers: readonly number[], activation: Activation, hasSkip: boolean): Transcoder[] {
  const random = (rows: number, columns: number, offset: number): Tensor => {
    const out = device.tensor('f32', rows, columns)
    fillRandom({ out, distribution: 'normal', seed: 3, offset, low: 0, high: 1 })
    return out
  }
  return layers.map(layer => new Transcoder(layer, { reads: 'mlpNormalised', writes: 'mlpWrite' }, activation, {
    encoder: random(48, D, layer * 1e6), encoderBias: random(1, 48, layer * 1e6 + 1e5), decoder: random(48, D, layer * 1e6 + 2e5),
    decoderBias: random(1, D, layer * 1e6 + 3e5), ...(hasSkip && { skip: random(D, D, layer * 1e6 + 4e5) }),
  }))
}

const KINDS = [['TopK with a skip', topK(5), true], ['signed TopK', topK(5, { signed: true }), false], ['ReLU', relu({ l1: 0.25 }), false]] as const
for (const [name, activation, hasSkip] of KINDS) {
  test(`${name}: what is written comes back with the same bits`, async ({ device }) => {
    await inFolder(async folder => {
      const coders = made(device, [10, 2], activation, hasSkip)
      using suite = new TranscoderSuite(coders, 'some "model"', device, noteOf(coders, 'some "model"', { settings: { seed: 1 } }))
      await suite.save(folder)
      assert.equal((await readdir(folder)).sort(), ['config.yaml', 'layer_10.safetensors', 'layer_2.safetensors', 'transweld.json'])
      using back = await TranscoderSuite.open(folder, { device })
      assert.is(back.model, 'some "model"')
      assert.equal(back.note!.training, { settings: { seed: 1 } })
      for (const [i, coder] of back.coders.entries()) {
        const old = suite.coders[i]!
        assert.equal([coder.layer, coder.reads, coder.writes, coder.activation], [old.layer, old.reads, old.writes, old.activation])
        assert.equal(Object.keys(coder.weights), Object.keys(old.weights))
        for (const [key, tensor] of Object.entries(coder.weights) as [string, Tensor<'f32'>][]) {
          const before = await (old.weights as unknown as Record<string, Tensor<'f32'>>)[key]!.read()
          assert.ok(sameBits(await tensor.read(), before), `${key} of layer ${coder.layer}`)
        }
      }
      const yaml = await readFile(join(folder, 'config.yaml'), 'utf8')
      for (const line of ['model_kind: transcoder_set', 'feature_input_hook: ln2.hook_normalized', 'feature_output_hook: hook_mlp_out',
        `activation: ${activation.kind}`, '- layer_2.safetensors\n- layer_10.safetensors']) {
        assert.ok(yaml.includes(line), `${line} in\n${yaml}`)
      }
    })
  })
}

test('a folder without a list is read in the order of layers, not of letters', async ({ device }) => {
  await inFolder(async folder => {
    using suite = new TranscoderSuite(made(device, [2, 10], topK(5), false), 'm', device)
    await suite.save(folder)
    const path = join(folder, 'config.yaml')
    await rm(join(folder, 'transweld.json'))
    await writeFile(path, (await readFile(path, 'utf8')).replace(/transcoders:\n[^]*/, ''))
    using back = await TranscoderSuite.open(folder, { device })
    assert.equal(back.coders.map(coder => coder.layer), [2, 10])
  })
})

test('damaged sets are refused, and nothing stays on the device', async ({ device }) => {
  const before = device.memory().used
  const refused = async (code: string, words: RegExp, change: (folder: string) => Promise<unknown>): Promise<void> => {
    await inFolder(async folder => {
      await cp(`${GOLDEN}/llama/transcoders`, folder, { recursive: true })
      await change(folder)
      await failsWith(code, words, () => TranscoderSuite.open(folder, { device }))
      assert.is(device.memory().used, before, String(words))
    })
  }
  const yaml = (from: string | RegExp, to: string) => async (folder: string): Promise<void> => {
    const path = join(folder, 'config.yaml'), old = await readFile(path, 'utf8')
    assert.match(old, from)
    await writeFile(path, old.replace(from, to))
  }
  const tensors = (change: Parameters<typeof rewriteTensors>[1]) => (folder: string): Promise<void> =>
    rewriteTensors(join(folder, 'layer_2.safetensors'), change)
  const note = (text: string) => (folder: string): Promise<void> => writeFile(join(folder, 'transweld.json'), text)
  await refused('ERR_FILE', /config\.yaml/, folder => rm(join(folder, 'config.yaml')))
  await refused('ERR_UNSUPPORTED', /model_kind transcoder_set .* cross_layer_transcoder/, yaml('transcoder_set', 'cross_layer_transcoder'))
  await refused('ERR_UNSUPPORTED', /feature_input_hook: hook_q/, yaml('mlp.hook_in', 'hook_q'))
  await refused('ERR_UNSUPPORTED', /activation: jump_relu/, yaml('activation: topk', 'activation: jump_relu'))
  await refused('ERR_UNSUPPORTED', /lies elsewhere/, yaml('- transcoders/layer_0', '- hf://someone/layer_0'))
  await refused('ERR_INVALID_ARGUMENT', /for k but received/, yaml('k: 6', 'k: 0'))
  await refused('ERR_FORMAT', /k is 53 and F is 52/, yaml('k: 6', 'k: 53'))
  await refused('ERR_FORMAT', /line 3: expected "key: value"/, yaml('feature_output_hook: ', '{feature_output_hook '))
  await refused('ERR_FORMAT', /one transcoder a layer .* 0, 1, 2, 2/, yaml('layer_3', 'layer_2'))
  await refused('ERR_FILE', /layer_1/, folder => rm(join(folder, 'layer_1.safetensors')))
  await refused('ERR_FORMAT', /layer_1/, folder => writeFile(join(folder, 'layer_1.safetensors'), 'x'))
  await refused('ERR_FORMAT', /W_dec in .*there is none/, tensors(all => { delete all['W_dec'] }))
  await refused('ERR_FORMAT', /b_enc of shape \[52\] .* \[2,26\]/, tensors(all => { all['b_enc'] = { shape: [2, 26], data: all['b_enc']!.data } }))
  await refused('ERR_NOT_FINITE', /W_enc.* NaN at index 100/, tensors(all => { all['W_enc']!.data[100] = NaN }))
  await refused('ERR_FORMAT', /not JSON/, note('{'))
  await refused('ERR_FORMAT', /version 1/, note('{"format":"transweld-suite","version":2}'))
  await refused('ERR_FORMAT', /"layers" and "activation"/, note('{"format":"transweld-suite","version":1}'))
  await refused('ERR_FILE', /layer_0\.safetensors and so on/, async folder => {
    await yaml(/transcoders:\n(- .*\n)+/, '')(folder)
    for (const l of [0, 1, 2, 3]) await rename(join(folder, `layer_${l}.safetensors`), join(folder, `other_${l}.safetensors`))
  })
  await inFolder(folder => failsWith('ERR_FILE', /config\.yaml/, () => TranscoderSuite.open(folder, { device })))
})

test.run()
