// cachedModels and `transweld models`: whole, cut, damaged and foreign folders of a cache, one that Python wrote among them.
import { cp, mkdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { cachedModels } from '../../lib/hub/cached.ts'
import { resolveModel } from '../../lib/hub/resolve.ts'
import { command, rejection } from '../boundary/child.ts'
import { root } from '../laws/sources.ts'
import { below, withHub } from './folder.ts'
import { sharded, single } from './model.ts'

const PYTHON = join(root, 'test/hub/python-cache')

test('what there is: size, family, dtype, revisions', () => withHub(async ({ hub, cache, options }) => {
  assert.equal(await cachedModels(join(cache, 'gone')), [])
  const one = hub.shelve('lab/one', single()), two = hub.shelve('two', sharded(2, 500))
  one.revisions.set('v1', one.commit)
  await resolveModel('lab/one', options)
  await resolveModel('lab/one', { ...options, revision: 'v1' })
  const { folder } = await resolveModel('two', options)
  await mkdir(join(cache, '.locks'))
  await mkdir(join(cache, 'datasets--a--b/snapshots'), { recursive: true })
  await mkdir(join(cache, 'models--..--..'), { recursive: true })
  await writeFile(join(cache, 'version.txt'), '1')
  const size = (shelf: typeof one, names: readonly string[]): number => names.reduce((sum, name) => sum + shelf.files.get(name)!.length, 0)
  const found = await cachedModels(cache)
  assert.equal(found.map(item => [item.id, item.commit, item.revisions, item.folder, item.family, item.dtype, item.bytes]), [
    ['lab/one', one.commit, ['main', 'v1'], join(cache, 'models--lab--one/snapshots', one.commit), 'gpt_neox', 'F32',
      size(one, ['config.json', 'tokenizer.json', 'model.safetensors'])],
    ['two', two.commit, ['main'], folder, 'llama', 'F32', size(two, [...two.files.keys()].filter(name => name !== 'consolidated.safetensors'))],
  ])
  assert.equal(found.map(item => [item.missing, item.unfinishedBytes]), [[[], 0], [[], 0]])
}))

test('what is not whole is said so', () => withHub(async ({ hub, cache, options }) => {
  const shelf = hub.shelve('lab/cut', sharded(2)), { folder } = await resolveModel('lab/cut', options)
  await rm(join(folder, 'model-00002-of-00002.safetensors'))
  assert.equal((await cachedModels(cache)).map(one => one.missing), [['model-00002-of-00002.safetensors']])
  await rm(join(cache, 'models--lab--cut/trees'), { recursive: true })
  assert.equal((await cachedModels(cache)).map(one => one.missing), [['model-00002-of-00002.safetensors']])
  await truncate(join(folder, 'model-00001-of-00002.safetensors'), 20)
  await writeFile(join(folder, 'config.json'), '{')
  const [damaged] = await cachedModels(cache)
  assert.equal([damaged!.family, damaged!.dtype], [undefined, undefined])
  await rm(join(folder, 'config.json'))
  assert.equal((await cachedModels(cache)).map(one => one.missing), [['config.json']])

  shelf.faults.set('config.json', { status: 403, times: 9 })
  const other = hub.shelve('lab/begun', single(100_000)), stop = new AbortController()
  other.faults.set('model.safetensors', { slow: 20 })
  await rejection(resolveModel('lab/begun', { ...options, signal: stop.signal, progress: event => { if (event.received > 60_000) stop.abort() } }))
  await rm(join(cache, 'models--lab--begun/snapshots'), { recursive: true, force: true })
  const [begun] = await cachedModels(cache)
  assert.equal([begun!.id, begun!.commit, begun!.missing], ['lab/begun', undefined, ['config.json']])
  assert.ok(begun!.unfinishedBytes >= 60_000)
  const { stdout } = await command(['models', '--dir', cache])
  assert.match(stdout, /^lab\/begun: lacks config\.json; [\d.]+ kB of an unfinished download$/m)
  assert.match(stdout, /^lab\/cut [0-9a-f]{8}: lacks config\.json$/m)
}))

test('a cache that Python wrote: found, opened offline, added to', () => withHub(async ({ hub, cache, options }) => {
  await unpack(cache)
  const [model] = await cachedModels(cache)
  assert.equal([model!.id, model!.revisions, model!.family, model!.dtype, model!.missing], ['lab/tiny', ['main'], 'gpt_neox', 'F32', []])
  const found = await resolveModel('lab/tiny', { ...options, offline: true })
  assert.is(found.folder, model!.folder)
  const before = await below(cache), shelf = hub.shelve('lab/tiny', {}, { commit: model!.commit! })
  for (const name of ['config.json', 'model.safetensors', 'tokenizer.json']) shelf.files.set(name, await readFile(join(found.folder, name)))
  await resolveModel('lab/tiny', options)
  assert.equal(hub.asked(), [], 'not a byte again')
  assert.equal(await below(cache), before, 'and not a file more')
}))

// A package holds no links: they stand in links.json, and are made here.
async function unpack(cache: string): Promise<void> {
  await cp(join(PYTHON, 'cache'), cache, { recursive: true })
  const links = JSON.parse(await readFile(join(PYTHON, 'links.json'), 'utf8')) as Record<string, string>
  for (const [path, target] of Object.entries(links)) {
    await mkdir(join(cache, path, '..'), { recursive: true })
    await symlink(target, join(cache, path))
  }
}

test('transweld models: a table, JSON, an empty cache', () => withHub(async ({ hub, cache, options }) => {
  hub.shelve('lab/one', single())
  await resolveModel('lab/one', options)
  const { code, stdout, stderr } = await command(['models'], { env: { HF_HUB_CACHE: cache } })
  assert.equal([code, stderr], [0, ''])
  assert.match(stdout, /^model +revision +commit +size +family +dtype\nlab\/one +main +[0-9a-f]{8} +4\.1 kB +gpt_neox +F32\nin .*\n$/)
  const json = await command(['models', '--json', '--dir', cache])
  assert.equal(JSON.parse(json.stdout), JSON.parse(JSON.stringify(await cachedModels(cache))))
  assert.is((await command(['models', '--dir', join(cache, 'gone')])).stdout, `no models in ${join(cache, 'gone')}\n`)
  assert.match((await command(['models', '--dri', cache])).stderr, /--dir/)
}))

test.run()
