// Chat templates: the texts and ids of `transformers` (test/golden/tokenizers/chat.py), where templates are looked for, and what is refused.
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { TransweldError } from '../../lib/native/error.ts'
import type { ChatMessage, ChatOptions } from '../../lib/tokenizer/chat.ts'
import { openTokenizer, type Tokenizer } from '../../lib/tokenizer/tokenizer.ts'
import { madeFolder, madeTokenizer, PATTERNS } from './made.ts'

type Result = [which: string, options: number, text: string | null, ids: number[] | string]
interface Golden {
  now: string
  messages: Record<string, ChatMessage[]>
  options: ChatOptions[]
  cases: { name: string, folder: string, template: string, results: Result[] }[]
}

const GOLDEN = fileURLToPath(new URL('../../../test/golden/tokenizers/', import.meta.url))
const golden = JSON.parse(gunzipSync(readFileSync(GOLDEN + 'chat.json.gz')).toString()) as Golden
const now = new Date(golden.now)
const HELLO: ChatMessage[] = [{ role: 'user', content: 'hello' }]

const refusal = (code: string, words: RegExp) => (error: unknown): boolean => error instanceof TransweldError && error.code === code && words.test(error.message)

// A folder with these files beside a small tokenizer.
async function withFiles(files: Record<string, string>, config: object = {}): Promise<Tokenizer> {
  const folder = await madeFolder(madeTokenizer(PATTERNS.gpt2), { eos_token: '<|endoftext|>', ...config })
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(folder, name, '..'), { recursive: true })
    await writeFile(join(folder, name), text)
  }
  try { return await openTokenizer(folder) } finally { await rm(folder, { recursive: true }) }
}

for (const { name, folder, template, results } of golden.cases) {
  test(`${name}: the texts and ids of transformers`, async () => {
    const copy = await mkdtemp(join(tmpdir(), 'transweld-'))
    await cp(GOLDEN + folder, copy, { recursive: true })
    await writeFile(join(copy, 'chat_template.jinja'), template)
    const tokenizer = await openTokenizer(copy)
    await rm(copy, { recursive: true })
    assert.ok(results.some(([, , text]) => text !== null))
    for (const [which, option, text, ids] of results) {
      const messages = golden.messages[which]!, options = { ...golden.options[option]!, now }, what = `${which} ${option}`
      if (text === null) {
        assert.throws(() => tokenizer.chat(messages, options), (error: unknown) => error instanceof TransweldError, what)
        continue
      }
      assert.is(tokenizer.chat(messages, options), text, what)
      assert.equal([...tokenizer.encodeChat(messages, options)], ids, what)
    }
  })
}

test('what a template refuses is told in its words', async () => {
  const tokenizer = await withFiles({ 'chat_template.jinja': golden.cases.find(one => one.name === 'turns')!.template })
  assert.throws(() => tokenizer.chat(golden.messages['wrong']!), refusal('ERR_INVALID_ARGUMENT', /refuses these messages: roles must take turns/))
})

test('where templates are: a file of its own, the field, a list of names, additional files', async () => {
  const field = { chat_template: 'field {{ messages[0].content }}{{ eos_token }}' }
  assert.is((await withFiles({}, field)).chat(HELLO), 'field hello<|endoftext|>')
  assert.is((await withFiles({ 'chat_template.json': '{"chat_template": "json"}' })).chat(HELLO), 'json')
  assert.is((await withFiles({ 'chat_template.jinja': 'file' }, field)).chat(HELLO), 'file')
  const several = [{ name: 'default', template: 'usual' }, { name: 'tool_use', template: 'tools {{ tools | length }}' }]
  const named = await withFiles({ 'additional_chat_templates/rag.jinja': 'rag {{ documents[0].text }}' }, { chat_template: several })
  assert.is(named.chat(HELLO), 'usual')
  assert.is(named.chat(HELLO, { tools: [{}] }), 'tools 1')
  assert.is(named.chat(HELLO, { template: 'rag', documents: [{ text: 'x' }] }), 'rag x')
  assert.throws(() => named.chat(HELLO, { template: 'none' }), refusal('ERR_UNSUPPORTED', /no chat template "none".*default, tool_use, rag/))
  assert.is(named.chat(HELLO, { variables: { messages: 'x' } }), 'usual')
})

test('no template, a broken one, a failing one, wrong arguments', async () => {
  const none = await withFiles({})
  assert.throws(() => none.chat(HELLO), refusal('ERR_UNSUPPORTED', /no chat template in .*chat_template.jinja/))
  assert.throws(() => none.encodeChat(HELLO), refusal('ERR_UNSUPPORTED', /no chat template/))
  const broken = await withFiles({ 'chat_template.jinja': '{% for x in %}' })
  assert.throws(() => broken.chat(HELLO), refusal('ERR_FORMAT', /"default" in .* cannot be read/))
  const failing = await withFiles({ 'chat_template.jinja': '{{ messages | nofilter }}' })
  assert.throws(() => failing.chat(HELLO), refusal('ERR_UNSUPPORTED', /failed: .*nofilter/))
  const good = await withFiles({ 'chat_template.jinja': '{{ messages[0].content }}' })
  assert.throws(() => good.chat([]), refusal('ERR_INVALID_ARGUMENT', /at least one message/))
  assert.throws(() => good.chat([{ content: 'x' } as unknown as ChatMessage]), refusal('ERR_INVALID_ARGUMENT', /"role" for messages\[0\]/))
  assert.throws(() => good.chat(HELLO, { addGenerationPromt: true } as object), refusal('ERR_UNKNOWN_OPTION', /addGenerationPrompt/))
  assert.throws(() => good.chat(HELLO, { tools: [1] as unknown as object[] }), refusal('ERR_INVALID_ARGUMENT', /list of objects for tools/))
  assert.throws(() => good.chat(HELLO, { now: new Date(NaN) }), refusal('ERR_INVALID_ARGUMENT', /valid Date/))
  const text = 'constructor __proto__ {{ 1 }} {% raise %}'
  assert.is(good.chat([{ role: 'user', content: text }]), text)
})

test.run()
