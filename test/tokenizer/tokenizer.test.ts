// Token ids: the reference numbers of codelm, round trips of hostile strings, roles of tokens, and broken folders. golden.test.ts compares with Python.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { TransweldError, type ErrorCode } from '../../lib/native/error.ts'
import { BYTE_CHARACTERS, byteLevelBytes, showBytes, toByteLevel } from '../../lib/tokenizer/alphabet.ts'
import { openTokenizer, type Tokenizer } from '../../lib/tokenizer/tokenizer.ts'
import { HOSTILE, madeFolder, madeTokenizer, PATTERNS } from './made.ts'

const CODELM = fileURLToPath(new URL('../../../examples/codelm/', import.meta.url))
const json = async (path: string) => JSON.parse(await readFile(path, 'utf8'))

async function opened(tokenizer: unknown, config?: unknown): Promise<Tokenizer> {
  const folder = await madeFolder(tokenizer, config)
  try { return await openTokenizer(folder) } finally { await rm(folder, { recursive: true }) }
}

async function refused(tokenizer: unknown, config: unknown, code: ErrorCode, words: RegExp): Promise<void> {
  const folder = await madeFolder(tokenizer, config)
  const error = await openTokenizer(folder).then(() => undefined, (e: unknown) => e)
  await rm(folder, { recursive: true })
  assert.instance(error, TransweldError, `${words}: ${String(error)}`)
  assert.is((error as TransweldError).code, code)
  assert.match((error as TransweldError).message, words)
}

test('codelm: the ids of the reference, the pieces, the end of text', async () => {
  const tokenizer = await openTokenizer(CODELM), { prompts } = await json(CODELM + 'reference.json') as { prompts: { text: string, ids: number[], tokens: string[] }[] }
  assert.ok(prompts.length > 0)
  for (const { text, ids, tokens } of prompts) {
    assert.equal([...tokenizer.encode(text)], ids)
    assert.is(tokenizer.decode(ids), text)
    assert.equal(ids.map(id => tokenizer.piece(id)), tokens.map(token => showBytes(byteLevelBytes(token))))
  }
  assert.is(tokenizer.size, 4096)
  assert.is(tokenizer.endOfText, 0)
  assert.is(tokenizer.piece(0), '<|endoftext|>')
  assert.equal([...tokenizer.encode('a<|endoftext|>b')], [...tokenizer.encode('a'), 0, ...tokenizer.encode('b')])
})

test('codelm: remembered words give the ids that they gave at first, and the text comes back', async () => {
  const tokenizer = await openTokenizer(CODELM)
  const text = gunzipSync(await readFile(CODELM + 'text/held-out.txt.gz')).toString() + await readFile(fileURLToPath(import.meta.url), 'utf8')
  const ids = tokenizer.encode(text)
  assert.ok(ids.length > 50_000)
  assert.is(tokenizer.decode(ids), text)
  const again = [tokenizer.encode(text), (await openTokenizer(CODELM)).encode(text)]
  for (const other of again) assert.is(Buffer.compare(Buffer.from(other.buffer), Buffer.from(ids.buffer)), 0)
})

test('hostile strings come back as the same text, for four patterns and a plain ByteLevel step', async () => {
  const folders = Object.values(PATTERNS).map(pattern => madeTokenizer(pattern))
  folders.push(madeTokenizer('', { pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true } }))
  for (const made of folders) {
    const tokenizer = await opened(made)
    assert.ok(tokenizer.stream !== undefined)
    for (const text of [...HOSTILE, HOSTILE.join(''), HOSTILE.join('|\n')]) {
      const ids = tokenizer.encode(text)
      assert.is(tokenizer.decode(ids), Buffer.from(text).toString(), JSON.stringify(text.slice(0, 60)))
      assert.is([...ids].map(id => tokenizer.piece(id)).every(piece => piece.length > 0), true)
    }
  }
})

