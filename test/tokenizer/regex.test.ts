// Oniguruma's patterns as RegExp objects: the cuts that Python's `tokenizers` makes (test/golden/tokenizers/patterns.py), and what is refused.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { TransweldError } from '../../lib/native/error.ts'
import { cutBy } from '../../lib/tokenizer/pieces.ts'
import { fromOniguruma } from '../../lib/tokenizer/regex.ts'
import { splitter } from '../../lib/tokenizer/split.ts'

const PATH = fileURLToPath(new URL('../../../test/golden/tokenizers/patterns.json.gz', import.meta.url))
const golden = JSON.parse(gunzipSync(readFileSync(PATH)).toString()) as { texts: string[], patterns: [pattern: string, cuts: string[][]][] }

test('every pattern cuts every text as in Python, on both paths', () => {
  assert.ok(golden.patterns.length > 90)
  const wrong: string[] = []
  for (const [source, cuts] of golden.patterns) {
    try {
      const cut = cutBy(fromOniguruma(source)), split = splitter({ type: 'Split', pattern: { Regex: source }, behavior: 'Isolated' })
      golden.texts.forEach((text, i) => {
        const found = JSON.stringify(cut({ text, first: 0 })), wanted = JSON.stringify(cuts[i])
        if (found !== wanted) wrong.push(`${source} on ${JSON.stringify(text)}: ${found} instead of ${wanted}`)
        const parts = JSON.stringify(split({ text, first: 0 }).map(part => part.text))
        if (text !== '' && parts !== wanted) wrong.push(`${source} split ${JSON.stringify(text)}: ${parts} instead of ${wanted}`)
      })
    } catch (error) {
      wrong.push(`${source}: ${String(error)}`)
    }
  }
  assert.is(wrong.length, 0, `${wrong.length} differ:\n${wrong.slice(0, 20).join('\n').slice(0, 4000)}`)
})

test('what cannot be read is refused', () => {
  const refused = { ERR_FORMAT: ['(a', '[a', '*', 'a)', '\\p{Nonsense}'], ERR_UNSUPPORTED: ['\\X', '\\G', '(?x: a)', '(?-m:a)', 'a\\'] }
  for (const [code, sources] of Object.entries(refused)) {
    for (const source of sources) {
      assert.throws(() => fromOniguruma(source), (error: unknown) => error instanceof TransweldError && error.code === code, source)
    }
  }
})

test.run()
