// The order of training: every window once an epoch, mixed within its block, the same again from any position.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { TransweldError } from '../../lib/native/error.ts'
import { Permutation } from '../../lib/text/permutation.ts'
import { shuffledWindows, type ShuffledOptions, type TextPosition } from '../../lib/text/shuffled.ts'
import { openTokenizer } from '../../lib/tokenizer/tokenizer.ts'

const CODELM = fileURLToPath(new URL('../../../examples/codelm', import.meta.url))
const LENGTH = 16, WINDOWS = 37
let folder = '', base: ShuffledOptions, ordered: string[] = []
test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'transweld-'))
  const tokenizer = await openTokenizer(CODELM)
  let text = ''
  for (let i = 0; tokenizer.encode(text).length < WINDOWS * LENGTH + 5; i++) text += `year ${1000 + i * 13} `
  await writeFile(join(folder, 'x'), text)
  const ids = [...tokenizer.encode(text), 0]
  ordered = Array.from({ length: Math.floor(ids.length / LENGTH) }, (_, w) => ids.slice(w * LENGTH, (w + 1) * LENGTH).join())
  assert.is(ordered.length, WINDOWS)
  assert.is(new Set(ordered).size, WINDOWS)
  base = { files: [join(folder, 'x')], tokenizer: CODELM, length: LENGTH, blockWindows: 10, seed: 3, epochs: 1 }
})
test.after(async () => { await rm(folder, { recursive: true }) })

async function all(options: ShuffledOptions, count = Infinity): Promise<{ order: string[], positions: TextPosition[] }> {
  const run = shuffledWindows(options), order: string[] = [], positions: TextPosition[] = [run.position()]
  for await (const ids of run) {
    order.push(ids.join())
    positions.push(run.position())
    if (order.length === count) break
  }
  return { order, positions }
}

test('an epoch: each window once, blocks in order, permuted within by (seed, epoch, block)', async () => {
  const { order, positions } = await all(base)
  assert.is(order.length, WINDOWS)
  for (let first = 0; first < WINDOWS; first += 10) {
    const count = Math.min(10, WINDOWS - first), permuted = await new Permutation(count, { seed: 3, domain: 'windows', epoch: 0, block: first / 10 }).all()
    assert.equal(order.slice(first, first + count), [...permuted].map(i => ordered[first + i]))
  }
  assert.equal(positions, Array.from({ length: WINDOWS + 1 }, (_, window) => ({ epoch: 0, window })))
  assert.is.not((await all({ ...base, seed: 4 })).order.join('|'), order.join('|'))
})

test('epochs: the text again, in another order', async () => {
  for (const blockWindows of [10, 37, 1000, 1]) {
    const { order, positions } = await all({ ...base, blockWindows, epochs: 3 })
    assert.is(order.length, 3 * WINDOWS)
    const epochs = [0, 1, 2].map(e => order.slice(e * WINDOWS, (e + 1) * WINDOWS))
    for (const epoch of epochs) assert.equal([...epoch].sort(), [...ordered].sort())
    assert.is(new Set(epochs.map(e => e.join('|'))).size, blockWindows === 1 ? 1 : 3)
    assert.equal(positions[WINDOWS + 2], { epoch: 1, window: 2 })
  }
  assert.is((await all({ ...base, epochs: 'forever' }, 200)).order.length, 200)
})

test('from every position of two epochs a new run goes on with the same windows', async () => {
  const options = { ...base, epochs: 2 }, { order, positions } = await all(options)
  for (const done of [0, 1, 9, 10, 11, 29, 36, 37, 38, 46, 47, 73, 74]) {
    const rest = await all({ ...options, from: positions[done]! })
    assert.equal(rest.order, order.slice(done), `after ${done} windows`)
  }
  assert.equal((await all({ ...options, from: { epoch: 2, window: 0 } })).order, [])
})

test('calls of next() at once are answered in order', async () => {
  const run = shuffledWindows(base), results = await Promise.all(Array.from({ length: WINDOWS + 2 }, () => run.next()))
  assert.equal(results.slice(0, WINDOWS).map(r => r.value?.join()), (await all(base)).order)
  assert.ok(results.slice(WINDOWS).every(r => r.done))
})

test('what a run may not be', async () => {
  const fails = async (options: object, code: string, words: RegExp) => {
    const error = await (async () => all({ ...base, ...options }))().then(() => undefined, (e: unknown) => e)
    assert.instance(error, TransweldError)
    assert.is((error as TransweldError).code, code)
    assert.match((error as TransweldError).message, words)
  }
  await fails({ from: { epoch: 0, window: WINDOWS + 1 } }, 'ERR_RESUME', /at least 38 windows of 16 tokens.* holds 37/)
  await fails({ from: { epoch: 0, window: 1_000_000 } }, 'ERR_RESUME', /holds 37/)
  await fails({ length: 100_000 }, 'ERR_EMPTY_TEXT', /fewer than one window of 100000/)
  await fails({ length: 0 }, 'ERR_INVALID_ARGUMENT', /length/)
  await fails({ blockWindows: 0 }, 'ERR_INVALID_ARGUMENT', /blockWindows/)
  await fails({ blockWindows: 2 ** 30 }, 'ERR_INVALID_ARGUMENT', /blockWindows/)
  await fails({ seed: -1 }, 'ERR_INVALID_ARGUMENT', /seed/)
  await fails({ epochs: 0 }, 'ERR_INVALID_ARGUMENT', /epochs/)
  await fails({ from: { epoch: 0 } }, 'ERR_INVALID_ARGUMENT', /from.window/)
  await fails({ blockwindows: 3 }, 'ERR_UNKNOWN_OPTION', /did you mean "blockWindows"/)
  await fails({ files: [join(folder, 'absent')] }, 'ERR_FILE', /absent/)
})

test('return() at any moment ends it', async () => {
  for (const before of [0, 1, 9, 10, 25]) {
    const run = shuffledWindows({ ...base, epochs: 'forever' })
    for (let i = 0; i < before; i++) await run.next()
    const waiting = run.next()
    await run.return()
    await waiting
    assert.equal(await run.next(), { done: true, value: undefined })
  }
})

test.run()
