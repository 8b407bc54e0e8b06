// Loading the addon: which one, and words for each way of failing.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { addonPath, cudaPaths, libc, native, root } from '../../lib/native/load.ts'
import { child } from '../boundary/child.ts'

const CALL = 'try { devices() } catch (error) { console.log(error.code, error.message) }'

test('the addon is loaded once, from the place that addonPath says', () => {
  assert.is(native(), native())
  const { path, why } = addonPath()
  assert.match(path, /transweld.*\.node$/)
  assert.ok(why)
  assert.ok(cudaPaths().every(one => one.startsWith('/') || /^[A-Z]:/.test(one)))
  assert.match(libc(), /^(glibc \d|musl|system)/)
  assert.ok(path.startsWith(root()) || process.env.TRANSWELD_ADDON)
})

test('importing the library loads nothing: an addon that is missing is an error of the first call', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'transweld-load-'))
  try {
    const missing = await child(CALL, { env: { TRANSWELD_ADDON: join(folder, 'missing.node') } })
    assert.match(missing.stdout, /^ERR_NATIVE_LOAD expected to load .*missing\.node \(TRANSWELD_ADDON names it\).*doctor/s)
    const path = join(folder, 'damaged.node')
    writeFileSync(path, 'not an addon')
    const damaged = await child(CALL, { env: { TRANSWELD_ADDON: path } })
    assert.match(damaged.stdout, /^ERR_NATIVE_LOAD expected to load .*damaged\.node .*but the loader said: /)
  } finally { rmSync(folder, { recursive: true }) }
})

test.run()
