// Downloads that go wrong on the way: cut, silent, without ranges, with other bytes, stopped, killed, two at once. What is in the cache is always right.
import { spawn } from 'node:child_process'
import { mkdir, open, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Connection } from '../../lib/hub/connection.ts'
import { Unreachable } from '../../lib/hub/fault.ts'
import { Repo } from '../../lib/hub/repo.ts'
import { resolveModel } from '../../lib/hub/resolve.ts'
import type { HubOptions, HubProgress } from '../../lib/hub/settings.ts'
import { type Transfer, transfer } from '../../lib/hub/transfer.ts'
import type { RemoteFile } from '../../lib/hub/tree.ts'
import { rejection } from '../boundary/child.ts'
import { below, bytesOf, withHub } from './folder.ts'
import { sharded, single } from './model.ts'
import { type Fault, type Hub, type Shelf, sha256 } from './server.ts'

const ID = 'lab/tiny', WEIGHTS = 'model.safetensors'
const MACHINE = createHash('sha256').update(hostname()).digest('hex').slice(0, 8) // as part.ts names it
const COUNT = 100_000 // numbers: 400 kB, several pieces on a socket

/** The model's folder after a download with this fault of the file of weights. */
async function withFault(hub: Hub, options: HubOptions, fault: Fault): Promise<Shelf> {
  const shelf = hub.shelve(ID, single(COUNT))
  shelf.faults.set(WEIGHTS, fault)
  hub.forget()
  const { folder } = await resolveModel(ID, options)
  assert.ok((await bytesOf(folder, WEIGHTS)).equals(shelf.files.get(WEIGHTS)!))
  return shelf
}
/** The byte that question `i` to the store went on from; 0 for a question for all. */
const start = (hub: Hub, i: number): number => Number(/^bytes=(\d+)-$/.exec(hub.stored.at(i)?.range ?? '')?.[1] ?? 0)
const ranges = (hub: Hub): (string | undefined)[] => hub.stored.map(one => one.range)
const parts = async (cache: string): Promise<string[]> => (await below(cache)).filter(path => path.endsWith('.incomplete'))

/** What a transfer of `bytes` behind one file of the server needs; short waits. */
function job(hub: Hub, cache: string, name: string, bytes: Buffer, more: { patience?: number } = {}): Transfer {
  const file: RemoteFile = { path: name, size: bytes.length, etag: sha256(bytes), oid: '0'.repeat(40) }
  const wanted = { id: ID, revision: 'main', endpoint: hub.endpoint, hasToken: false }
  return { connection: new Connection({ wanted, token: undefined, pause: 5, ...more }), url: `${hub.endpoint}/${ID}/resolve/main/${name}`, file,
    blob: new Repo(cache, ID).blob(file), moved: () => {} }
}

test('a cut connection is taken up where it broke', () => withHub(async ({ hub, cache, options }) => {
  await withFault(hub, options, { cuts: 2, after: 100_000 })
  assert.equal([hub.stored.length, start(hub, 0)], [3, 0])
  // 100000 and 200000, unless this process was too busy to read all before the cut
  assert.ok(0 < start(hub, 1) && start(hub, 1) <= 100_000 && start(hub, 1) < start(hub, 2) && start(hub, 2) <= start(hub, 1) + 100_000, String(ranges(hub)))
  assert.equal(await parts(cache), [])
}))

test('a server without ranges, one that refuses them, one that sends another', () => withHub(async ({ hub, options }) => {
  for (const fault of [{ ignoresRange: true }, { refusesRange: true }, { shifts: 50_000 }] satisfies Fault[]) {
    await withHub(async other => {
      const events: HubProgress[] = []
      const shelf = await withFault(other.hub, { ...other.options, progress: event => events.push(event) }, { ...fault, cuts: 1, after: 100_000 })
      assert.ok(start(other.hub, 1) > 0)
      assert.is(events.at(-1)!.received, events.at(-1)!.total, 'what came twice counts once')
      assert.ok(events.every(event => event.received <= event.total), JSON.stringify(shelf.commit))
    })
  }
  await withFault(hub, options, { status: 503, times: 2 })
}))

