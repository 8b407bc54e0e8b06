// Ids and texts of Python's `tokenizers`, for small tokenizers in the shapes that language models ship: every one must be the same.
// test/golden/tokenizers/make.py makes the folders and says what expected.json.gz holds.
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openTokenizer } from '../../lib/tokenizer/tokenizer.ts'

interface Expected {
  special: number[][]
  plain: number[][]
  back: (string | null)[]
  skip: (string | null)[]
  decode: [ids: number[], text: string, withoutSpecial: string][]
}

const GOLDEN = fileURLToPath(new URL('../../../test/golden/tokenizers/', import.meta.url))
const texts = JSON.parse(readFileSync(GOLDEN + 'texts.json', 'utf8')) as string[]
const names = readdirSync(GOLDEN, { withFileTypes: true }).filter(entry => entry.isDirectory()).map(entry => entry.name).sort()
const expected = (name: string): Expected => JSON.parse(gunzipSync(readFileSync(`${GOLDEN}${name}/expected.json.gz`)).toString())

test('there are tokenizers and texts', () => {
  assert.ok(names.length >= 24, `${names.length} tokenizers`)
  assert.ok(texts.length >= 450, `${texts.length} texts`)
})

for (const name of names) {
  test(`${name}: the ids and texts of Python`, async () => {
    const tokenizer = await openTokenizer(GOLDEN + name), { special, plain, back, skip, decode } = expected(name)
    const wrong: string[] = [], same = (what: string, text: string, found: unknown, wanted: unknown): void => {
      const [a, b] = [JSON.stringify(found), JSON.stringify(wanted)]
      if (a !== b) wrong.push(`${what} of ${JSON.stringify(text).slice(0, 80)}: ${a.slice(0, 200)} instead of ${b.slice(0, 200)}`)
    }
    assert.is(special.length, texts.length)
    texts.forEach((text, i) => {
      same('ids', text, [...tokenizer.encode(text)], special[i])
      same('ids without special', text, [...tokenizer.encode(text, { special: false })], plain[i])
      same('text', text, tokenizer.decode(special[i]!), back[i] ?? text)
      same('text without special', text, tokenizer.decode(special[i]!, { special: false }), skip[i] ?? text)
    })
    for (const [ids, text, withoutSpecial] of decode) {
      same('text', String(ids), tokenizer.decode(ids), text)
      same('text without special', String(ids), tokenizer.decode(ids, { special: false }), withoutSpecial)
    }
    assert.is(wrong.length, 0, `${wrong.length} differ:\n${wrong.slice(0, 10).join('\n')}`)
  })
}

test.run()
