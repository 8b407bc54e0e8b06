// The part of YAML in which transcoder sets are described.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { formatFlatYaml, parseFlatYaml } from '../../lib/transcoder/format/yaml.ts'

test('scalars, lists, comments, quotes', () => {
  const text = '# made by hand\r\n---\na: 1\nb: "x: y # z"   # a note\nc: \'it\'\'s\'\nlist:\n  - one\n- "two words"\nempty:\nlast: a#b\n'
  assert.equal({ ...parseFlatYaml(text) }, { a: '1', b: 'x: y # z', c: "it's", list: ['one', 'two words'], empty: [], last: 'a#b' })
})

test('what is written is read back', () => {
  const values = { plain: 'layer_0.safetensors', spaced: 'a b', odd: ' x: "y"\n# é\\', word: 'true', number: 16, list: ['no', '- a', '', 'https://x/y'], hash: 'a # b' }
  assert.equal({ ...parseFlatYaml(formatFlatYaml({ ...values, absent: undefined })) }, { ...values, number: '16' })
})

test('a line of another shape is named', () => {
  for (const [text, line] of [['a: 1\n{b: 2}', 2], ['- a', 1], ['a: 1\n- b', 2], ['a:1', 1], ['\n\n  deep: 1', 3]] as const) assert.equal(parseFlatYaml(text), { line })
})

test('a key such as __proto__ is a key', () => {
  const parsed = parseFlatYaml('__proto__: x\n') as Record<string, string>
  assert.is(parsed['__proto__'], 'x')
  assert.is(({} as Record<string, unknown>)['x'], undefined)
})

test.run()