test('bytes with another hash, and of another size, never get a name', () => withHub(async ({ hub, cache, options }) => {
  const right = Buffer.from(single(COUNT)[WEIGHTS] as Buffer), wrong = Buffer.from(right)
  wrong[right.length - 1]! ^= 1
  const sent = [[wrong, /came whole .* its hash is not .*deleted/], [right.subarray(1), /expected \d+ bytes for model\.safetensors but .* has \d+/],
    [Buffer.concat([right, right]), /expected \d+ bytes .* has/]] as const
  for (const [instead, words] of sent) {
    const shelf = hub.shelve(ID, { ...single(), [WEIGHTS]: right })
    shelf.faults.set(WEIGHTS, { instead })
    const { code, message } = await rejection(resolveModel(ID, options))
    assert.is(code, 'ERR_FORMAT')
    assert.match(message, words)
    const left = await below(cache)
    assert.equal([left.filter(path => path.includes(sha256(right))), left.filter(path => path.includes('/refs/'))], [[], []])
  }
  const small = hub.shelve('lab/other', single()) // a git blob's sha1 proves small files too
  small.faults.set('config.json', { instead: Buffer.from(small.files.get('config.json')!.toString().replace('neox', 'xeno')) })
  assert.match((await rejection(resolveModel('lab/other', options))).message, /config\.json came whole .* its hash is not [0-9a-f]{40};/)
}))

test('an old part that a crash damaged costs one more download, not an error', () => withHub(async ({ hub, cache }) => {
  const bytes = Buffer.from(single(COUNT)[WEIGHTS] as Buffer)
  hub.shelve(ID, { [WEIGHTS]: bytes })
  const one = job(hub, cache, WEIGHTS, bytes)
  await mkdir(join(one.blob, '..'), { recursive: true })
  await writeFile(`${one.blob}.${MACHINE}-${process.pid}-0-999.incomplete`, Buffer.alloc(50_000)) // zeros where data had been
  await transfer(one)
  assert.equal(ranges(hub), ['bytes=50000-', undefined])
  assert.ok((await readFile(one.blob)).equals(bytes))
}))

test('a part that is longer than the file is no part of it', () => withHub(async ({ hub, cache }) => {
  const bytes = Buffer.from(single(COUNT)[WEIGHTS] as Buffer), one = job(hub, cache, WEIGHTS, bytes)
  hub.shelve(ID, { [WEIGHTS]: bytes })
  await mkdir(join(one.blob, '..'), { recursive: true })
  await writeFile(`${one.blob}.${MACHINE}-${process.pid}-0-999.incomplete`, Buffer.concat([bytes, bytes]))
  await transfer(one)
  assert.equal(ranges(hub), [undefined])
  assert.ok((await readFile(one.blob)).equals(bytes))
}))

test('of two left parts the longer is gone on with, and the other goes', () => withHub(async ({ hub, cache }) => {
  const bytes = Buffer.from(single(COUNT)[WEIGHTS] as Buffer), one = job(hub, cache, WEIGHTS, bytes)
  hub.shelve(ID, { [WEIGHTS]: bytes })
  await mkdir(join(one.blob, '..'), { recursive: true })
  for (const size of [1000, 300_000, 2000]) await writeFile(`${one.blob}.${MACHINE}-${process.pid}-0-${size}.incomplete`, bytes.subarray(0, size))
  await transfer(one)
  assert.equal([ranges(hub), await parts(cache)], [['bytes=300000-'], []])
}))

test('a part of a dead process is taken over, one of a living process is not', () => withHub(async ({ hub, cache }) => {
  const bytes = Buffer.from(single(COUNT)[WEIGHTS] as Buffer), one = job(hub, cache, WEIGHTS, bytes)
  hub.shelve(ID, { [WEIGHTS]: bytes })
  const half = bytes.subarray(0, 200_000)
  const dead = spawn(process.execPath, ['-e', ''])
  await new Promise(done => dead.on('close', done))
  await mkdir(join(one.blob, '..'), { recursive: true })
  await writeFile(`${one.blob}.${MACHINE}-${process.ppid}-0-0.incomplete`, half) // the runner lives
  await writeFile(`${one.blob}.00000000-1-0-0.incomplete`, half) // another machine, a moment ago
  await writeFile(`${one.blob}.9f8e7d6c.incomplete`, half) // Python's
  await transfer(one)
  assert.equal([ranges(hub), (await parts(cache)).length], [[undefined], 3])
  await rm(one.blob)
  await writeFile(`${one.blob}.${MACHINE}-${dead.pid}-0-0.incomplete`, half)
  await transfer(one)
  assert.equal([ranges(hub)[1], (await parts(cache)).length], ['bytes=200000-', 3])
  await rm(one.blob)
  const old = new Date(Date.now() - 3_600_000)
  await utimes(`${one.blob}.00000000-1-0-0.incomplete`, old, old)
  await transfer(one)
  assert.equal([ranges(hub)[2], (await parts(cache)).length], ['bytes=200000-', 2])
}))

