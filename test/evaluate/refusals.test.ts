// What an evaluation refuses, that it stops when it is told to, that it leaves no memory behind, and that what is not finite shows.
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { evaluate, type EvaluateOptions } from '../../lib/evaluate/evaluate.ts'
import { heldOutIds } from '../../lib/evaluate/held-out.ts'
import { Scorer } from '../../lib/evaluate/scorer.ts'
import { LanguageModel } from '../../lib/model/model.ts'
import { evenStarts } from '../../lib/model/pass.ts'
import { cast } from '../../lib/tensor/ops.ts'
import { topK } from '../../lib/transcoder/activation.ts'
import { TranscoderSuite } from '../../lib/transcoder/suite.ts'
import { copyModel, failsWith, GOLDEN, inFolder, MODEL, rewriteTensors, someIds } from '../model/tiny.ts'
import { L, suiteOf, T, textOf } from './tiny.ts'

const test = suite<{ model: LanguageModel, coders: TranscoderSuite }>('refusals')
test.before(async context => {
  context.model = await LanguageModel.open(MODEL)
  context.coders = suiteOf(context.model, [0, 1, 2], { activation: topK(5) })
})
test.after(context => { context.coders.dispose(); context.model.dispose() })

test('options', async ({ model, coders }) => {
  const options = { model, suite: coders, text: 'README.md' }
  await failsWith('ERR_UNKNOWN_OPTION', /"token" for evaluate: did you mean "tokens"/, () => evaluate({ ...options, token: 3 } as EvaluateOptions))
  await failsWith('ERR_INVALID_ARGUMENT', /for tokens but received 0/, () => evaluate({ ...options, tokens: 0 }))
  await failsWith('ERR_INVALID_ARGUMENT', /for tokens but received 1\.5/, () => evaluate({ ...options, tokens: 1.5 }))
  await failsWith('ERR_INVALID_ARGUMENT', /an open LanguageModel/, () => evaluate({ ...options, model: MODEL } as unknown as EvaluateOptions))
  await failsWith('ERR_INVALID_ARGUMENT', /a TranscoderSuite/, () => evaluate({ ...options, suite: coders.coders } as unknown as EvaluateOptions))
  await failsWith('ERR_INVALID_ARGUMENT', /at least one transcoder/, () => evaluate({ ...options, suite: new TranscoderSuite([], 'm', model.device) }))
  await failsWith('ERR_INVALID_ARGUMENT', /for text/, () => evaluate({ ...options, text: [] }))
})

test('suites that cannot be put in', async ({ model }) => {
  using elsewhere = await TranscoderSuite.open(`${GOLDEN}/gpt2/transcoders`)
  await failsWith('ERR_DEVICE_MISMATCH', /two devices/, () => evaluate({ model, suite: elsewhere, text: 'README.md' }))
  using middle = suiteOf(model, [1], { ends: { reads: 'mlpInput', writes: 'residualMiddle' } })
  await failsWith('ERR_UNSUPPORTED', /write mlpOutput or mlpWrite but that of layer 1 writes residualMiddle/, () => evaluate({ model, suite: middle, text: 'README.md' }))
})

