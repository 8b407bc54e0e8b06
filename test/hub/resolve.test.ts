// resolveModel and resolveFiles against a hub on the loopback: what is downloaded, where it lies, who sees the token, and every refusal.
import { mkdir, readlink, writeFile, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { resolveFiles, resolveModel } from '../../lib/hub/resolve.ts'
import type { HubProgress } from '../../lib/hub/settings.ts'
import { rejection } from '../boundary/child.ts'
import { below, bytesOf, withHub } from './folder.ts'
import { sharded, single, weights } from './model.ts'
import { gitSha1, Hub, sha256 } from './server.ts'

const ID = 'lab/tiny', REPO = 'models--lab--tiny'

test('one file of weights: what a model needs and nothing else, in the layout of the cache', () => withHub(async ({ hub, cache, options }) => {
  const shelf = hub.shelve(ID, single()), { commit } = shelf
  const found = await resolveModel(ID, options)
  assert.equal(found, { folder: join(cache, REPO, 'snapshots', commit), id: ID, commit })
  const names = ['config.json', 'model.safetensors', 'tokenizer.json']
  const blobs = names.map(name => (name === 'model.safetensors' ? sha256 : gitSha1)(shelf.files.get(name)!))
  assert.equal(await below(cache), [...blobs.map(blob => `${REPO}/blobs/${blob}`), `${REPO}/refs/main`,
    ...names.map(name => `${REPO}/snapshots/${commit}/${name}`), `${REPO}/trees/${commit}.json`].sort())
  for (const [i, name] of names.entries()) {
    assert.is(await readlink(join(found.folder, name)), `../../blobs/${blobs[i]}`)
    assert.ok((await bytesOf(found.folder, name)).equals(shelf.files.get(name)!))
  }
  assert.is(await readFile(join(cache, REPO, 'refs', 'main'), 'utf8'), commit)

  hub.forget()
  await resolveModel(ID, options)
  assert.equal(hub.asked(), [], 'what is there is not asked for again')
  await resolveModel(ID, { ...options, revision: commit })
  assert.is(hub.questions.length, 2, 'a whole commit is used without a question')
}))

test('shards: those that the index names', () => withHub(async ({ hub, options }) => {
  const shelf = hub.shelve(ID, sharded(5))
  const events: HubProgress[] = []
  const { folder } = await resolveModel(ID, { ...options, progress: event => events.push(event) })
  const shards = [...shelf.files.keys()].filter(name => name.startsWith('model-'))
  assert.equal(await below(folder), ['config.json', 'model.safetensors.index.json', ...shards].sort())
  for (const name of shards) assert.ok((await bytesOf(folder, name)).equals(shelf.files.get(name)!))
  const last = events.at(-1)!
  assert.equal([last.received, last.files], [last.total, 6])
  assert.is(last.total, ['config.json', ...shards].reduce((sum, name) => sum + shelf.files.get(name)!.length, 0))
}))

test('files of a repository that is no model, and files beside a model', () => withHub(async ({ hub, options }) => {
  const layers = Object.fromEntries(['layer_0', 'layer_1', 'deep/er/layer_2'].map(name => [`${name}.safetensors`, weights('w', 5)]))
  hub.shelve(ID, { 'config.yaml': 'a: 1', ...layers, 'x.bin': 'x' })
  const { folder } = await resolveFiles(ID, ['config.yaml', 'layer_?.safetensors'], options)
  assert.equal(await below(folder), ['config.yaml', 'layer_0.safetensors', 'layer_1.safetensors'])
  await resolveFiles(ID, ['deep/'], options)
  assert.equal(await below(folder), ['config.yaml', 'deep/er/layer_2.safetensors', 'layer_0.safetensors', 'layer_1.safetensors'])
  assert.is(await readlink(join(folder, 'deep/er/layer_2.safetensors')).then(link => link.startsWith('../../../../blobs/')), true)
  assert.match((await rejection(resolveFiles(ID, ['*.npz'], options))).message, /no file that matches "\*\.npz"; it holds config\.yaml, .* and 1 more/)
  assert.match((await rejection(resolveFiles(ID, ['*.npz'], { ...options, offline: true }))).message, /no file that matches/)
  hub.shelve('lab/more', single())
  const more = await resolveModel('lab/more', { ...options, files: ['README*'] })
  assert.ok((await below(more.folder)).includes('README.md'))
}))

test('patterns: as Python has them, and quick on hostile names', () => withHub(async ({ hub, options }) => {
  const names = ['a', 'ab', 'b/a', 'b/c/a', 'a.b', 'axb', '[a]', 'ünï']
  hub.shelve(ID, Object.fromEntries(names.map(name => [name, name])))
  const found = async (...wanted: string[]): Promise<string[]> => {
    const cache = join(options.cache!, wanted.join().replace(/\W/g, letter => letter.charCodeAt(0).toString()))
    return below((await resolveFiles(ID, wanted, { ...options, cache })).folder)
  }
  assert.equal(await found('*'), [...names].sort())
  assert.equal(await found('a'), ['a'])
  assert.equal(await found('*a'), ['a', 'b/a', 'b/c/a'])
  assert.equal(await found('b/*'), ['b/a', 'b/c/a'])
  assert.equal(await found('b/'), ['b/a', 'b/c/a'])
  assert.equal(await found('b/?'), ['b/a'])
  assert.equal(await found('a.b', '[a]'), ['[a]', 'a.b'])
  assert.equal(await found('a*b*'), ['a.b', 'ab', 'axb'])
  assert.equal(await found('?n?'), ['ünï'])
  hub.shelve(ID, Object.fromEntries(Array.from({ length: 100 }, (_, i) => ['a'.repeat(1000 + i), 'x'])))
  const began = performance.now()
  assert.is((await rejection(resolveFiles(ID, ['*a*a*a*a*a*a*a*b'], options))).code, 'ERR_FILE')
  assert.ok(performance.now() - began < 5000)
}))

test('a renamed model is followed', () => withHub(async ({ hub, options }) => {
  const shelf = hub.shelve('lab/later', single(), { token: 'secret' })
  hub.renamed.set('lab/early', 'lab/later')
  const { folder, commit } = await resolveModel('lab/early', { ...options, token: 'secret' })
  assert.is(commit, shelf.commit)
  assert.match(folder, /models--lab--early/)
}))

test('revisions: branch, slash, commit; a branch that moves', () => withHub(async ({ hub, cache, options }) => {
  const shelf = hub.shelve(ID, single()), first = shelf.commit
  shelf.revisions.set('refs/pr/3', first)
  await resolveModel(ID, { ...options, revision: 'refs/pr/3' })
  assert.is(await readFile(join(cache, REPO, 'refs/refs/pr/3'), 'utf8'), first)
  const second = '2'.repeat(40)
  shelf.revisions.set('main', second)
  hub.forget()
  const moved = await resolveModel(ID, options)
  assert.equal([moved.commit, hub.asked()], [second, []], 'the same bytes are linked, not downloaded')
  assert.is((await resolveModel(ID, { ...options, revision: first })).commit, first)
}))

test('the token goes to the endpoint and to nobody else', () => withHub(async ({ hub, options }) => {
  const shelf = hub.shelve(ID, single(), { token: 'secret' })
  shelf.next = `${hub.store}/api/models/${ID}/tree/main` // a page of the listing on another host
  await rejection(resolveModel(ID, { ...options, token: 'secret' }))
  delete shelf.next
  await resolveModel(ID, { ...options, token: 'secret' })
  assert.ok(hub.questions.length > 3 && hub.questions.every(one => one.token === 'secret'))
  assert.ok(hub.stored.length >= 2 && hub.stored.every(one => one.token === undefined))
  assert.ok(hub.stored.some(one => one.path.endsWith('model.safetensors') && one.status === 200))
}))

test('refused: gated, with and without a token; nothing there; no such revision', () => withHub(async ({ hub, options }) => {
  hub.shelve(ID, single(), { token: 'secret' })
  const closed = await rejection(resolveModel(ID, options))
  assert.is(closed.code, 'ERR_FILE')
  assert.match(closed.message, new RegExp(`refuses lab/tiny \\(401\\), which is gated.*set HF_TOKEN.*${hub.endpoint}/lab/tiny`))
  const other = await rejection(resolveModel(ID, { ...options, token: 'wrong-one' }))
  assert.match(other.message, /\(403\), which is gated\. Ask for access/)
  assert.not.match(other.message, /wrong-one/)
  assert.match((await rejection(resolveModel('lab/gone', options))).message, /refuses lab\/gone \(401\): there is no such model, or it may not be read/)
  const absent = await rejection(resolveModel('lab/gone', { ...options, token: 't' }))
  assert.match(absent.message, /no model lab\/gone with revision "main".*\(404\), and no folder/)
  hub.shelve('lab/open', single())
  assert.match((await rejection(resolveModel('lab/open', { ...options, revision: 'v9' }))).message, /lab\/open has no revision "v9".*\(404\)/)
  assert.is(hub.questions.filter(one => one.path.includes('open')).length, 1, 'a final answer is not asked for twice')
}))

test('no safetensors, no config, a damaged index', () => withHub(async ({ hub, options }) => {
  const fault = async (files: Record<string, string | Buffer>): Promise<string> => {
    hub.shelve(ID, files)
    const { code, message } = await rejection(resolveModel(ID, options))
    return `${code} ${message}`
  }
  assert.match(await fault({ 'config.json': '{}', 'pytorch_model.bin': 'x' }),
    /^ERR_UNSUPPORTED .* only as pytorch_model\.bin; expected model\.safetensors\. .*save_pretrained/)
  assert.match(await fault({ 'config.json': '{}' }), /^ERR_UNSUPPORTED .*no weights/)
  assert.match(await fault({ 'model.safetensors': weights('w', 1) }), /^ERR_UNSUPPORTED .*no config\.json/)
  assert.match(await fault({}), /^ERR_UNSUPPORTED .*It holds nothing/)
  const index = (text: string): Record<string, string> => ({ 'config.json': '{}', 'model.safetensors.index.json': text })
  assert.match(await fault(index('{')), /^ERR_FORMAT model\.safetensors\.index\.json of lab\/tiny/)
  assert.match(await fault(index('null')), /^ERR_FORMAT .*weight_map/)
  assert.match(await fault(index('{"weight_map":{}}')), /^ERR_FORMAT .*names no shard/)
  assert.match(await fault(index('{"weight_map":{"w":"a.safetensors"}}')), /^ERR_FORMAT .*names a\.safetensors, which/)
  for (const name of ['"../a.safetensors"', '"/a.safetensors"', '"b\\\\a.safetensors"', '7', '"a.bin"']) {
    assert.match(await fault(index(`{"weight_map":{"w":${name}}}`)), /^ERR_FORMAT .*expected names of \.safetensors files/)
  }
}))

test('hostile names of a server lie nowhere', () => withHub(async ({ hub, cache, options }) => {
  const hostile = ['../../../', '/', 'a\\..\\', 'a/../../', 'c:', 'a//', './', 'a\0', 'x'.repeat(2000)].map(start => start + 'evil.txt')
  for (const name of hostile) {
    hub.shelve(ID, { ...single(), [name]: 'evil' })
    const { code, message } = await rejection(resolveModel(ID, { ...options, files: ['*evil.txt'] }))
    assert.is(code, 'ERR_FORMAT', name)
    assert.match(message, /could lie outside of the cache/)
  }
  assert.equal(await below(cache), [])
  const bad = { 'a size': { size: -1 }, 'a hash': { oid: '../../evil' }, 'a large hash': { lfs: { oid: '../../../evil', size: 4 } }, 'a path': { path: 7 } }
  for (const [what, change] of Object.entries(bad)) {
    hub.shelve(ID, single(), { tree: entries => entries.map((entry, i) => i === 0 ? { ...entry, ...change } : entry) })
    assert.is((await rejection(resolveModel(ID, options))).code, 'ERR_FORMAT', what)
  }
  hub.shelve(ID, single(), { commit: '../../..', revisions: new Map([['main', '../../..']]) })
  assert.match((await rejection(resolveModel(ID, options))).message, /names no commit/)
  for (const answer of [{ no: 'list' }, null, 'text', [null]]) {
    hub.shelve(ID, single(), { tree: () => answer })
    assert.match((await rejection(resolveModel(ID, options))).message, /does not answer as a hub does/)
  }
  const endless = hub.shelve(ID, single())
  endless.next = `${hub.endpoint}/api/models/${ID}/tree/main`
  assert.match((await rejection(resolveModel(ID, options))).message, /has no end/)
  assert.equal(await below(cache), [])
}))

test('offline, and a hub that is down: what is whole is used, what is not is named', () => withHub(async ({ hub, cache, options }) => {
  hub.shelve(ID, sharded(2))
  const offline = { ...options, offline: true }
  const nothing = await rejection(resolveModel(ID, offline))
  assert.is(nothing.code, 'ERR_FILE')
  assert.match(nothing.message, /lab\/tiny, revision "main", is no folder here and not whole in the cache .*missing revision "main".*HF_HUB_OFFLINE/)
  const { folder, commit } = await resolveModel(ID, options)
  hub.forget()
  assert.is((await resolveModel(ID, offline)).folder, folder)
  process.env['HF_HUB_OFFLINE'] = '1'
  assert.is((await resolveModel(ID, options)).folder, folder)
  delete process.env['HF_HUB_OFFLINE']
  assert.is(hub.questions.length, 0)
  hub.down = 503
  assert.is((await resolveModel(ID, options)).folder, folder)
  assert.is(hub.questions.length, 3, 'three tries')

  const stopped = await Hub.start()
  await stopped.stop()
  const gone = { ...options, endpoint: stopped.endpoint }
  assert.is((await resolveModel(ID, gone)).folder, folder)
  await rm(join(folder, 'model-00002-of-00002.safetensors'))
  assert.match((await rejection(resolveModel(ID, gone))).message,
    /cannot get lab\/tiny, which is no folder here, from http:\/\/127\.0\.0\.1:\d+: .*ECONNREFUSED.*missing model-00002-of-00002/)
  await rm(join(cache, REPO, 'trees'), { recursive: true }) // as an older program leaves it
  assert.match((await rejection(resolveModel(ID, offline))).message, /missing model-00002-of-00002/)
  hub.down = undefined
  assert.is((await resolveModel(ID, options)).commit, commit)
  assert.equal(hub.asked().slice(-1), [], 'the blob was still there')
}))

test('a commit in the cache without its list of files is asked for: a tokenizer may be missing', () => withHub(async ({ hub, cache, options }) => {
  hub.shelve(ID, single())
  const { folder, commit } = await resolveModel(ID, options)
  await rm(join(cache, REPO, 'trees'), { recursive: true })
  await rm(join(folder, 'tokenizer.json'))
  assert.is((await resolveModel(ID, { ...options, revision: commit!, offline: true })).folder, folder, 'offline, it is what there is')
  await resolveModel(ID, { ...options, revision: commit! })
  assert.ok((await below(folder)).includes('tokenizer.json'))
  assert.ok((await below(cache)).includes(`${REPO}/trees/${commit}.json`))
}))

test('a local folder wins; paths are never ids', () => withHub(async ({ hub, cache, options }) => {
  await mkdir(join(cache, 'lab/tiny'), { recursive: true })
  const here = process.cwd()
  process.chdir(cache)
  try {
    assert.equal(await resolveModel('lab/tiny', options), { folder: 'lab/tiny' })
    assert.equal(await resolveModel('./gone', options), { folder: './gone' })
    assert.match((await rejection(resolveModel('lab/tiny', { ...options, revision: 'main' }))).message, /is a folder/)
  } finally { process.chdir(here) }
  assert.is(hub.questions.length, 0)
}))

test('a folder opens whatever the variables of the hub hold; options are checked all the same', async () => {
  const kept = { ...process.env }
  Object.assign(process.env, { HF_ENDPOINT: 'nowhere', HF_TOKEN: 'a b' })
  try {
    assert.equal(await resolveModel('./folder'), { folder: './folder' })
    assert.is((await rejection(resolveModel('./folder', { token: 'a b' }))).code, 'ERR_INVALID_ARGUMENT')
    assert.is((await rejection(resolveModel('a/b'))).code, 'ERR_INVALID_ARGUMENT')
  } finally {
    for (const name of ['HF_ENDPOINT', 'HF_TOKEN']) {
      if (kept[name] === undefined) delete process.env[name]
      else process.env[name] = kept[name]
    }
  }
})

test('misuse', async () => {
  const code = async (promise: Promise<unknown>): Promise<string> => (await rejection(promise)).code
  assert.is(await code(resolveModel(7 as never)), 'ERR_INVALID_ARGUMENT')
  assert.is(await code(resolveModel('')), 'ERR_INVALID_ARGUMENT')
  assert.is(await code(resolveModel('a/b', { revison: 'x' } as never)), 'ERR_UNKNOWN_OPTION')
  for (const revision of ['', '../x', '/x', 'a/../b', 'a b', 'a\\b', '-x', 'a\0', 'x'.repeat(300), 3]) {
    assert.is(await code(resolveModel('a/b', { revision: revision as string })), 'ERR_INVALID_ARGUMENT', String(revision))
  }
  for (const endpoint of ['', 'file:///etc', 'huggingface.co', 'http://me:secret@x', 4]) {
    assert.is(await code(resolveModel('a/b', { endpoint: endpoint as string })), 'ERR_INVALID_ARGUMENT', String(endpoint))
  }
  for (const token of ['a b', 'a\nb', '', 3]) assert.is(await code(resolveModel('a/b', { token: token as string })), 'ERR_INVALID_ARGUMENT')
  for (const files of ['x', [''], [7], ['x'.repeat(2000)]]) assert.is(await code(resolveModel('a/b', { files: files as string[] })), 'ERR_INVALID_ARGUMENT')
  assert.is(await code(resolveFiles('./x', ['a'])), 'ERR_INVALID_ARGUMENT')
  assert.is(await code(resolveFiles('a/b', [])), 'ERR_INVALID_ARGUMENT')
  assert.is(await code(resolveModel('a/b', { progress: 3 as never })), 'ERR_INVALID_ARGUMENT')
  assert.is(await code(resolveModel('a/b', { signal: {} as never })), 'ERR_INVALID_ARGUMENT')
})

test('a disk that cannot be written is told as such', () => withHub(async ({ hub, cache, options }) => {
  hub.shelve(ID, single())
  await writeFile(join(cache, REPO), 'a file where the folder should be')
  const { code, message } = await rejection(resolveModel(ID, options))
  assert.is(code, 'ERR_FILE')
  assert.match(message, /cannot write .*not a folder/)
}))

test.run()
