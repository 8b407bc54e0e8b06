// Makes a clone ready: packages, native addon, TypeScript. Uses Node's own modules alone, so that it runs before any
// install; does only what is out of date; says what it does while it does it. --clean starts from an empty dist/; --packages
// ends after the packages; --cuda-host, --native or another variant of cmake.mjs is built too where this machine can.
import { chmodSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { VARIANTS, build, missing } from './cmake.mjs'
import { digest, digestFiles, lock, read, say, step, walk } from './step.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
process.chdir(root)
const asked = name => process.argv.includes(`--${name}`)

async function packages() {
  const { dependencies, devDependencies } = JSON.parse(read('package.json'))
  const key = digest([JSON.stringify([dependencies, devDependencies]), read('package-lock.json')])
  if (read('node_modules/.ready') === key) return
  const npm = process.env.npm_execpath
  await step('packages', npm ? process.execPath : 'npm',
    [...(npm ? [npm] : []), 'ci', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline'], { npm_config_loglevel: 'error' })
  writeFileSync('node_modules/.ready', key)
}

/** Node's headers beside this very binary, if they are of its version: then nothing is downloaded. */
function nodeHeaders() {
  const prefix = resolve(process.execPath, '../..')
  const [, major, minor, patch] = /^v(\d+)\.(\d+)\.(\d+)/.exec(process.version)
  const text = read(join(prefix, 'include/node/node_version.h'))
  const has = (name, value) => new RegExp(`#define NODE_${name}_VERSION ${value}\\b`).test(text)
  const fits = has('MAJOR', major) && has('MINOR', minor) && has('PATCH', patch) && existsSync(join(prefix, 'include/node/common.gypi'))
  return process.env.npm_config_nodedir || !fits ? {} : { npm_config_nodedir: prefix }
}

async function native() {
  const machine = `${process.version} ${process.platform} ${process.arch}`
  const inputs = digestFiles(['binding.gyp', 'sources.json', 'package-lock.json'])
  const key = [machine, inputs, digestFiles(walk('src'))].join('\n')
  const before = read('build/.ready')
  if (before === key && existsSync('build/Release/transweld.node')) return
  const gyp = (...args) => step(`native addon: ${args[0]}`, process.execPath, ['node_modules/node-gyp/bin/node-gyp.js', ...args], nodeHeaders())
  const [oldMachine, oldInputs] = before.split('\n')
  if (before && oldMachine !== machine) rmSync('build', { recursive: true, force: true })
  // A changed list of sources needs new makefiles, not new objects: make compares each command with the one before.
  if (!existsSync('build/Makefile') || oldInputs !== inputs) await gyp('configure')
  await gyp('build', '--jobs', String(availableParallelism()))
  mkdirSync('build', { recursive: true })
  writeFileSync('build/.ready', key)
}

/** tsc never deletes: an output without its source would still be packed, or run as a stale test. */
function dropOrphans() {
  const stem = file => file.replace(/(\.d\.ts|\.js\.map|\.js|\.ts)$/, '')
  const folders = ['lib', 'test', 'bench', 'examples']
  const sources = new Set(folders.flatMap(walk).filter(file => /(?<!\.d)\.ts$/.test(file)).map(stem))
  const outputs = folders.flatMap(dir => walk(join('dist', dir)))
  for (const file of outputs) if (!sources.has(stem(relative('dist', file)))) rmSync(file)
  const emitted = new Set(outputs.filter(file => file.endsWith('.js')).map(file => stem(relative('dist', file))))
  if ([...sources].some(source => !emitted.has(source))) rmSync('dist/.tsbuildinfo', { force: true })
}

async function typescript() {
  if (asked('clean')) rmSync('dist', { recursive: true, force: true })
  dropOrphans()
  // tsc 7.0 keeps the errors of files that did not change, even where the settings did.
  const key = digestFiles(['tsconfig.json', 'package-lock.json'])
  if (read('dist/.ready') !== key) rmSync('dist/.tsbuildinfo', { force: true })
  mkdirSync('dist', { recursive: true })
  writeFileSync('dist/.ready', key)
  await step('typescript', process.execPath, ['node_modules/typescript/bin/tsc', '-p', '.'])
  if (existsSync('dist/lib/cli/main.js')) chmodSync('dist/lib/cli/main.js', 0o755)
}

async function variants() {
  for (const name of Object.keys(VARIANTS).filter(asked)) {
    const why = missing(name)
    if (why) say(`skipped: ${name}: ${why}\n`)
    else await build(name)
  }
}

await lock('.ready.lock')
await packages()
if (!asked('packages')) {
  await native()
  await variants()
  await typescript()
}
