// Which files are found, in which order; what is passed over; what a pattern that finds nothing says.
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { TransweldError } from '../../lib/native/error.ts'
import { fingerprint } from '../../lib/text/fingerprint.ts'
import { listTexts } from '../../lib/text/list.ts'

let folder = ''
const before = process.cwd()
const FILES = ['b.txt', 'a.md', 'Z.txt', 'sub/c.txt', 'sub/deep/d.txt', 'sub/deep/a b[1].txt', '.hidden/x.txt', 'node_modules/pkg/README.md', 'node_modules/@s/q/README.md', 'sub/.env', 'é.txt']
test.before.each(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'transweld-')))
  for (const path of FILES) {
    await mkdir(join(folder, path, '..'), { recursive: true })
    await writeFile(join(folder, path), `text of ${path}`)
  }
  process.chdir(folder)
})
test.after.each(async () => {
  process.chdir(before)
  await rm(folder, { recursive: true })
})
const refused = async (patterns: unknown, words: RegExp, code = 'ERR_FILE') => {
  const error = await listTexts(patterns as string).then(() => undefined, (e: unknown) => e)
  assert.instance(error, TransweldError)
  assert.is((error as TransweldError).code, code)
  assert.match((error as TransweldError).message, words)
}

test('files, folders and patterns, sorted, none twice', async () => {
  assert.equal(await listTexts('b.txt'), ['b.txt'])
  assert.equal(await listTexts(['b.txt', './b.txt', 'a.md', 'sub/../b.txt']), ['a.md', 'b.txt'])
  assert.is((await listTexts(['b.txt', join(folder, 'b.txt')])).length, 1)
  assert.equal(await listTexts('*.txt'), ['Z.txt', 'b.txt', 'é.txt'])
  assert.equal(await listTexts('?.txt'), ['Z.txt', 'b.txt', 'é.txt'])
  assert.equal(await listTexts('**/*.txt'), ['Z.txt', 'b.txt', 'sub/c.txt', 'sub/deep/a b[1].txt', 'sub/deep/d.txt', 'é.txt'])
  assert.equal(await listTexts('sub/**'), ['sub/c.txt', 'sub/deep/a b[1].txt', 'sub/deep/d.txt'])
  assert.equal(await listTexts('s*/**/d*.txt'), ['sub/deep/d.txt'])
  assert.equal(await listTexts('sub/*/a b[1].txt'), ['sub/deep/a b[1].txt'])
  assert.equal(await listTexts('./s*/c.*'), ['sub/c.txt'])
  assert.equal(await listTexts(`${folder}/*.md`), [join(folder, 'a.md')])
  assert.equal(await listTexts(['sub', 'sub/c.txt', '**/c.txt']), ['sub/c.txt', 'sub/deep/a b[1].txt', 'sub/deep/d.txt'])
})

test('what an installation brought and what hides is found only by name', async () => {
  assert.equal(await listTexts('node_modules/*/README.md'), ['node_modules/pkg/README.md'])
  assert.equal(await listTexts('node_modules/**/README.md'), ['node_modules/@s/q/README.md', 'node_modules/pkg/README.md'])
  assert.equal(await listTexts('.hidden/*'), ['.hidden/x.txt'])
  assert.equal(await listTexts('.*/x.txt'), ['.hidden/x.txt'])
  assert.equal(await listTexts('sub/.e*'), ['sub/.env'])
  assert.equal(await listTexts('node_modules'), ['node_modules/@s/q/README.md', 'node_modules/pkg/README.md'])
  assert.equal(await listTexts('.'), ['Z.txt', 'a.md', 'b.txt', 'sub/c.txt', 'sub/deep/a b[1].txt', 'sub/deep/d.txt', 'é.txt'])
})

test('a folder gives its texts, plain or gzipped, and nothing else', async () => {
  await mkdir('mixed')
  const long = 'é'.repeat(5000) // the 8 KiB that are looked at end inside of a character
  const files = {
    'zero.txt': 'a\0b', 'latin.txt': Buffer.from([0x61, 0xe9, 0x62, 0x63]), 'empty.txt': '', 'long.txt': 'x' + long, code: 'no ending',
    packed: gzipSync('x' + long.repeat(20)), 'data.gz': gzipSync(Buffer.from([0, 1, 2])), 'broken.gz': Buffer.from([0x1f, 0x8b, 9, 9, 9, 9, 9, 9, 9, 9, 9]),
  }
  for (const [name, bytes] of Object.entries(files)) await writeFile(join('mixed', name), bytes)
  await symlink('.', 'mixed/circle')
  await symlink('../b.txt', 'mixed/link.txt')
  await symlink('nowhere', 'mixed/dangling')
  assert.equal(await listTexts('mixed'), ['mixed/code', 'mixed/link.txt', 'mixed/long.txt', 'mixed/packed'])
  assert.equal(await listTexts('mixed/**/zero.txt'), ['mixed/zero.txt'])
  assert.equal(await listTexts('mixed/*.gz'), ['mixed/broken.gz', 'mixed/data.gz'])
})

test('nothing found names the pattern', async () => {
  await refused('absent.txt', /"absent.txt": it does not exist/)
  await refused(['b.txt', '*.rs'], /"\*\.rs": no file matches it/)
  await refused('b.txt/x', /b.txt\/x/)
  await mkdir('empty')
  await refused('empty', /"empty"/)
  await refused([], /a path or a list of paths/, 'ERR_INVALID_ARGUMENT')
  await refused([''], /a path or a list of paths/, 'ERR_INVALID_ARGUMENT')
  await refused(7, /a path or a list of paths/, 'ERR_INVALID_ARGUMENT')
})

test('the fingerprint follows bytes and order, not names', async () => {
  const one = await fingerprint(['a.md', 'b.txt'])
  assert.match(one, /^[0-9a-f]{64}$/)
  assert.is.not(await fingerprint(['b.txt', 'a.md']), one)
  await writeFile('copy', 'text of a.md')
  assert.is(await fingerprint(['copy', 'b.txt']), one)
  await writeFile('copy', 'text of a.md.')
  assert.is.not(await fingerprint(['copy', 'b.txt']), one)
  await writeFile('joined', 'text of a.mdtext of b.txt')
  await writeFile('nothing', '')
  assert.is.not(await fingerprint(['joined', 'nothing']), one)
  assert.match(String(await fingerprint(['absent']).catch((e: unknown) => e)), /TransweldError: cannot read absent: it does not exist/)
})

test.run()
