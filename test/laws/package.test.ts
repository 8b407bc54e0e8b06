// What keeps an install silent, and one list of sources feeding both builds.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { files, none, read, root } from './sources.ts'

interface Manifest {
  readonly type: string, readonly gypfile: boolean, readonly license: string
  readonly engines: { readonly node: string }
  readonly exports: Record<string, unknown>
  readonly files: readonly string[]
  readonly scripts: Record<string, string>
  readonly dependencies: Record<string, string>
  readonly optionalDependencies: Record<string, string>
}
const manifest = JSON.parse(read('package.json')) as Manifest
const sources = JSON.parse(read('sources.json')) as Record<'addon' | 'cpu' | 'isa' | 'cuda', string[]>

test('no install script, written or implied', () => {
  assert.is(manifest.gypfile, false)
  // npm runs these on an install of the package, or (prebuild) before any script named build.
  for (const name of ['preinstall', 'install', 'postinstall', 'prepare', 'prebuild']) assert.not(name in manifest.scripts, name)
  assert.not(manifest.files.some(entry => /gyp|^test|^\.$/.test(entry)))
})

test('three packages at run time, those of Hugging Face pinned; the hub is optional', () => {
  assert.equal(Object.keys(manifest.dependencies).sort(), ['@huggingface/jinja', 'commander', 'node-gyp-build'])
  assert.equal(Object.keys(manifest.optionalDependencies), ['@huggingface/hub'])
  const pinned = { ...manifest.dependencies, ...manifest.optionalDependencies }
  for (const name of Object.keys(pinned).filter(one => one.startsWith('@huggingface/'))) assert.match(pinned[name]!, /^\d+\.\d+\.\d+$/, name)
})

test('import and require both find the entry', () => {
  assert.is(manifest.type, 'module')
  assert.equal(Object.keys(manifest.exports['.'] as object), ['types', 'default'])
})

test('the lock file holds no registry address and no install script', () => {
  const lock = JSON.parse(read('package-lock.json')) as { packages: Record<string, { resolved?: string, hasInstallScript?: boolean }> }
  const entries = Object.entries(lock.packages)
  assert.ok(entries.length > 20)
  none(entries.filter(([, entry]) => entry.resolved !== undefined || entry.hasInstallScript).map(([name]) => name))
})

test('sources.json names every native source once, in the right list', () => {
  const { addon, cpu, isa, cuda } = sources
  const listed = [...addon, ...cpu, ...isa, ...cuda]
  none(listed.filter((path, i) => listed.indexOf(path) !== i).map(path => `${path}: listed twice`))
  none(listed.filter(path => !existsSync(join(root, path))).map(path => `${path}: listed, but not there`))
  const there = files(['src', 'cuda'], ['.cc', '.cu'])
  assert.ok(there.length > 0)
  none(there.filter(path => !listed.includes(path)).map(path => `${path}: there, but not listed`))
  none([...cpu, ...isa].filter(path => !path.startsWith('src/cpu/')).map(path => `${path}: cpu and isa hold src/cpu only`))
  none(cuda.filter(path => !path.startsWith('cuda/')).map(path => `${path}: cuda holds cuda only`))
})

test('gyp and CMake compile the same instruction sets with the same flags', () => {
  const gyp = [...read('binding.gyp').matchAll(/"cflags": \["-fPIC"(.*?)\],\s*"defines": \["TRANSWELD_ISA=(\w+)", "TRANSWELD_LANES=(\d+)"\]/g)]
    .map(([, flags, isa, lanes]) => `${isa}:${lanes}:${[...flags!.matchAll(/"([^"]+)"/g)].map(flag => flag[1]).join(' ')}`)
  const baseline = /"cflags": \["-fPIC"\],\s*"defines": \["TRANSWELD_ISA=baseline", "TRANSWELD_LANES=(\d+)"\]/.exec(read('binding.gyp'))
  const cmake = [...read('src/cpu/cpu.cmake').matchAll(/"(\w+:\d+:[^"]*)"/g)].map(match => match[1])
  assert.is(baseline?.[1], '4')
  assert.is(gyp.length, 5)
  assert.equal(cmake.sort(), gyp.sort())
})

test.run()
