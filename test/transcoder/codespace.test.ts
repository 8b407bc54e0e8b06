// Room for codes: TopK fits by its nature, ReLU grows until it does; and what a suite refuses to be put into.
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { LanguageModel } from '../../lib/model/model.ts'
import { type Device, openDevice } from '../../lib/tensor/device.ts'
import { fill, fillRandom } from '../../lib/tensor/ops.ts'
import { type Activation, formatActivation, parseActivation, relu, topK } from '../../lib/transcoder/activation.ts'
import { TranscoderSuite } from '../../lib/transcoder/suite.ts'
import { Transcoder } from '../../lib/transcoder/transcoder.ts'
import { failsWith, GOLDEN, MODEL } from '../model/tiny.ts'

const test = suite<{ device: Device }>('codespace')
test.before(context => { context.device = openDevice('cpu') })
test.after(context => { context.device.dispose() })

const N = 33, D = 7, F = 130

// Random weights whose pre-activations are all moved by `shift`.
function coder(device: Device, activation: Activation, shift: number): Transcoder {
  const encoder = device.tensor('f32', F, D), encoderBias = device.tensor('f32', 1, F)
  const decoder = device.tensor('f32', F, D), decoderBias = device.tensor('f32', 1, D)
  fillRandom({ out: encoder, distribution: 'normal', seed: 9, low: 0, high: 1 })
  for (const one of [decoder, decoderBias]) fill({ out: one, value: 0 })
  fill({ out: encoderBias, value: shift })
  return new Transcoder(0, { reads: 'mlpInput', writes: 'mlpOutput' }, activation, { encoder, encoderBias, decoder, decoderBias })
}

test('a ragged space grows until every positive feature fits, and tells who shares its shape', async ({ device }) => {
  using x = device.tensor('f32', N, D)
  fillRandom({ out: x, distribution: 'normal', seed: 2, low: 0, high: 1 })
  for (const [shift, grows] of [[-1000, false], [0, true], [1000, true]] as const) {
    const one = coder(device, relu(), shift), space = one.space(N), grown: number[] = []
    space.onGrowth = capacity => grown.push(capacity)
    await one.encode(x, space)
    assert.is(grown.length > 0, grows, `shift ${shift}`)
    if (grows) assert.is(grown.at(-1), space.capacity)
    const rows = await x.read(), w = await one.weights.encoder.read() as Float32Array, z = await space.z.read() as Float32Array
    const starts = await space.pattern.starts!.read(), index = await space.pattern.index.read()
    for (let n = 0, at = 0; n < N; n++) {
      for (let f = 0; f < F; f++) {
        let p = 0
        for (let k = 0; k < D; k++) p += rows[n * D + k]! * w[f * D + k]!
        p += shift
        if (Math.abs(p) < 1e-4) continue                     // rounding may decide
        if (p < 0) { assert.not(index[at] === f && at < Number(starts[n + 1])); continue }
        assert.is(index[at], f)
        assert.ok(Math.abs(z[at]! - p) < 1e-3)
        at++
      }
      assert.is(at, Number(starts[n + 1]))
    }
    const { needed } = await space.counts()
    assert.is(needed, shift < 0 ? 0 : shift > 0 ? N * F : Number(starts[N]))
    space.dispose()
    one.dispose()
  }
})

test('a space takes the number of rows that it was made for', ({ device }) => {
  using x = device.tensor('f32', N + 1, D)
  const one = coder(device, topK(3), 0), space = one.space(N)
  assert.throws(() => one.encode(x, space), /expected x of 33 rows .* received \[34, /)
  space.dispose()
  one.dispose()
})

test('activations in words', async () => {
  assert.equal(parseActivation('topk:16'), topK(16))
  assert.equal(parseActivation('relu:l1=5e-3'), relu({ l1: 0.005 }))
  assert.equal(parseActivation('relu'), relu())
  for (const a of [topK(3), relu({ l1: 0.25 }), relu({ l1: 0 })]) assert.equal(parseActivation(formatActivation(a)), a)
  const wrong = ['topk', 'topk:', 'topk:1.5', 'topk:-3', 'relu:l1', 'relu:5', 'gelu', '']
  for (const words of wrong) await failsWith('ERR_INVALID_ARGUMENT', /topk:K or relu/, () => parseActivation(words))
  for (const words of ['relu:l1=x', 'relu:l1=-1']) await failsWith('ERR_INVALID_ARGUMENT', /for l1/, () => parseActivation(words))
  await failsWith('ERR_INVALID_ARGUMENT', /for k/, () => parseActivation('topk:0'))
  await failsWith('ERR_UNKNOWN_OPTION', /did you mean "signed"/, () => topK(3, { sign: true } as object))
})

test('a suite fits its own model and no other, on its own device', async () => {
  using model = await LanguageModel.open(MODEL)
  using fits = await TranscoderSuite.open(`${GOLDEN}/gpt2/transcoders`, { device: model.device })
  fits.checkFits(model)
  using elsewhere = await TranscoderSuite.open(`${GOLDEN}/gpt2/transcoders`)
  await failsWith('ERR_DEVICE_MISMATCH', /device: model\.device/, () => elsewhere.checkFits(model))
  using deeper = await TranscoderSuite.open(`${GOLDEN}/llama/transcoders`, { device: model.device })
  await failsWith('ERR_SHAPE_MISMATCH', /3 layers of width 24 but layer 3/, () => deeper.checkFits(model))
  const narrow = new TranscoderSuite([coder(model.device, topK(3), 0)], 'm', model.device)
  await failsWith('ERR_SHAPE_MISMATCH', /maps 7 to 7/, () => narrow.checkFits(model))
  narrow.dispose()
  await failsWith('ERR_UNKNOWN_OPTION', /did you mean "device"/, () => TranscoderSuite.open('x', { devise: 'cpu' } as object))
})

test.run()
