// Documents in parts: whatever the parts and the window, the ids are those of the whole document.
import { rm } from 'node:fs/promises'
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { DocumentEncoder } from '../../lib/tokenizer/document.ts'
import { IdBuffer } from '../../lib/tokenizer/ids.ts'
import { openTokenizer, type Tokenizer } from '../../lib/tokenizer/tokenizer.ts'
import { HOSTILE, madeFolder, madeTokenizer, PATTERNS } from './made.ts'

const SEED = 20260722

async function opened(change?: object, pattern: string = PATTERNS.gpt2): Promise<Tokenizer> {
  const folder = await madeFolder(madeTokenizer(pattern, change))
  try { return await openTokenizer(folder) } finally { await rm(folder, { recursive: true }) }
}

const ENDS = ["'ll", "'", 'l', ' ', '\n', '\r\n', '  ', '\t', '\u0085', '\u2003', '\u00a0', '12', '3', 'the', ' the', '.', '<|end|>', '<|end|>>', '<|e', '日本']
const fragment = fc.oneof(fc.constantFrom(...HOSTILE.filter(text => text.length < 100)), fc.constantFrom(...ENDS), fc.string({ maxLength: 8, unit: 'binary' }))

test('random texts in random parts with tiny windows, for four patterns', async () => {
  const tokenizers = await Promise.all(Object.values(PATTERNS).map(pattern => opened(undefined, pattern)))
  let cut = 0
  fc.assert(fc.property(fc.array(fragment, { minLength: 1, maxLength: 150, size: 'max' }), fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 90 }), fc.nat(3), (parts, window, step, which) => {
    const tokenizer = tokenizers[which]!, text = parts.join(''), encoder = new DocumentEncoder(tokenizer, window)
    for (let at = 0; at < text.length; at += step) encoder.push(text.slice(at, at + step))
    if (encoder.ids.length > 0) cut++
    const full = encoder.end()
    assert.is(full, /\S/.test(text))
    assert.equal([...encoder.ids.take()], full ? [...tokenizer.encode(text, { special: false })] : [])
  }), { seed: SEED, numRuns: 1500 })
  assert.ok(cut > 600, `only ${cut} of 1500 texts were cut before their end`)
})

test('documents one after another, blank ones among them', async () => {
  const tokenizer = await opened(), encoder = new DocumentEncoder(tokenizer, 64)
  const documents = ['first one', '', ' \n\t ', 'x'.repeat(1000), ' '.repeat(1000), ' '.repeat(1000) + 'y', 'last']
  const kept = documents.filter(document => {
    for (const character of document) encoder.push(character)
    return encoder.end()
  })
  assert.equal(kept, documents.filter(document => document.trim() !== ''))
  assert.equal([...encoder.ids.take()], kept.flatMap(document => [...tokenizer.encode(document, { special: false })]))
})

test('a tokenizer that must see the whole text gets it', async () => {
  const tokenizer = await opened({ normalizer: { type: 'NFC' } }), encoder = new DocumentEncoder(tokenizer, 8)
  for (const character of 'cafe\u0301 '.repeat(50)) encoder.push(character)
  encoder.end()
  assert.equal([...encoder.ids.take()], [...tokenizer.encode('caf\u00e9 '.repeat(50), { special: false })])
})

test('a long document without a cut grows its window, and takes linear time', async () => {
  const encoder = new DocumentEncoder(await opened())
  for (let i = 0; i < 400; i++) encoder.push('ab1.'.repeat(1000))
  assert.ok(encoder.end())
  assert.is(encoder.ids.length, 1_600_000)
})

test('IdBuffer: what goes in comes out, in parts', () => {
  const buffer = new IdBuffer(1)
  for (let i = 0; i < 100; i++) buffer.push(i)
  buffer.append(Uint32Array.from({ length: 5000 }, (_, i) => 100 + i))
  assert.equal([...buffer.take(3)], [0, 1, 2])
  buffer.push(2 ** 32 - 1)
  assert.is(buffer.length, 5098)
  const rest = buffer.take()
  assert.ok(rest.every((id, i) => id === (i === 5097 ? 2 ** 32 - 1 : i + 3)))
  assert.is(rest.buffer.byteLength, 5098 * 4)
  assert.is(buffer.take().length, 0)
})

test.run()
