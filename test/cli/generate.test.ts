// `transweld generate` from outside.
import { readFileSync } from 'node:fs'
import { cp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { LanguageModel } from '../../lib/model/model.ts'
import { copyModel, inFolder, PROMPT } from '../model/tiny.ts'
import { complained, jsonLines, shell, transweld } from './child.ts'

interface Known { readonly model: string, readonly prompt: number[], readonly penalty: number, readonly ids: number[] }
const CODELM = 'examples/codelm', TEXT = 'for (let i = 0'

async function said(prompt: string, maxTokens: number): Promise<string> {
  using model = await LanguageModel.open(CODELM)
  let text = ''
  for await (const token of model.generate(prompt, { maxTokens })) text += token.text
  return text
}

test('text comes as the library makes it, and ends with a line', async () => {
  const { code, out, err } = await transweld(['generate', '--model', CODELM, '--prompt', TEXT, '--max-tokens', '20'])
  assert.is(code, 0, err)
  assert.is(out, (await said(TEXT, 20)).replace(/\n?$/, '\n'))
  assert.is(err, '')
})

test('--json: a line a token, and one for the end', async () => {
  const sampling = ['--temperature', '0.9', '--top-k', '20', '--top-p', '0.95', '--seed', '5']
  const ended = await transweld(['generate', '--model', CODELM, '--prompt', TEXT, '--max-tokens', '6', ...sampling, '--json'])
  assert.is(ended.code, 0, ended.err)
  const lines = jsonLines(ended) as { index: number, id: number, text: string, logprob: number }[]
  const end = lines.pop() as unknown as { end: string, ids: number[], text: string }
  assert.equal(lines.map(line => Object.keys(line)), Array(6).fill(['index', 'id', 'text', 'logprob']))
  assert.equal([end.end, end.ids, end.text], ['length', lines.map(({ id }) => id), lines.map(({ text }) => text).join('')])
  assert.ok(lines.every(({ logprob }) => logprob < 0))
})

test('ids of a model without a tokenizer are the ids of transformers', async () => {
  const all = JSON.parse(readFileSync('test/golden/running/generate.json', 'utf8')) as Known[], known = all.find(({ model, penalty }) => /qwen3/.test(model) && penalty === 1)!
  const { code, out, err } = await transweld(['generate', '--model', known.model, '--ids', known.prompt.join(','), '--max-tokens', '3'])
  assert.is(code, 0, err)
  assert.is(out, known.ids.slice(0, 3).join(',') + '\n')
})

test('a chat template, where there is one', async () => {
  await inFolder(async folder => {
    complained(await transweld(['generate', '--model', CODELM, '--prompt', 'x', '--chat']), 'ERR_UNSUPPORTED', /chat template/)
    await cp(CODELM, folder, { recursive: true })
    const template = "{% for m in messages %}// {{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}for (let i = 0{% endif %}"
    await writeFile(join(folder, 'chat_template.jinja'), template)
    const { code, out, err } = await transweld(['generate', '--model', folder, '--prompt', 'loop', '--system', 'short', '--chat', '--max-tokens', '10'])
    assert.is(code, 0, err)
    assert.is(out.trimEnd(), (await said('// system: short\n// user: loop\nfor (let i = 0', 10)).trimEnd())
  })
})

test('Ctrl-C ends it between two tokens, with what was said on a line of its own', async () => {
  let isTold = false
  const { code, out, err } = await transweld(['generate', '--model', CODELM, '--prompt', TEXT, '--max-tokens', '1e9', '--slide'], (text, child) => {
    if (text.length > 20 && !isTold) { isTold = true; child.kill('SIGINT') }
  })
  assert.is(code, 130, err)
  assert.match(out, /^.{20}[^]*\n$/)
  assert.match(err, /^transweld: the generation was stopped [^\n]*\(ERR_ABORTED\)\n$/)
})

test('a reader that leaves ends it without a word', async () => {
  const { out, err } = await shell(`{ transweld generate --model ${CODELM} --prompt '${TEXT}' --max-tokens 1e9 --slide; echo $? >&2; } | head -c 20`)
  assert.is(out.length, 20)
  assert.is(err, '141\n')
})

test('what was typed wrongly', async () => {
  const words = ['generate', '--model', CODELM]
  complained(await transweld(words), 'ERR_INVALID_ARGUMENT', /either --prompt or --ids/)
  complained(await transweld([...words, '--prompt', 'x', '--ids', '1']), 'ERR_INVALID_ARGUMENT', /either --prompt or --ids/)
  complained(await transweld([...words, '--ids', '1', '--chat']), 'ERR_INVALID_ARGUMENT', /--prompt with --chat/)
  complained(await transweld([...words, '--prompt', 'x', '--top-p', '2']), 'ERR_INVALID_ARGUMENT', /topP/)
  complained(await transweld([...words, '--ids', '4096']), 'ERR_TOKEN_RANGE', /received 4096/)
  const full = await transweld([...words, '--ids', Array(255).fill(5).join(','), '--max-tokens', '9'])
  assert.is(full.code, 0)
  assert.match(full.err, /context is full.*--slide/)
  complained(await transweld([...words, '--ids', Array(257).fill(5).join(',')]), 'ERR_TOKEN_RANGE', /context: 'slide'/)
  await inFolder(async folder => {
    await copyModel(folder)
    await rm(join(folder, 'tokenizer.json'))
    complained(await transweld(['generate', '--model', folder, '--prompt', 'x']), 'ERR_FILE', /tokenizer/)
    complained(await transweld(['generate', '--model', folder, '--ids', PROMPT.join(), '--stop', 'x']), 'ERR_FILE', /tokenizer/)
  })
})

test.run()
