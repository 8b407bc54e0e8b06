// Who never opens an id never loads the hub's library; who opens one without having it is told what to do.
import { spawnSync } from 'node:child_process'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ENTRY } from '../boundary/child.ts'
import { withHub } from './folder.ts'

const RESOLVE = new URL('../../lib/hub/resolve.js', import.meta.url).href

// A loader's hook that writes what is loaded, or makes the hub's library be missing.
const watching = (body: string): string => `import { register } from 'node:module'
register('data:text/javascript,' + encodeURIComponent(${JSON.stringify(body)}))\n`
const TELL = `import { writeSync } from 'node:fs'
export async function load(url, context, next) { writeSync(1, 'loaded ' + url + '\\n'); return next(url, context) }`
const MISSING = `export async function resolve(name, context, next) {
  if (name.startsWith('@huggingface/hub')) throw Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' })
  return next(name, context)
}`

function run(hook: string, body: string): string {
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--input-type=module', '-e', `${watching(hook)}${body}`], { encoding: 'utf8' })
  assert.is(status, 0, stderr)
  return stdout
}

test('import of transweld loads nothing of the hub; an id that is not asked for does neither', () => {
  const loaded = run(TELL, `await import(${JSON.stringify(ENTRY)}); const { resolveModel } = await import(${JSON.stringify(RESOLVE)})
    await resolveModel('./folder')
    await resolveModel('lab/tiny', { offline: true, cache: '/nowhere' }).catch(error => { if (error.code !== 'ERR_FILE') throw error })`)
  assert.match(loaded, /lib\/index\.js/)
  assert.not.match(loaded, /@huggingface\/hub/)
})

test('the hook sees the library where it is loaded', () => {
  assert.match(run(TELL, "await import('@huggingface/hub')"), /@huggingface\/hub/)
})

test('where the library is missing, the error says how to get it', () => withHub(async ({ options }) => {
  const said = run(MISSING, `const { resolveModel } = await import(${JSON.stringify(RESOLVE)})
    await resolveModel('lab/tiny', ${JSON.stringify(options)}).catch(error => console.log(error.code, error.message))`)
  assert.match(said, /^ERR_UNSUPPORTED .*npm install @huggingface\/hub/)
}))

test.run()
