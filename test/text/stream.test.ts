// From files to token ids in another thread: the ids are those of each document, whatever the shape of the files; errors and early ends are clean.
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { TransweldError } from '../../lib/native/error.ts'
import { encodeFiles } from '../../lib/text/documents.ts'
import { readText } from '../../lib/text/read.ts'
import { tokenStream, TokenStream, type TokenStreamOptions } from '../../lib/text/stream.ts'
import { windows } from '../../lib/text/windows.ts'
import { openTokenizer } from '../../lib/tokenizer/tokenizer.ts'
import { madeFolder, madeTokenizer, PATTERNS } from '../tokenizer/made.ts'

const CODELM = fileURLToPath(new URL('../../../examples/codelm', import.meta.url)), EOT = '<|endoftext|>'

// A reader that leaves its stream behind: the process must end all the same.
if (process.argv[2] === 'abandon') {
  const stream = tokenStream({ files: [process.argv[3]!], tokenizer: CODELM })
  await stream.next()
  process.stdout.write('left')
} else {
  let folder = ''
  test.before.each(async () => { folder = await mkdtemp(join(tmpdir(), 'transweld-')) })
  test.after.each(async () => { await rm(folder, { recursive: true }) })
  const file = async (name: string, content: string | Uint8Array) => {
    await writeFile(join(folder, name), content)
    return join(folder, name)
  }
  const collect = async (stream: AsyncIterable<Uint32Array>) => {
    const ids: number[] = []
    for await (const block of stream) for (const id of block) ids.push(id)
    return ids
  }
  const read = async (path: string) => {
    let text = ''
    for await (const part of readText(path)) text += part
    return text
  }
  const fails = async (options: Partial<TokenStreamOptions>, code: string, words: RegExp) => {
    const error = await collect(tokenStream({ files: [], tokenizer: CODELM, ...options })).then(() => undefined, (e: unknown) => e)
    assert.instance(error, TransweldError)
    assert.is((error as TransweldError).code, code)
    assert.match((error as TransweldError).message, words)
  }

  test('readText: gzip by content, several members, line ends, broken UTF-8, a byte order mark', async () => {
    const long = 'é\r\n'.repeat(70_000)
    assert.is(await read(await file('plain', long)), 'é\n'.repeat(70_000))
    assert.is(await read(await file('packed.txt', gzipSync(long))), 'é\n'.repeat(70_000))
    assert.is(await read(await file('two', Buffer.concat([gzipSync('one '), gzipSync('two')]))), 'one two')
    assert.is(await read(await file('ends', 'a\rb\r\nc\n\r\r')), 'a\nb\nc\n\n\n')
    assert.is(await read(await file('edge', 'x'.repeat(65_535) + '\r\n' + 'y'.repeat(65_535) + '\rz')), 'x'.repeat(65_535) + '\n' + 'y'.repeat(65_535) + '\nz')
    assert.is(await read(await file('broken', Buffer.from([0x61, 0xff, 0xe2, 0x82, 0x62, 0xe2, 0x82]))), 'a\ufffd\ufffdb\ufffd')
    assert.is(await read(await file('mark', '\ufeffx')), '\ufeffx')
    assert.is(await read(await file('none', '')), '')
    assert.is(await read(await file('one.gz', Uint8Array.of(0x1f))), '\u001f')
    const packed = gzipSync(Buffer.from(Array.from({ length: 9000 }, (_, i) => i * i * 7 & 127)))
    assert.match(String(await read(await file('cut.gz', packed.subarray(0, -9))).catch((e: unknown) => e)), /TransweldError: .*cut.gz is damaged gzip: unexpected end/)
    packed[40]! ^= 0x55
    assert.match(String(await read(await file('hurt.gz', packed)).catch((e: unknown) => e)), /damaged gzip/)
    assert.match(String(await read(folder).catch((e: unknown) => e)), /is a folder/)
  })

  test('documents: separated within files and by files, blank ones dropped, each ended', async () => {
    const tokenizer = await openTokenizer(CODELM), ids = (text: string) => [...tokenizer.encode(text)]
    const files = [await file('1', `one${EOT}${EOT} \n${EOT} two ${EOT}`), await file('2', ' \n\t '), await file('3', 'three <|endoftext'), await file('4.gz', gzipSync(`${EOT}four|>${EOT}five`)), await file('5', '')]
    assert.equal(await collect(tokenStream({ files, tokenizer: CODELM })),
      ['one', ' two ', 'three <|endoftext', 'four|>', 'five'].flatMap(document => [...ids(document), 0]))
  })

  test('a separator on every boundary of the parts that are read, and blocks of every size', async () => {
    const tokenizer = await openTokenizer(CODELM)
    for (let shift = 0; shift < EOT.length + 1; shift++) {
      const first = 'w '.repeat(32_762).slice(0, 65_536 - shift), text = first + EOT + 'next'
      const expected = [...tokenizer.encode(first), 0, ...tokenizer.encode('next'), 0]
      assert.equal(await collect(encodeFiles([await file('x', text)], tokenizer, 0, 1 + 4999 * shift)), expected, `shift ${shift}`)
    }
  })

  test('long text crosses the thread whole and in order', async () => {
    const tokenizer = await openTokenizer(CODELM), text = Array.from({ length: 60_000 }, (_, i) => `line ${i * i % 9973}: the value\n`).join('')
    const stream = tokenStream({ files: [await file('long', text)], tokenizer: CODELM })
    await new Promise(resolve => setTimeout(resolve, 300)) // the thread runs ahead and then waits
    const ids = await collect(stream)
    assert.ok(ids.length > 5 * 65_536)
    assert.is(Buffer.compare(Buffer.from(Uint32Array.from(ids).buffer), Buffer.from(Uint32Array.from([...tokenizer.encode(text), 0]).buffer)), 0)
  })

  test('windows: every id in order, the rest left out, the thread ended by an early break', async () => {
    const tokenizer = await openTokenizer(CODELM), files = [await file('x', 'The war lasted from the year 1732 to the year 17. '.repeat(300))]
    const all = [...tokenizer.encode('The war lasted from the year 1732 to the year 17. '.repeat(300)), 0]
    for (const length of [1, 7, 256, all.length]) {
      const cut: number[][] = []
      for await (const ids of windows(tokenStream({ files, tokenizer: CODELM }), length)) cut.push([...ids])
      assert.is(cut.length, Math.floor(all.length / length))
      assert.equal(cut.flat(), all.slice(0, cut.length * length))
    }
    const stream = tokenStream({ files, tokenizer: CODELM })
    for await (const ids of windows(stream, 5)) { assert.is(ids.length, 5); break }
    assert.equal(await stream.next(), { done: true, value: undefined })
    const error = await collect(windows(tokenStream({ files, tokenizer: CODELM }), all.length + 1)).catch((e: unknown) => e)
    assert.match(String(error), new RegExp(`the text holds ${all.length} tokens, fewer than one window of ${all.length + 1}`))
    assert.is((error as TransweldError).code, 'ERR_EMPTY_TEXT')
  })

  test('errors come out of next() with their code, once; afterwards the stream is done', async () => {
    const good = await file('x', 'text'), blank = await file('blank', ' \n')
    await fails({ files: [good, join(folder, 'absent')] }, 'ERR_FILE', /absent: it does not exist/)
    await fails({ files: [blank, blank] }, 'ERR_EMPTY_TEXT', /nothing but white space: .* and 1 more/)
    await fails({ files: [await file('bad.gz', gzipSync('x'.repeat(99)).subarray(0, 15))] }, 'ERR_FORMAT', /damaged gzip/)
    await fails({ files: [good], tokenizer: folder }, 'ERR_FILE', /no tokenizer in/)
    await fails({ files: [good], endOfText: 4096 }, 'ERR_TOKEN_RANGE', /from 0 to 4095/)
    const nameless = await madeFolder(madeTokenizer(PATTERNS.gpt2), {})
    await fails({ files: [good], tokenizer: nameless }, 'ERR_UNSUPPORTED', /names no end-of-text token/)
    assert.equal((await collect(tokenStream({ files: [good], tokenizer: nameless, endOfText: 301 }))).at(-1), 301)
    await rm(nameless, { recursive: true })
    const stream = tokenStream({ files: [blank], tokenizer: CODELM })
    assert.instance(await stream.next().catch((e: unknown) => e), TransweldError)
    assert.equal(await stream.next(), { done: true, value: undefined })
    const broken = new TokenStream({ files: 7 as never, tokenizer: CODELM, endOfText: undefined, blockSize: 10, ahead: 2 })
    assert.match(String(await broken.next().catch((e: unknown) => e)), /TransweldError: the tokeniser's thread failed: /)
    assert.throws(() => tokenStream({ files: [good], tokenizer: CODELM, endoftext: 0 } as never), /did you mean "endOfText"/)
    assert.throws(() => tokenStream({ files: [], tokenizer: CODELM }), /at least one path/)
  })

  test('return() while readers wait, twice, and before anything was read', async () => {
    const files = [await file('x', 'some text '.repeat(200_000))]
    const stream = tokenStream({ files, tokenizer: CODELM }), waiting = [stream.next(), stream.next()]
    await stream.return()
    for (const result of await Promise.all(waiting)) assert.is(result.done, true)
    await stream.return()
    await tokenStream({ files, tokenizer: CODELM }).return()
  })

  test('an abandoned stream does not keep the process', async () => {
    const path = await file('x', 'some text '.repeat(400_000))
    const child = spawnSync(process.execPath, [fileURLToPath(import.meta.url), 'abandon', path], { encoding: 'utf8', timeout: 20_000 })
    assert.is(child.stdout, 'left', child.stderr)
    assert.is(child.status, 0)
  })

  test.run()
}
