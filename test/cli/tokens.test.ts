// `transweld tokens`: text from an option, a file and standard input; ids; special tokens; errors.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { complained, shell, transweld } from './child.ts'

const GEMMA = 'test/golden/tokenizers/gemma'

test('a table of positions, ids and pieces', async () => {
  const { code, out, err } = await transweld(['tokens', '--model', 'examples/codelm', '--text', 'The war\n\u{1f9ff}'])
  assert.is(code, 0, err)
  const lines = out.trimEnd().split('\n')
  assert.match(lines[0]!, /^position +id +piece$/)
  assert.match(lines[1]!, /^ {7}0 +\d+ +"The"$/)
  assert.match(out, /"\\n"/)
  assert.match(out, /"(<0x[0-9A-F]{2}>)+"/)
})

test('special tokens, JSON, and ids back to the text', async () => {
  const json = JSON.parse((await transweld(['tokens', '--model', GEMMA, '--text', 'the end', '--json'])).out) as { text: string, ids: number[], pieces: string[] }
  assert.is(json.ids[0], 2)
  assert.is(json.pieces[0], '<bos>')
  assert.is(json.text, '<bos>the end')
  const without = JSON.parse((await transweld(['tokens', '--model', GEMMA, '--text', 'the end', '--json', '--no-special'])).out) as { text: string, ids: number[] }
  assert.equal(without.ids, json.ids.slice(1))
  const back = await transweld(['tokens', '--model', GEMMA, '--ids', json.ids.join(',')])
  assert.match(back.out, /text: "<bos>the end"\n$/)
  assert.match((await transweld(['tokens', '--model', GEMMA, '--ids', json.ids.join(','), '--no-special'])).out, /text: "the end"\n$/)
})

test('a file and standard input', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'transweld-')), file = join(folder, 'text.txt')
  await writeFile(file, 'a\r\nb é')
  const words = ['tokens', '--model', GEMMA, '--json'], wanted = await transweld([...words, '--text', 'a\r\nb é'])
  assert.is((await transweld([...words, file])).out, wanted.out)
  assert.is((await shell(`transweld ${words.join(' ')} < ${file}`)).out, wanted.out)
  await rm(folder, { recursive: true })
})

test('errors', async () => {
  complained(await transweld(['tokens', '--text', 'a']), 'ERR_INVALID_ARGUMENT', /--model/)
  complained(await transweld(['tokens', '--model', GEMMA, '--text', 'a', '--ids', '1']), 'ERR_INVALID_ARGUMENT', /either --text or --ids/)
  complained(await transweld(['tokens', '--model', GEMMA, '--ids', '99999']), 'ERR_TOKEN_RANGE', /ids\[0\]/)
  complained(await transweld(['tokens', '--model', GEMMA, 'no/such/file']), 'ERR_FILE', /no\/such\/file/)
  complained(await transweld(['tokens', '--model', 'lib', '--text', 'a']), 'ERR_FILE', /tokenizer.json/)
})

test.run()
