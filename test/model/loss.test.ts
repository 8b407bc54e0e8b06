// Losses: those of the logits, whatever they are packed with; long texts in windows; the shipped model's reference.
import { readFile } from 'node:fs/promises'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { heldOutIds } from '../../lib/evaluate/held-out.ts'
import type { LossOptions, TokenLosses } from '../../lib/model/loss.ts'
import { LanguageModel } from '../../lib/model/model.ts'
import type { Sequences } from '../../lib/model/sequences.ts'
import { fill } from '../../lib/tensor/ops.ts'
import type { Tensor } from '../../lib/tensor/tensor.ts'
import { windows } from '../../lib/text/windows.ts'
import { failsWith, MODEL, PROMPT, sameBits, SIZE, someIds } from './tiny.ts'

const test = suite<{ model: LanguageModel }>('loss')
test.before(async context => { context.model = await LanguageModel.open(MODEL) })
test.after(context => { context.model.dispose() })

async function all(model: LanguageModel, input: Sequences, options: LossOptions = {}): Promise<TokenLosses[]> {
  const out: TokenLosses[] = []
  for await (const one of model.losses(input, options)) out.push(one)
  return out
}

test('each token by the logits of those before it', async ({ model }) => {
  const ids = someIds(20), [{ nats, at, sequence }] = await all(model, ids) as [TokenLosses], { data, columns } = await model.logits(ids)
  assert.equal([nats.length, at, sequence], [20, 0, 0])
  assert.ok(Number.isNaN(nats[0]))
  for (let t = 1; t < 20; t++) {
    const row = data.subarray((t - 1) * columns, t * columns), sum = Math.log(row.reduce((total, x) => total + Math.exp(x), 0))
    assert.ok(Math.abs(nats[t]! - (sum - row[ids[t]!]!)) < 1e-5)
  }
  const { tokens, predicted, nats: total, mean, perplexity } = await model.loss(ids)
  assert.equal([tokens, predicted], [20, 19])
  assert.ok(Math.abs(total - nats.subarray(1).reduce((a, b) => a + b)) < 1e-4)
  assert.equal([mean, perplexity], [total / 19, Math.exp(total / 19)])
})

test('packing, batches and chunks of logits change no bit', async ({ model }) => {
  const sequences = [5, 32, 1, 2, 30, 12].map((length, i) => someIds(length, i + 1)), alone: Float32Array[] = []
  for (const ids of sequences) alone.push((await all(model, ids))[0]!.nats)
  for (const batchRows of [1, 33, 2048]) {
    const packed = await all(model, sequences, { batchRows })
    assert.equal(packed.map(({ sequence }) => sequence), [0, 1, 2, 3, 4, 5])
    for (const [i, { nats }] of packed.entries()) assert.ok(sameBits(nats, alone[i]!), `sequence ${i} in batches of ${batchRows}`)
  }
})

test('a long text in windows that overlap: every token once, with at least as many before it', async ({ model }) => {
  const ids = someIds(100), pieces = await all(model, ids, { window: 24, overlap: 8 })
  assert.equal(pieces.map(({ at }) => at), [0, 24, 40, 56, 72, 88])
  assert.equal(pieces.flatMap(piece => [...piece.ids]), [...ids])
  for (const { at, nats } of pieces.slice(1)) {
    const [{ nats: window }] = await all(model, ids.subarray(at - 8, at + nats.length)) as [TokenLosses]
    assert.ok(sameBits(nats, window.subarray(8)), `from ${at}`)
  }
  const plain = await all(model, ids, { window: 24 })
  assert.equal(plain.map(({ nats }) => nats.length), [24, 24, 24, 24, 4])
  assert.is(plain.filter(({ nats }) => Number.isNaN(nats[0])).length, 5)
  assert.is((await model.loss(ids, { window: 24 })).predicted, 95)
  assert.is((await model.loss(ids, { window: 24, overlap: 23 })).predicted, 99)
})

test('the shipped model: mean loss of held-out text to 1e-5 of the reference', async () => {
  using model = await LanguageModel.open('examples/codelm')
  const { heldOut } = JSON.parse(await readFile('examples/codelm/reference.json', 'utf8')) as { heldOut: { tokens: number, chunk: number, mean_nll: number } }
  const ids = await heldOutIds(model, 'examples/codelm/text/held-out.txt.gz', heldOut.tokens)
  const { mean, predicted } = await model.loss(ids, { window: heldOut.chunk })
  assert.is(predicted, ids.length - ids.length / heldOut.chunk)
  assert.ok(Math.abs(mean - heldOut.mean_nll) < 1e-5, `${mean}`)
  async function* stream(): AsyncGenerator<Uint32Array> { yield ids }
  assert.ok(Math.abs((await model.loss(windows(stream(), heldOut.chunk))).mean - mean) < 1e-9)
})

test('logits that are no numbers are told, not left out of the mean', async ({ model }) => {
  const work = (x: Tensor, { places }: { readonly places: Uint32Array }): void => {
    for (const [n, place] of places.entries()) if (place === 6) fill({ out: x.view(n, n + 1), value: Infinity })
  }
  await failsWith('ERR_NOT_FINITE', /row 6 of/, () => model.loss(someIds(12), { splices: [{ site: 'finalInput', work }] }))
  assert.is((await model.loss(someIds(7), { splices: [{ site: 'finalInput', work }] })).predicted, 6, 'those of the last token predict nothing')
})

test('wrong questions', async ({ model }) => {
  await failsWith('ERR_EMPTY_TEXT', /at least two tokens .*received 1/, () => model.loss([5]))
  await failsWith('ERR_EMPTY_TEXT', /at least one token/, () => model.loss([] as number[][]))
  await failsWith('ERR_INVALID_ARGUMENT', /window .*33/, () => model.loss(PROMPT, { window: 33 }))
  await failsWith('ERR_INVALID_ARGUMENT', /overlap/, () => model.loss(PROMPT, { window: 8, overlap: 8 }))
  await failsWith('ERR_TOKEN_RANGE', /received 101/, () => model.loss([...someIds(50), SIZE.vocabulary]))
  await failsWith('ERR_UNKNOWN_OPTION', /stride/, () => model.loss(PROMPT, { stride: 1 } as LossOptions))
  await failsWith('ERR_ABORTED', /stopped/, () => model.loss(PROMPT, { signal: AbortSignal.abort() }))
  const other = await LanguageModel.open(MODEL)
  other.dispose()
  await failsWith('ERR_DISPOSED', /disposed/, () => other.loss(PROMPT))
})

test.run()
