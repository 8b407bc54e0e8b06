// `transweld evaluate`, `logits` and `report` from outside.
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { LanguageModel } from '../../lib/model/model.ts'
import { openSafetensors } from '../../lib/safetensors/reader.ts'
import { T, textOf } from '../evaluate/tiny.ts'
import { copyModel, GOLDEN, inFolder, MODEL, PROMPT, sameBits } from '../model/tiny.ts'
import { complained, jsonLines, transweld } from './child.ts'

const TRANSCODERS = `${GOLDEN}/gpt2/transcoders`
const LOSSES = ['spliced', 'zero', 'mean', 'kl', 'recoveredZero', 'recoveredMean']

test('evaluate --json prints exactly this shape', async () => {
  await inFolder(async folder => {
    const ended = await transweld(['evaluate', '--model', MODEL, '--transcoders', TRANSCODERS, '--text', await textOf(folder, 20 * T), '--tokens', '5e2', '--json'])
    assert.is(ended.code, 0, ended.err)
    assert.is(ended.err, '')
    const [result, ...more] = jsonLines(ended) as [{ tokens: number, clean: number, layers: Record<string, number>[], all: Record<string, number> }]
    assert.is(more.length, 0)
    assert.equal(Object.keys(result), ['tokens', 'clean', 'layers', 'all'])
    assert.is(result.tokens, 15 * T)
    assert.equal(result.layers.map(layer => Object.keys(layer)), Array(3).fill(['layer', 'fvu', 'cosine', 'l0', 'dead', ...LOSSES]))
    assert.equal(Object.keys(result.all), LOSSES)
    assert.ok([...result.layers, result.all].every(one => Object.values(one).every(Number.isFinite)))
  })
})

test('evaluate prints a table', async () => {
  await inFolder(async folder => {
    const text = await textOf(folder, 10 * T), { code, out, err } = await transweld(['evaluate', '--model', MODEL, '--transcoders', TRANSCODERS, '--text', text, text])
    assert.is(code, 0, err)
    const lines = out.trimEnd().split('\n')
    assert.match(lines[0]!, /^320 tokens, next-token loss of the untouched model \d\.\d{4}$/)
    assert.equal(lines.slice(1).map(line => line.split(/ {2,}/)[0]), ['layer', '0', '1', '2', 'all'])
    assert.is(new Set(lines.slice(1).map(line => line.length)).size, 1, 'columns are aligned')
  })
})

test('evaluate refuses transcoders of another model', async () => {
  await inFolder(async folder => {
    const text = await textOf(folder, 100)
    complained(await transweld(['evaluate', '--model', MODEL, '--transcoders', `${GOLDEN}/llama/transcoders`, '--text', text]), 'ERR_SHAPE_MISMATCH', /layer 3/)
    complained(await transweld(['evaluate', '--model', MODEL, '--transcoders', folder, '--text', text]), 'ERR_FILE', /config\.yaml/)
    complained(await transweld(['evaluate', '--model', MODEL, '--transcoders', TRANSCODERS, '--text', join(folder, 'none')]), 'ERR_FILE', /none/)
    complained(await transweld(['evaluate', '--model', MODEL, '--transcoder', TRANSCODERS]), 'ERR_UNKNOWN_OPTION', /--transcoders\?/)
  })
})

test('logits of ids need no tokenizer; of a prompt they are those of its ids', async () => {
  using model = await LanguageModel.open(MODEL)
  const { data } = await model.logits(PROMPT)
  await inFolder(async folder => {
    const bare = await copyModel(join(folder, 'model')), out = join(folder, 'logits.safetensors')
    await rm(join(bare, 'tokenizer.json'))
    for (const words of [['--model', bare, '--ids', PROMPT.join(', ')], ['--model', MODEL, '--prompt', `<bos> ${PROMPT.slice(1).map(id => `w${id}`).join(' ')}`]]) {
      const { code, err, out: said } = await transweld(['logits', ...words, '--out', out])
      assert.is(code, 0, err)
      assert.match(said, /^logits \[9, 101\] in /)
      const file = await openSafetensors(out)
      assert.equal([file.names, file.entry('logits').dtype, file.entry('logits').shape], [['logits'], 'F32', [9, 101]])
      assert.ok(sameBits((await file.readFloat32('logits')).data, data))
      await file.close()
    }
    complained(await transweld(['logits', '--model', bare, '--prompt', 'w5', '--out', out]), 'ERR_FILE', /tokenizer/)
    complained(await transweld(['logits', '--model', MODEL, '--out', out]), 'ERR_INVALID_ARGUMENT', /either --prompt or --ids/)
    complained(await transweld(['logits', '--model', MODEL, '--ids', '1', '--prompt', 'w5', '--out', out]), 'ERR_INVALID_ARGUMENT', /not both/)
    complained(await transweld(['logits', '--model', MODEL, '--ids', '1,,2', '--out', out]), 'ERR_INVALID_ARGUMENT', /ids between commas/)
    complained(await transweld(['logits', '--model', MODEL, '--ids', '1,101', '--out', out]), 'ERR_TOKEN_RANGE', /101 at position 1/)
    complained(await transweld(['logits', '--model', MODEL, '--prompt', '', '--out', out]), 'ERR_EMPTY_TEXT', /at least one/)
    complained(await transweld(['logits', '--model', MODEL, '--ids', '1', '--out', join(folder, 'no', 'where')]), 'ERR_FILE', /where/)
  })
})

test('report writes a page: of a set made elsewhere, and of our own with its curves', async () => {
  await inFolder(async folder => {
    const text = await textOf(folder, 40 * T), out = join(folder, 'report.html'), own = join(folder, 'own')
    const foreign = await transweld(['report', '--model', MODEL, '--transcoders', TRANSCODERS, '--text', text, '--out', out])
    assert.is(foreign.code, 0, foreign.err)
    assert.is(foreign.out, `report in ${out}\n`)
    const page = await readFile(out, 'utf8')
    assert.ok(page.startsWith('<!doctype html>') && page.includes('relu:l1=0') && !page.includes('id="training"'))
    const trained = await transweld(['train', '--model', MODEL, '--text', text, '--features', '64', '--activation', 'topk:4', '--tokens', '1e3', '--batch', '128', '--out', own])
    assert.is(trained.code, 0, trained.err)
    assert.is((await transweld(['report', '--model', MODEL, '--transcoders', own, '--text', text, '--out', out])).code, 0)
    const second = await readFile(out, 'utf8')
    assert.ok(second.includes('id="training"') && second.includes('topk:4') && /fires on|largest activation/.test(second))
    complained(await transweld(['report', '--model', MODEL, '--transcoders', own, '--text', text, '--out', join(folder, 'no', 'report.html')]), 'ERR_FILE', /report\.html/)
  })
})

test.run()