test('a connection that always breaks ends after five tries, and its part stays', () => withHub(async ({ hub, cache }) => {
  const bytes = Buffer.from(single(COUNT)[WEIGHTS] as Buffer), shelf = hub.shelve(ID, { [WEIGHTS]: bytes })
  shelf.faults.set(WEIGHTS, { cuts: 99, after: 1000 })
  const fault = await rejection(transfer(job(hub, cache, WEIGHTS, bytes)))
  assert.instance(fault, Unreachable)
  assert.is(hub.stored.length, 5)
  const [left] = await parts(cache)
  const { size } = await stat(join(cache, left!))
  assert.ok(size > 0 && size <= 5000)
  shelf.faults.clear()
  await transfer(job(hub, cache, WEIGHTS, bytes))
  assert.is(start(hub, -1), size)
}))

test('silence counts as a cut, slowness does not', () => withHub(async ({ hub, cache }) => {
  const bytes = Buffer.from(single(COUNT)[WEIGHTS] as Buffer), shelf = hub.shelve(ID, { [WEIGHTS]: bytes })
  shelf.faults.set(WEIGHTS, { silences: 1, after: 100_000 })
  const one = job(hub, cache, WEIGHTS, bytes, { patience: 600 })
  await transfer(one)
  assert.ok((await readFile(one.blob)).equals(bytes))
  assert.ok(start(hub, 1) > 0)
  const slow = Buffer.from(single(COUNT)[WEIGHTS] as Buffer)
  hub.shelve(ID, { [WEIGHTS]: slow }).faults.set(WEIGHTS, { slow: 60 }) // 1.5 s in all
  hub.forget()
  await transfer(job(hub, cache, WEIGHTS, slow, { patience: 600 }))
  assert.equal(ranges(hub), [undefined])
}))

test('stopped by its signal, and gone on with', () => withHub(async ({ hub, cache, options }) => {
  const shelf = hub.shelve(ID, single(COUNT)), stop = new AbortController()
  shelf.faults.set(WEIGHTS, { slow: 20 })
  const progress = (event: HubProgress): void => { if (event.received > 60_000) stop.abort() }
  assert.is((await rejection(resolveModel(ID, { ...options, progress, signal: stop.signal }))).code, 'ERR_ABORTED')
  assert.is((await parts(cache)).length, 1)
  assert.is((await rejection(resolveModel(ID, { ...options, signal: AbortSignal.abort() }))).code, 'ERR_ABORTED')
  shelf.faults.clear()
  hub.forget()
  const { folder } = await resolveModel(ID, options)
  assert.ok((await bytesOf(folder, WEIGHTS)).equals(shelf.files.get(WEIGHTS)!))
  assert.ok(start(hub, 0) > 0)
  assert.equal(await parts(cache), [])
}))

test('one bad file stops the others; what came stays', () => withHub(async ({ hub, cache, options }) => {
  const shelf = hub.shelve(ID, sharded(3, COUNT)), [good, bad, slow] = [1, 2, 3].map(i => `model-0000${i}-of-00003.safetensors`) as [string, string, string]
  shelf.faults.set(bad, { instead: Buffer.alloc(shelf.files.get(bad)!.length) })
  shelf.faults.set(slow, { slow: 1000 }) // 25 s if it were waited for
  const began = performance.now()
  assert.match((await rejection(resolveModel(ID, options))).message, /model-00002-of-00003\.safetensors came whole/)
  assert.ok(performance.now() - began < 10_000)
  assert.ok((await below(cache)).some(path => path.endsWith('blobs/' + sha256(shelf.files.get(good)!))))
}))

test('an error of the progress function is the caller\'s own', () => withHub(async ({ hub, options }) => {
  hub.shelve(ID, single())
  const { message } = await rejection(resolveModel(ID, { ...options, progress: () => { throw new RangeError('mine') } }))
  assert.is(message, 'mine')
}))

test('redirects: to nowhere, in a circle, to another kind of address', () => withHub(async ({ hub, options }) => {
  const shelf = hub.shelve(ID, single())
  const fault = async (location: string): Promise<string> => {
    shelf.faults.set('config.json', { location })
    return (await rejection(resolveModel(ID, options))).message
  }
  assert.match(await fault('file:///etc/passwd'), /redirects to an address that is not followed/)
  assert.match(await fault('http://'), /redirects to an address that is not followed/)
  assert.match(await fault(`/${ID}/resolve/${shelf.commit}/config.json`), /redirects more than 8 times/)
}))

