// Environment variables as Python's huggingface_hub has them, and the rules of ids.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { isHubId } from '../../lib/hub/id.ts'
import { cacheFolder, settings } from '../../lib/hub/settings.ts'
import { codeOf } from '../boundary/child.ts'

const NAMES = ['HF_HUB_CACHE', 'HUGGINGFACE_HUB_CACHE', 'HF_HOME', 'XDG_CACHE_HOME', 'HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN', 'HF_TOKEN_PATH', 'HF_ENDPOINT',
  'HF_HUB_OFFLINE', 'TRANSFORMERS_OFFLINE', 'HF_HUB_DISABLE_IMPLICIT_TOKEN', 'HF_HUB_DISABLE_SYMLINKS']

/** Runs `body` with these variables of the hub and no others. */
function withEnvironment<T>(variables: Readonly<Record<string, string>>, body: () => T): T {
  const kept = NAMES.map(name => [name, process.env[name]] as const)
  for (const name of NAMES) delete process.env[name]
  Object.assign(process.env, variables)
  try {
    return body()
  } finally {
    for (const [name, value] of kept) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  }
}

test('the cache: each variable in its turn', () => {
  const folder = (variables: Record<string, string>): string => withEnvironment(variables, cacheFolder)
  const all = { HF_HUB_CACHE: '/a', HUGGINGFACE_HUB_CACHE: '/b', HF_HOME: '/c', XDG_CACHE_HOME: '/d' }
  assert.is(folder(all), '/a')
  assert.is(folder({ ...all, HF_HUB_CACHE: '' }), '/b')
  assert.is(folder({ HF_HOME: '/c', XDG_CACHE_HOME: '/d' }), join('/c', 'hub'))
  assert.is(folder({ XDG_CACHE_HOME: '/d' }), join('/d', 'huggingface', 'hub'))
  assert.is(folder({}), join(homedir(), '.cache', 'huggingface', 'hub'))
  assert.is(folder({ HF_HOME: '~/models' }), join(homedir(), 'models', 'hub'))
})

test('the token: option, variables, file', async () => {
  const home = await mkdtemp(join(tmpdir(), 'transweld-home-'))
  const token = (variables: Record<string, string>, given?: string | false): string | undefined =>
    withEnvironment({ HF_HOME: home, ...variables }, () => settings(given === undefined ? {} : { token: given }).token)
  try {
    assert.is(token({}), undefined)
    await writeFile(join(home, 'token'), 'from-file\n')
    await writeFile(join(home, 'other'), 'from-other\n')
    assert.is(token({}), 'from-file')
    assert.is(token({ HF_TOKEN_PATH: join(home, 'other') }), 'from-other')
    assert.is(token({ HF_TOKEN: ' from-env\n' }), 'from-env')
    assert.is(token({ HUGGING_FACE_HUB_TOKEN: 'from-old' }), 'from-old')
    assert.is(token({ HF_TOKEN: 'from-env' }, 'given'), 'given')
    assert.is(token({ HF_TOKEN: 'from-env' }, false), undefined)
    assert.is(token({ HF_TOKEN: 'from-env', HF_HUB_DISABLE_IMPLICIT_TOKEN: '1' }), undefined)
    assert.is(codeOf(() => token({ HF_TOKEN: 'two words' })), 'ERR_INVALID_ARGUMENT')
    await mkdir(join(home, 'folder'))
    assert.is(codeOf(() => token({ HF_TOKEN_PATH: join(home, 'folder') })), 'ERR_FILE')
  } finally { await rm(home, { recursive: true }) }
})

test('endpoint, offline mode, links', () => {
  const of = (variables: Record<string, string>): ReturnType<typeof settings> => withEnvironment(variables, () => settings({}))
  const plain = of({})
  assert.equal([plain.endpoint, plain.offline, plain.links, plain.revision], ['https://huggingface.co', false, true, 'main'])
  assert.is(of({ HF_ENDPOINT: 'https://mirror.example/hf//' }).endpoint, 'https://mirror.example/hf')
  for (const yes of ['1', 'ON', 'yes', 'True']) assert.is(of({ HF_HUB_OFFLINE: yes }).offline, true)
  for (const no of ['0', 'off', '']) assert.is(of({ HF_HUB_OFFLINE: no }).offline, false)
  assert.is(of({ TRANSFORMERS_OFFLINE: '1' }).offline, true)
  assert.is(of({ HF_HUB_DISABLE_SYMLINKS: '1' }).links, false)
  assert.is(withEnvironment({ HF_HUB_OFFLINE: '1' }, () => settings({ offline: false }).offline), false)
})

test('ids', () => {
  for (const id of ['gpt2', 'org/name', 'EleutherAI/pythia-70m', 'a_b/c.d-e_f', 'a'.repeat(96), '0/1']) assert.ok(isHubId(id), id)
  const others = ['', '.', '..', './x', '../x', '/x', 'a/b/c', 'a//b', 'a/', '/b', '-a', 'a-', 'a.', '.a', 'a--b', 'a..b', 'x.git', 'a b', 'a\\b', 'c:x',
    'é', 'a\n', 'a\0', '~/x', 'a'.repeat(97), 'https://huggingface.co/a/b', 'lib', 'lib/hub']
  for (const id of others) assert.not.ok(isHubId(id), id)
})

test.run()