test('text that is missing, empty, too short or of another vocabulary', async ({ model, coders }) => {
  await inFolder(async folder => {
    const text = join(folder, 'text.txt'), options = { model, suite: coders, text }
    await failsWith('ERR_FILE', /text\.txt/, () => evaluate(options))
    await writeFile(text, ' \n\n')
    await failsWith('ERR_EMPTY_TEXT', /white space/, () => evaluate(options))
    await writeFile(text, 'w5 w6 w7')
    await failsWith('ERR_EMPTY_TEXT', /4 tokens, fewer than one window of 32/, () => evaluate(options))
  })
  await inFolder(async folder => {
    await copyModel(folder, { vocab_size: 50 })
    await rewriteTensors(join(folder, 'model.safetensors'), tensors => {
      const name = 'transformer.wte.weight', { data } = tensors[name]!
      tensors[name] = { shape: [50, 24], data: data.slice(0, 50 * 24) }
    })
    using small = await LanguageModel.open(folder)
    using coders = suiteOf(small, [0], { activation: topK(5) })
    const text = await textOf(folder, 100)
    await failsWith('ERR_TOKEN_RANGE', /below 50, the model's vocabulary, but its tokenizer gave/, () => evaluate({ model: small, suite: coders, text }))
    await rm(join(folder, 'tokenizer.json'))
    await failsWith('ERR_FILE', /no tokenizer/, () => evaluate({ model: small, suite: coders, text }))
  })
})

test('tokens are whole windows, and no more than there are', async ({ model, coders }) => {
  await inFolder(async folder => {
    const text = await textOf(folder, 100)      // and the end of the text: 101 ids, 3 windows
    const ids = await heldOutIds(model, text, 64 + 31)
    assert.equal([...ids], [...someIds(64)])
    assert.is((await heldOutIds(model, text, 1)).length, T)
    assert.is((await evaluate({ model, suite: coders, text })).tokens, 96)
  })
})

test('progress goes up to 1, an abort ends the work, and no memory stays', async ({ model, coders }) => {
  await inFolder(async folder => {
    const options = { model, suite: coders, text: await textOf(folder, 200 * T), tokens: 200 * T }
    const before = model.device.memory().used, shares: number[] = []
    await evaluate({ ...options, progress: share => shares.push(share) })
    assert.ok(shares.length >= 6 && shares.every((share, i) => share <= 1 && (i === 0 || share > shares[i - 1]!)), shares.join())
    assert.ok(shares.at(-1)! > 0.999)
    assert.is(model.device.memory().used, before)
    for (const at of [0, 0.05, 0.5]) {
      const controller = new AbortController()
      if (at === 0) controller.abort()
      const progress = (share: number): void => { if (share > at) controller.abort() }
      await failsWith('ERR_ABORTED', /stopped by its signal/, () => evaluate({ ...options, signal: controller.signal, progress }))
      await model.device.wait()
      assert.is(model.device.memory().used, before, `aborted at ${at}`)
    }
    const mine = await evaluate({ ...options, progress: () => { throw new RangeError('mine') } }).then(() => undefined, (error: unknown) => error)
    assert.instance(mine, RangeError)
    await model.device.wait()
    assert.is(model.device.memory().used, before)
  })
})

test('a device that is disposed in the middle ends the work with an error', async () => {
  await inFolder(async folder => {
    const text = await textOf(folder, 200 * T)
    for (const at of [0.05, 0.3]) {
      const model = await LanguageModel.open(MODEL), coders = suiteOf(model, [0, 1, 2], { activation: topK(5) })
      const progress = (share: number): void => { if (share > at) model.dispose() }
      await failsWith('ERR_DISPOSED', /disposed/, () => evaluate({ model, suite: coders, text, tokens: 200 * T, progress }))
      model.dispose()
      coders.dispose()
    }
  })
})

test('a weight that is not a number shows in the figures that it touches, and as null in JSON', async ({ model }) => {
  await inFolder(async folder => {
    const text = await textOf(folder, 4 * T)
    using broken = suiteOf(model, [0, 1], { activation: topK(5), weights: layer => layer === 1 ? { decoderBias: NaN } : {} })
    const { clean, layers: [fine, bad], all } = await evaluate({ model, suite: broken, text })
    assert.ok([clean, fine!.fvu, fine!.spliced, fine!.kl, bad!.zero, bad!.mean, all.zero].every(Number.isFinite))
    assert.equal([bad!.fvu, bad!.cosine, bad!.spliced, bad!.recoveredZero, all.spliced, all.kl].map(x => JSON.stringify(x)), Array(6).fill('null'))
    assert.is(JSON.parse(JSON.stringify(bad)).fvu, null)
  })
})

test('logits made chunk by chunk give the same losses', async ({ model }) => {
  const ids = someIds(96), targets = ids.map((_, n) => (n + 1) % T ? ids[n + 1]! : 0xFFFFFFFF), pass = model.pass(96), results: unknown[] = []
  for (const bytes of [2 ** 25, 101 * 4 * 7, 1]) {
    const scorer = new Scorer(model, pass, 96, bytes), kept = model.device.tensor('f32', 96, 24)
    pass.begin(ids, evenStarts(96, T))
    await pass.blocks(0, L)
    cast({ source: pass.stream, out: kept })
    const clean = await scorer.clean(targets)
    const same = await scorer.score({ kl: true })
    pass.begin(ids, evenStarts(96, T))
    await pass.blocks(0, L, layer => layer === 1 ? kept : undefined)
    const other = await scorer.score({ kl: true })
    assert.is(same.kl, 0)
    assert.is(same.loss, clean.loss)
    assert.ok(other.kl > 0)
    results.push({ clean, other })
    scorer.dispose()
    kept.dispose()
  }
  assert.equal(results[1], results[0])
  assert.equal(results[2], results[0])
  pass.dispose()
})

test.run()