/** A process that opens the model. */
function opener(options: HubOptions): { ended: Promise<string>, kill: () => void } {
  const body = `import { resolveModel } from ${JSON.stringify(new URL('../../lib/hub/resolve.js', import.meta.url).href)}
    const found = await resolveModel(${JSON.stringify(ID)}, ${JSON.stringify(options)}).then(found => found.folder, error => error.message)
    console.log(found)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', body], { stdio: ['ignore', 'pipe', 'inherit'] })
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => { said += chunk })
  return { ended: new Promise(done => child.on('close', () => done(said.trim()))), kill: () => child.kill('SIGKILL') }
}

test('two processes at once do not damage each other', () => withHub(async ({ hub, cache, options }) => {
  const shelf = hub.shelve(ID, sharded(2, COUNT))
  for (const name of shelf.files.keys()) shelf.faults.set(name, { slow: 10 })
  const folders = await Promise.all([opener(options).ended, opener(options).ended, resolveModel(ID, options).then(found => found.folder)])
  assert.is(new Set(folders).size, 1, folders.join('\n'))
  for (const name of await readdir(folders[2])) assert.ok((await bytesOf(folders[2], name)).equals(shelf.files.get(name)!), name)
  assert.equal(await parts(cache), [])
}))

test('a killed process leaves no broken file; the next goes on from its part', () => withHub(async ({ hub, cache, options }) => {
  const shelf = hub.shelve(ID, single(COUNT))
  shelf.faults.set(WEIGHTS, { slow: 20 })
  const first = opener(options)
  for (let size = 0; size < 60_000;) {
    await new Promise(done => setTimeout(done, 20))
    const part = (await parts(cache)).find(path => path.includes(sha256(shelf.files.get(WEIGHTS)!)))
    size = part === undefined ? 0 : (await stat(join(cache, part))).size
  }
  first.kill()
  await first.ended
  assert.not.ok((await below(cache)).some(path => path.endsWith(`snapshots/${shelf.commit}/${WEIGHTS}`)))
  shelf.faults.clear()
  hub.forget()
  assert.is((await resolveModel(ID, options)).commit, shelf.commit)
  assert.ok(start(hub, 0) >= 60_000)
  assert.equal(await parts(cache), [])
}))

test('without links: moved where it is new, copied where it is not', () => withHub(async ({ hub, cache, options }) => {
  const bytes = Buffer.from(single(COUNT)[WEIGHTS] as Buffer), one = job(hub, cache, WEIGHTS, bytes), repo = new Repo(cache, ID), { file } = one
  hub.shelve(ID, { [WEIGHTS]: bytes })
  await transfer(one)
  const refuse = (async () => { throw Object.assign(new Error('no links'), { code: 'EPERM' }) }) as never
  await repo.place('a'.repeat(40), file, false, refuse)
  await repo.place('b'.repeat(40), file, true, refuse)
  assert.equal(await below(join(cache, 'models--lab--tiny')), ['a', 'b'].map(letter => `snapshots/${letter.repeat(40)}/${WEIGHTS}`))
  for (const letter of ['a', 'b']) assert.ok((await readFile(repo.pointer(letter.repeat(40), file))).equals(bytes))
  const full = (async () => { throw Object.assign(new Error('full'), { code: 'ENOSPC' }) }) as never
  assert.match((await rejection(repo.place('c'.repeat(40), file, false, full))).message, /the disk is full/)

  process.env['HF_HUB_DISABLE_SYMLINKS'] = '1'
  hub.shelve('lab/plain', single())
  const { folder } = await resolveModel('lab/plain', options)
  delete process.env['HF_HUB_DISABLE_SYMLINKS']
  assert.equal(await readdir(join(folder, '../../blobs')), [])
  hub.forget()
  await resolveModel('lab/plain', options)
  assert.equal(hub.asked(), [])
}))

test('a blob or a snapshot of another size is downloaded again', () => withHub(async ({ hub, options }) => {
  const shelf = hub.shelve(ID, single()), { folder } = await resolveModel(ID, options)
  const blob = await open(join(folder, WEIGHTS), 'r+')
  await blob.truncate(10)
  await blob.close()
  assert.match((await rejection(resolveModel(ID, { ...options, offline: true }))).message, /missing model\.safetensors/)
  await resolveModel(ID, options)
  assert.ok((await bytesOf(folder, WEIGHTS)).equals(shelf.files.get(WEIGHTS)!))
}))

test.run()
