// Taps: the numbers of a plain pass, in batches that change no bit; and what is asked of them wrongly.
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { LanguageModel } from '../../lib/model/model.ts'
import type { TapOptions } from '../../lib/model/taps.ts'
import type { Splice } from '../../lib/model/splice.ts'
import type { Sequences } from '../../lib/model/sequences.ts'
import { SITES, isFinal, siteWidth } from '../../lib/model/site.ts'
import { failsWith, known, MODEL, PROMPT, farthest, sameBits, SIZE, someIds } from './tiny.ts'

const test = suite<{ model: LanguageModel }>('taps')
test.before(async context => { context.model = await LanguageModel.open(MODEL) })
test.after(context => { context.model.dispose() })

const lengths = [3, 17, 1, 32, 8, 8, 20], sequences = lengths.map((length, i) => someIds(length, i + 1))

type At = readonly [site: string, layer: number]

/** All rows of some places, batch after batch. */
async function read(model: LanguageModel, input: Sequences, options: TapOptions, places: readonly At[]): Promise<{ data: Float32Array[], batches: number[] }> {
  const parts: Float32Array[][] = places.map(() => []), batches: number[] = []
  for await (const batch of model.taps(input, options)) {
    assert.is(batch.at, batches.reduce((a, b) => a + b, 0))
    batches.push(batch.ids.length)
    for (const [i, [site, layer]] of places.entries()) parts[i]!.push(await batch.tensor(site, layer).read())
  }
  return { data: parts.map(list => Float32Array.from(list.flatMap(part => [...part]))), batches }
}

const all = ({ config: { layers } }: LanguageModel): At[] =>
  SITES.flatMap(site => isFinal(site) ? [[site, layers] as const] : Array.from({ length: layers }, (_, l) => [site, l] as const))

test('every site of every layer, in batches of any size, has the bits of each sequence alone', async ({ model }) => {
  const places = all(model), whole = await read(model, sequences, { sites: SITES }, places)
  assert.equal(whole.batches, [lengths.reduce((a, b) => a + b)])
  for (const batchRows of [1, 20, 40]) {
    const cut = await read(model, sequences, { sites: SITES, batchRows }, places)
    assert.ok(cut.batches.length > 1 && cut.batches.every(rows => rows <= Math.max(batchRows, 32)), `${cut.batches}`)
    for (const [i, data] of cut.data.entries()) assert.ok(sameBits(data, whole.data[i]!), `${places[i]} in batches of ${batchRows}`)
  }
  for (const [i, [site]] of places.entries()) assert.is(whole.data[i]!.length, lengths.reduce((a, b) => a + b) * siteWidth(site as 'mlpInput', model.config))
})

test('what is added to the stream is what it grows by', async ({ model }) => {
  const { data: [before, attention, middle, mlp, after, next] } = await read(model, sequences, { sites: SITES, layers: [0, 1] },
    [['residualBefore', 0], ['attentionWrite', 0], ['residualMiddle', 0], ['mlpWrite', 0], ['residualAfter', 0], ['residualBefore', 1]])
  assert.ok(sameBits(before!.map((x, i) => x + attention![i]!), middle!))
  assert.ok(sameBits(middle!.map((x, i) => x + mlp![i]!), after!))
  assert.ok(sameBits(after!, next!))
})

test('known answers, by names of other libraries, and a text read by its tokenizer', async ({ model }) => {
  const { data: [middle] } = await read(model, [PROMPT], { sites: 'blocks.1.hook_resid_mid' }, [['residualMiddle', 1]])
  assert.ok(farthest(middle!, await known('gpt2', 'blocks.1.hook_resid_mid')) < 1e-5)
  using codelm = await LanguageModel.open('examples/codelm')
  const ids = (await codelm.tokenizer()).encode('let a = 1'), options = { sites: 'transformer.h.2.mlp' }, place = [['mlpOutput', 2]] as const
  assert.ok(sameBits((await read(codelm, 'let a = 1', options, place)).data[0]!, (await read(codelm, ids, options, place)).data[0]!))
})

test('streams of ids are read as they come, and left when the reader leaves', async ({ model }) => {
  let given = 0, isEnded = false
  async function* stream(): AsyncGenerator<Uint32Array> {
    try { for (;;) { given++; yield someIds(8, given) } } finally { isEnded = true }
  }
  const { used } = model.device.memory()
  for await (const { at, tensor, starts } of model.taps(stream(), { sites: 'mlpInput', layers: 2, batchRows: 16 })) {
    assert.equal([...starts], [0, 8, 16])
    assert.is(tensor('mlpInput').rows, 16)
    if (at === 48) break
  }
  await model.device.wait()
  assert.equal([given, isEnded, model.device.memory().used], [9, true, used])
})

test('the model runs no further than the last layer that is tapped', async ({ model }) => {
  const enqueued: number[] = [], splices: Splice[] = [{ site: 'residualAfter', work: (_, { layer }) => { enqueued.push(layer) } }]
  for await (const batch of model.taps(PROMPT, { sites: 'mlpInput', layers: 0, splices })) await batch.tensor('mlpInput').read()
  assert.equal(enqueued, [0])
})

test('wrong questions', async ({ model }) => {
  const ask = (input: unknown, options: unknown) => model.taps(input as Sequences, options as TapOptions).next()
  await failsWith('ERR_INVALID_ARGUMENT', /a site .*received "mlpinput"/, () => ask(PROMPT, { sites: 'mlpinput' }))
  await failsWith('ERR_INVALID_ARGUMENT', /at least one/, () => ask(PROMPT, { sites: [] }))
  await failsWith('ERR_INVALID_ARGUMENT', /from 0 to 2 for a layer .*received 3/, () => ask(PROMPT, { sites: 'mlpInput', layers: [0, 3] }))
  await failsWith('ERR_INVALID_ARGUMENT', /layer .*received 7/, () => ask(PROMPT, { sites: 'blocks.7.hook_resid_mid' }))
  await failsWith('ERR_UNKNOWN_OPTION', /site/, () => ask(PROMPT, { site: 'mlpInput' }))
  await failsWith('ERR_TOKEN_RANGE', /at most 32/, () => ask(someIds(33), { sites: 'mlpInput' }))
  await failsWith('ERR_TOKEN_RANGE', /received 101/, () => ask([[1, 2], [3, SIZE.vocabulary]], { sites: 'mlpInput' }))
  await failsWith('ERR_EMPTY_TEXT', /at least one token/, () => ask([[]], { sites: 'mlpInput' }))
  await failsWith('ERR_INVALID_ARGUMENT', /a text, a list of token ids/, () => ask(5, { sites: 'mlpInput' }))
  await failsWith('ERR_INVALID_ARGUMENT', /sequence/, () => ask([[1, 'a']], { sites: 'mlpInput' }))
  await failsWith('ERR_ABORTED', /stopped/, () => ask(PROMPT, { sites: 'mlpInput', signal: AbortSignal.abort() }))
  for await (const batch of model.taps(PROMPT, { sites: 'mlpInput', layers: [0, 1] })) {
    await failsWith('ERR_INVALID_ARGUMENT', /mlpInput 0, mlpInput 1 .*mlpInput of no layer/, () => batch.tensor('mlpInput'))
    await failsWith('ERR_INVALID_ARGUMENT', /mlpOutput/, () => batch.tensor('mlpOutput', 0))
  }
})

test.run()