test('tokenizers that must see the whole text', async () => {
  const bos = { type: 'TemplateProcessing', single: [{ SpecialToken: { id: '<|end|>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }], pair: [], special_tokens: {} }
  const template = { ...bos, special_tokens: { '<|end|>': { id: '<|end|>', ids: [300], tokens: ['<|end|>'] } } }
  const tokenizer = await opened(madeTokenizer(PATTERNS.gpt2, { normalizer: { type: 'NFC' }, post_processor: template }))
  assert.is(tokenizer.stream, undefined)
  assert.equal([...tokenizer.encode('e\u0301')], [300, ...tokenizer.encode('\u00e9', { special: false })])
  assert.equal([...tokenizer.encode('')], [300])
  assert.equal([...tokenizer.encode('', { special: false })], [])
  const pieces = madeTokenizer(PATTERNS.gpt2, { pre_tokenizer: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always' }, decoder: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always' },
    added_tokens: [], model: { type: 'Unigram', unk_id: 0, vocab: [['<unk>', 0], ['▁the', -1], ['▁', -5], ['t', -6], ['h', -6], ['e', -6]] } })
  const unigram = await opened(pieces, null)
  assert.is(unigram.endOfText, undefined)
  assert.equal([...unigram.encode('the the')], [1, 1])
  assert.is(unigram.piece(1), ' the')
  assert.is(unigram.decode([1, 1]), 'the the')
})

test('ids are checked, and half a character is shown', async () => {
  const tokenizer = await openTokenizer(CODELM)
  for (const id of [-1, 4096, 1.5, NaN, 2 ** 32]) {
    assert.throws(() => tokenizer.decode([0, id]), (e: unknown) => e instanceof TransweldError && e.code === 'ERR_TOKEN_RANGE' && /ids\[1\]/.test(e.message))
    assert.throws(() => tokenizer.piece(id), /from 0 to 4095/)
  }
  assert.is(tokenizer.decode([]), '')
  const half = tokenizer.encode('\u{1f9ff}')
  assert.ok(half.length > 1)
  assert.match(tokenizer.piece(half[0]!), /^(<0x[0-9A-F]{2}>)+$/)
  assert.is(tokenizer.decode(half), '\u{1f9ff}')
  assert.is(tokenizer.decode(half.subarray(0, 1)), '\ufffd')
  assert.throws(() => tokenizer.encode(7 as unknown as string), /expected a string for text/)
})

test('the alphabet of bytes', () => {
  assert.is(new Set(BYTE_CHARACTERS).size, 256)
  assert.is(BYTE_CHARACTERS[32], 'Ġ')
  assert.is(BYTE_CHARACTERS[10], 'Ċ')
  assert.is(toByteLevel('é\n'), 'Ã©Ċ')
  assert.equal(byteLevelBytes('Ã©Ċ'), [0xc3, 0xa9, 10])
  assert.is(showBytes([0xc3, 0x28, 0xe2, 0x82, 0xac, 0xff, 0xf0, 0x9f]), '<0xC3>(€<0xFF><0xF0><0x9F>')
  assert.is(showBytes([0xef, 0xbb, 0xbf, 0x41]), '\ufeffA')
})

test('the end of text comes from the files, in their order', async () => {
  for (const [config, special, model, expected] of [
    [{ eos_token: { content: '<|end|>' } }, { eos_token: '<|endoftext|>' }, { eos_token_id: 5 }, 300],
    [{}, { eos_token: '<|endoftext|>' }, { eos_token_id: 5 }, 302],
    [{ eos_token: null }, {}, { eos_token_id: [7, 8] }, 7],
    [{}, {}, {}, undefined],
  ] as const) {
    const folder = await madeFolder(madeTokenizer(PATTERNS.gpt2), config)
    await writeFile(join(folder, 'special_tokens_map.json'), JSON.stringify(special))
    await writeFile(join(folder, 'config.json'), JSON.stringify({ model_type: 'gpt2', ...model }))
    assert.is((await openTokenizer(folder)).endOfText, expected)
    await rm(folder, { recursive: true })
  }
  await refused(madeTokenizer(PATTERNS.gpt2), { eos_token: '<eos>' }, 'ERR_FORMAT', /end-of-text token "<eos>"/)
})

test('roles: beginning, padding, stops, special tokens', async () => {
  const open = async (config: object, model: object, generation: object) => {
    const folder = await madeFolder(madeTokenizer(PATTERNS.gpt2), config)
    await writeFile(join(folder, 'config.json'), JSON.stringify(model))
    await writeFile(join(folder, 'generation_config.json'), JSON.stringify(generation))
    try { return await openTokenizer(folder) } finally { await rm(folder, { recursive: true }) }
  }
  const named = await open({ bos_token: '<|end|>', eos_token: '<|endoftext|>', pad_token: { content: '<|end|>>' } }, { eos_token_id: 3, bos_token_id: 4 }, { eos_token_id: [302, 300] })
  assert.equal([named.beginOfText, named.endOfText, named.padding], [300, 302, 301])
  assert.equal([named.stops, named.specials], [[302, 300], [300, 301, 302]])
  const ids = await open({}, { eos_token_id: [3, 5], bos_token_id: 4, pad_token_id: -1 }, {})
  assert.equal([ids.beginOfText, ids.endOfText, ids.padding, ids.stops], [4, 3, undefined, [3, 5]])
  const one = await open({ eos_token: '<|end|>' }, {}, {})
  assert.equal([one.beginOfText, one.stops], [undefined, [300]])
  assert.equal((await open({}, {}, {})).stops, [])
  // A token that the files name and the vocabulary holds is cut out of the text, listed in added_tokens or not.
  const spelled = await open({ eos_token: 'he' }, {}, {})
  assert.equal([...spelled.encode('the')], [spelled.encode('t')[0], spelled.endOfText])
})

test('special tokens in and out, and closed options', async () => {
  const tokenizer = await opened(madeTokenizer(PATTERNS.gpt2)), ids = tokenizer.encode('a<|end|>b')
  assert.is(tokenizer.decode(ids), 'a<|end|>b')
  assert.is(tokenizer.decode(ids, { special: false }), 'ab')
  assert.throws(() => tokenizer.encode('a', { specials: true } as object), /did you mean "special"/)
  assert.throws(() => tokenizer.decode(ids, { special: 1 as unknown as boolean }), /true or false for special/)
})

test('missing and broken', async () => {
  const empty = await mkdtemp(join(tmpdir(), 'transweld-'))
  const missing = await openTokenizer(empty).then(() => undefined, (e: unknown) => e)
  assert.match(String(missing), /no tokenizer in .*expected tokenizer.json/)
  assert.is((missing as TransweldError).code, 'ERR_FILE')
  await mkdir(join(empty, 'tokenizer.json'))
  assert.match(String(await openTokenizer(empty).catch((e: unknown) => e)), /TransweldError: cannot read .*is a folder/)
  await rm(empty, { recursive: true })
  assert.match(String(await openTokenizer('').catch((e: unknown) => e)), /folder/)
  const good = madeTokenizer(PATTERNS.gpt2), model = good['model'] as object
  await refused(JSON.stringify(good).slice(0, 900), {}, 'ERR_FORMAT', /not valid JSON/)
  await refused([], {}, 'ERR_FORMAT', /expected a JSON object/)
  await refused({}, {}, 'ERR_FORMAT', /expected an object "model"/)
  await refused({ ...good, model: { ...model, vocab: 3 } }, {}, 'ERR_FORMAT', /vocabulary/)
  await refused({ ...good, model: { ...model, vocab: {} } }, {}, 'ERR_FORMAT', /empty/)
  await refused({ ...good, model: { ...model, vocab: { a: -1 } } }, {}, 'ERR_FORMAT', /ids from 0/)
  await refused({ ...good, model: { ...model, vocab: { a: 2 ** 31 } } }, {}, 'ERR_FORMAT', /ids from 0/)
  await refused({ ...good, model: { ...model, vocab: { a: 1, b: 1 } } }, {}, 'ERR_FORMAT', /have one id/)
  await refused({ ...good, model: { ...model, merges: 'a b' } }, {}, 'ERR_FORMAT', /merges/)
  await refused({ ...good, model: { ...model, merges: ['ab'] } }, {}, 'ERR_FORMAT', /merges/)
  await refused({ ...good, model: { type: 'Magic', vocab: { a: 0 }, merges: [] } }, {}, 'ERR_FORMAT', /unknown model.type "Magic"/)
  await refused({ ...good, added_tokens: [{ content: 'x' }] }, {}, 'ERR_FORMAT', /added_tokens/)
  await refused({ ...good, model: { ...model, type: 'WordPiece' } }, {}, 'ERR_UNSUPPORTED', /WordPiece. Known: BPE, Unigram, WordLevel/)
  await refused({ ...good, model: { ...model, type: 'Unigram' } }, {}, 'ERR_FORMAT', /list of pairs for model.vocab|an object for model.vocab/)
  await refused({ ...good, model: { ...model, merges: ['Ġ nothere'] } }, {}, 'ERR_FORMAT', /needs the token "Ġnothere"/)
  for (const step of ['normalizer', 'pre_tokenizer', 'post_processor', 'decoder']) {
    await refused({ ...good, [step]: { type: 'Nonsense' } }, {}, 'ERR_UNSUPPORTED', new RegExp(`cannot be used: unknown ${step} "Nonsense"`))
  }
  await refused({ ...good, normalizer: { type: 'Precompiled', precompiled_charsmap: 'AAAAAA==' } }, {}, 'ERR_FORMAT', /precompiled_charsmap is damaged/)
  await refused({ ...good, normalizer: { type: 'Replace', pattern: 'x', content: '' } }, {}, 'ERR_FORMAT', /for a pattern/)
  const template = (single: object[]) => ({ ...good, post_processor: { type: 'TemplateProcessing', single, special_tokens: {} } })
  await refused(template([{ SpecialToken: { id: '<|end|>' } }, { Sequence: { id: 'A' } }]), {}, 'ERR_FORMAT', /does not hold "<\|end\|>"/)
  await refused(template([]), {}, 'ERR_UNSUPPORTED', /exactly once/)
  await refused({ ...good, decoder: { type: 'constructor' } }, {}, 'ERR_UNSUPPORTED', /unknown decoder "constructor"/)
  await refused(madeTokenizer('(['), {}, 'ERR_FORMAT', /cannot be used: /)
})

test.run()
