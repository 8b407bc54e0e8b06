// Generation: the tokens of transformers, text in whole characters, every way to end, and what happens when the context is full.
import { readFileSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { GeneratedToken, GenerateOptions, GenerationEnd } from '../../lib/model/generate.ts'
import { LanguageModel } from '../../lib/model/model.ts'
import { Speech } from '../../lib/model/speech.ts'
import { devices } from '../../lib/native/backend.ts'
import { readModelIds } from '../../lib/tokenizer/files.ts'
import { openTokenizer } from '../../lib/tokenizer/tokenizer.ts'
import { isAsked } from '../ops/asked.ts'
import { failsWith, inFolder, copyModel, MODEL, PROMPT, SIZE, someIds } from './tiny.ts'

interface Known { readonly model: string, readonly prompt: number[], readonly penalty: number, readonly ids: number[] }
const KNOWN = JSON.parse(readFileSync('test/golden/running/generate.json', 'utf8')) as Known[]
const CODELM = 'examples/codelm', CONTEXT = SIZE.context

interface All { readonly tokens: GeneratedToken[], readonly ids: number[], readonly text: string, readonly end: GenerationEnd }

async function all(model: LanguageModel, prompt: string | ArrayLike<number>, options: GenerateOptions = {}): Promise<All> {
  const tokens: GeneratedToken[] = [], iterator = model.generate(prompt, options)
  for (;;) {
    const step = await iterator.next()
    if (step.done) return { tokens, ids: tokens.map(({ id }) => id), text: tokens.map(({ text }) => text).join(''), end: step.value }
    tokens.push(step.value)
  }
}

for (const { device } of devices().devices.filter(isAsked)) {
  test(`${device}: greedily the tokens of transformers, for each kind of block`, async () => {
    const models = [...new Set(KNOWN.map(({ model }) => model))].filter(folder => device === 'cpu' || /gemma2|neox-parallel|dynamic/.test(folder))
    for (const folder of models) {
      using model = await LanguageModel.open(folder, { device })
      for (const { prompt, penalty, ids } of KNOWN.filter(known => known.model === folder)) {
        const made = await all(model, prompt, { maxTokens: ids.length, repetitionPenalty: penalty, stopIds: [], context: 'error' })
        assert.equal(made.ids, ids, `${folder}, penalty ${penalty}`)
        assert.equal(made.tokens.map(({ index }) => index), ids.map((_, i) => i))
        assert.is(made.end, 'length')
      }
    }
  })
}

test('a cached step has the bits of reading everything again: same draws, same log-probabilities', async () => {
  using model = await LanguageModel.open(MODEL)
  const options = { maxTokens: 12, temperature: 1.5, topK: 30, seed: 9, logprobs: true, stopIds: [] }, { tokens, ids } = await all(model, PROMPT, options)
  assert.ok(new Set(ids).size > 4)
  for (const [i, { id, logprob }] of tokens.entries()) {
    const { data, columns, rows } = await model.logits([...PROMPT, ...ids.slice(0, i)]), last = data.subarray((rows - 1) * columns)
    const top = last.reduce((a, b) => Math.max(a, b)), sum = last.reduce((total, x) => total + Math.exp(x - top), 0)
    assert.is(logprob, last[id]! - top - Math.log(sum))
  }
  assert.equal((await all(model, PROMPT, options)).ids, ids)
  assert.not.equal((await all(model, PROMPT, { ...options, seed: 10 })).ids, ids)
})

test('text, stop strings and ends', async () => {
  using model = await LanguageModel.open(CODELM)
  const tokenizer = await model.tokenizer(), prompt = 'for (let i = 0', plain = await all(model, prompt, { maxTokens: 30 })
  assert.is(plain.text, tokenizer.decode([...tokenizer.encode(prompt), ...plain.ids]).slice(prompt.length))
  assert.is(plain.end, 'length')
  const stop = plain.text.slice(5, 9), stopped = await all(model, prompt, { maxTokens: 30, stop: ['never', stop] })
  assert.is(stopped.text, plain.text.slice(0, plain.text.indexOf(stop)))
  assert.is(stopped.end, 'stop')
  assert.ok(stopped.tokens.every(({ text }) => !stop.startsWith(text) || text === ''), 'nothing of a stop string is told')
  assert.is((await all(model, prompt, { maxTokens: 30, stop: '\u0000 not said' })).text, plain.text)
  const half = await all(model, prompt, { maxTokens: 3, stop: plain.text + ' and more' })
  assert.is(half.text, (await all(model, prompt, { maxTokens: 3 })).text, 'what was held back is told at the end')
  const end = plain.ids[6]!, before = plain.ids.indexOf(end), ended = await all(model, prompt, { stopIds: [end] })
  assert.equal([ended.ids, ended.end], [plain.ids.slice(0, before + 1), 'stop'])
  assert.is(ended.tokens.at(-1)!.text, '')
  assert.equal(await all(model, prompt, { maxTokens: 0 }), { tokens: [], ids: [], text: '', end: 'length' })
})

test('characters of several tokens are told whole', async () => {
  const tokenizer = await openTokenizer(CODELM), text = 'naïve → 😀👩‍👩‍👧 日本', ids = tokenizer.encode(text)
  const speech = new Speech(tokenizer, tokenizer.encode('é'), [])
  const told = [...ids].map(id => speech.add(id))
  assert.ok(told.includes('') && told.every(part => !part.includes('\uFFFD')))
  assert.is(told.join('') + speech.end(), text)
  const face = tokenizer.encode('a😀b'), begun = [1, 2, 3, 4].map(length => new Speech(tokenizer, face.slice(0, length), []))
  const ends = begun.map((speech, i) => [...face.slice(i + 1)].map(id => speech.add(id)).join('') + speech.end())
  assert.equal(ends, Array(4).fill('😀b'), 'prompts that end within a character')
  const cut = new Speech(tokenizer, [], [])
  const pieces = [...tokenizer.encode('a😀').slice(0, -1)].map(id => cut.add(id)).join('')
  assert.match(pieces + cut.end(), /^a\uFFFD+$/, 'half a character is told at the end')
  const unknown = new Speech(tokenizer, [], [])
  assert.is(unknown.add(tokenizer.size + 5) + unknown.end(), '')
})

test('ends are read from generation_config.json and config.json where there is no tokenizer', async () => {
  await inFolder(async folder => {
    const { rm, writeFile } = await import('node:fs/promises')
    await copyModel(folder, { eos_token_id: 3 })
    await rm(`${folder}/tokenizer.json`, { force: true })
    await rm(`${folder}/generation_config.json`, { force: true })
    using model = await LanguageModel.open(folder)
    const { ids } = await all(model, PROMPT, { maxTokens: 8, stopIds: [] })
    assert.equal(await readModelIds(folder), { bos: 1, eos: 3, pad: 0, stops: [3] })
    assert.equal(await readModelIds(`test/golden/families/gemma3-eyes`).then(({ stops }) => stops), [2], 'in the part of the text')
    await writeFile(`${folder}/generation_config.json`, JSON.stringify({ eos_token_id: [ids[2], 100] }))
    const ended = await all(model, PROMPT, { maxTokens: 8 })
    assert.equal([ended.ids, ended.end, ended.text], [ids.slice(0, ids.indexOf(ids[2]!) + 1), 'stop', ''])
    await failsWith('ERR_FILE', /tokenizer/, () => all(model, PROMPT, { stop: 'x' }))
    await failsWith('ERR_FILE', /tokenizer/, () => all(model, 'text'))
  })
})

test('a full context ends generation, or slides', async () => {
  using model = await LanguageModel.open(MODEL)
  const long = someIds(CONTEXT + 5), options = { stopIds: [], maxTokens: 30 }
  await failsWith('ERR_TOKEN_RANGE', /at most 32 tokens .* 37.*context: 'slide'/, () => all(model, long, options))
  const full = await all(model, long.subarray(0, CONTEXT - 3), options)
  assert.equal([full.ids.length, full.end], [4, 'context'])
  assert.equal([(await all(model, long.subarray(0, CONTEXT), options)).ids.length], [1])
  const slid = await all(model, long, { ...options, context: 'slide' })
  assert.equal([slid.ids.length, slid.end], [30, 'length'])
  const whole = [...long, ...slid.ids], best = async (ids: number[]): Promise<number> => {
    const { data, rows, columns } = await model.logits(ids), last = data.subarray((rows - 1) * columns)
    return last.indexOf(last.reduce((a, b) => Math.max(a, b)))
  }
  assert.is(slid.ids[0], await best(whole.slice(5, CONTEXT + 5)), 'of a longer prompt the last tokens are read')
  for (let i = 1; i < 20; i++) {                       // a context of 32 is full: the last 16 tokens are read anew, then 16 more fit
    const from = i < 18 ? CONTEXT + 5 + 1 - 16 : CONTEXT + 5 + 18 - 16
    assert.is(slid.ids[i], await best(whole.slice(from, CONTEXT + 5 + i)), `token ${i}`)
  }
})

test('a signal, a model that is disposed, and an iterator that is left stop it, and give all back', async () => {
  using model = await LanguageModel.open(MODEL)
  const { used } = model.device.memory(), controller = new AbortController()
  const iterator = model.generate(PROMPT, { maxTokens: 20, stopIds: [], signal: controller.signal })
  await iterator.next()
  controller.abort()
  await failsWith('ERR_ABORTED', /stopped by its signal/, () => iterator.next())
  assert.ok((await iterator.next()).done)
  for await (const { index } of model.generate(PROMPT, { maxTokens: 20, stopIds: [] })) if (index === 2) break
  await model.device.wait()
  assert.is(model.device.memory().used, used)
  const other = await LanguageModel.open(MODEL), left = other.generate(PROMPT, { maxTokens: 20, stopIds: [] })
  await left.next()
  other.dispose()
  await failsWith('ERR_DISPOSED', /disposed/, () => left.next())
  await failsWith('ERR_DISPOSED', /disposed/, () => all(other, PROMPT))
  using shared = await LanguageModel.open(MODEL, { device: model.device })
  const running = shared.generate(PROMPT, { maxTokens: 20, stopIds: [] })
  await running.next()
  shared.dispose()
  await failsWith('ERR_DISPOSED', /disposed/, () => running.next())
  await model.device.wait()
  assert.is(model.device.memory().used, used)
})

test('a batch has the tokens of each prompt alone, on the way to different ends', async () => {
  using model = await LanguageModel.open(MODEL)
  const prompts = [PROMPT, [5], [...someIds(CONTEXT - 4)], [...someIds(20)]], options: GenerateOptions = { maxTokens: 10, logprobs: true, stopIds: [] }
  const alone: All[] = []
  for (const prompt of prompts) alone.push(await all(model, prompt, options))
  const stop = alone[3]!.ids[4]!, stopped = { ...options, stopIds: [stop] }
  for (const [b, prompt] of prompts.entries()) alone[b] = await all(model, prompt, stopped)
  const got = prompts.map(() => [] as GeneratedToken[]), batch = model.generateBatch(prompts, stopped)
  let step = await batch.next()
  for (let last = [-1, -1]; !step.done; step = await batch.next()) {
    const { sequence, ...token } = step.value, now = [token.index, sequence]
    assert.ok(now[0]! > last[0]! || (now[0] === last[0] && now[1]! > last[1]!), 'step by step, in order')
    got[sequence]!.push(token)
    last = now
  }
  assert.equal(got, alone.map(({ tokens }) => tokens))
  assert.equal(step.value, alone.map(({ end }) => end))
  assert.ok(new Set(step.value).size > 1, `${step.value}`)
  const draws = await all(model, PROMPT, { ...options, temperature: 2, seed: 4 }), twice = [[], []] as number[][]
  for await (const { sequence, id } of model.generateBatch([PROMPT, PROMPT], { ...options, temperature: 2, seed: 4 })) twice[sequence]!.push(id)
  assert.equal(twice[0], draws.ids)
  assert.not.equal(twice[1], draws.ids)
  assert.equal(await model.generateBatch([], {}).next(), { done: true, value: [] })
  await failsWith('ERR_TOKEN_RANGE', /received 101/, () => model.generateBatch([PROMPT, [101]]).next())
  await failsWith('ERR_INVALID_ARGUMENT', /prompts/, () => model.generateBatch('x' as unknown as string[]).next())
})

test('two at once on one model do not disturb each other', async () => {
  using model = await LanguageModel.open(MODEL)
  const prompts = [PROMPT, [5, 6], [...someIds(20)]], options = { maxTokens: 10, stopIds: [], temperature: 1, seed: 3 }
  const alone: number[][] = []
  for (const prompt of prompts) alone.push((await all(model, prompt, options)).ids)
  assert.equal(await Promise.all(prompts.map(async prompt => (await all(model, prompt, options)).ids)), alone)
})

test('prompts and options that are none', async () => {
  using model = await LanguageModel.open(MODEL)
  await failsWith('ERR_EMPTY_TEXT', /at least one token/, () => all(model, []))
  await failsWith('ERR_TOKEN_RANGE', /from 0 to 100 but received 101/, () => all(model, [5, SIZE.vocabulary]))
  for (const none of [5, null, undefined, {}]) await failsWith('ERR_INVALID_ARGUMENT', /a list of token ids/, () => all(model, none as unknown as number[]))
  await failsWith('ERR_TOKEN_RANGE', /received 101 at position 40/, () => all(model, [...someIds(40), SIZE.vocabulary], { context: 'slide' }))
  await failsWith('ERR_UNKNOWN_OPTION', /maxTokens/, () => all(model, PROMPT, { maxToken: 3 } as GenerateOptions))
  for (const wrong of [{ maxTokens: -1 }, { stop: '' }, { stop: [1] }, { stopIds: [-1] }, { stopIds: 3 }, { context: 'wrap' }, { topK: 0 }, { logprobs: 1 }]) {
    await failsWith('ERR_INVALID_ARGUMENT', new RegExp(Object.keys(wrong)[0]!), () => all(model, PROMPT, wrong as GenerateOptions))
  }
})

test.run()
