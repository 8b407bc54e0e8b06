// Makes a clone ready: packages, native addon, TypeScript. Uses Node's own modules alone, so that it runs before any
// install; does only what is out of date; says what it does while it does it. --clean starts from an empty dist/.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, linkSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
process.chdir(root)
const say = text => process.stderr.write(text)

const digest = parts => parts.reduce((hash, part) => hash.update(part).update('\0'), createHash('sha256')).digest('hex')
const digestFiles = files => digest(files.flatMap(file => [file, readFileSync(file)]))
const walk = dir => (existsSync(dir) ? readdirSync(dir, { recursive: true, withFileTypes: true }) : [])
  .filter(entry => entry.isFile()).map(entry => join(entry.parentPath ?? entry.path, entry.name)).sort()
const read = file => (existsSync(file) ? readFileSync(file, 'utf8') : '')

/** Runs a command and shows its last line while it runs; its whole output only if it fails. */
async function step(what, command, args, env = {}) {
  const start = Date.now()
  const seconds = () => `${((Date.now() - start) / 1000).toFixed(1)} s`
  const terminal = process.stderr.isTTY
  let text = ''
  say(`${what} ...${terminal ? '' : '\n'}`)
  const tick = setInterval(() => {
    const last = (text.trimEnd().split('\n').at(-1) ?? '').trim().slice(0, 70)
    say(terminal ? `\r\x1b[K${what} ... ${seconds()}  ${last}` : `  ${what}: ${seconds()}  ${last}\n`)
  }, terminal ? 500 : 10_000)
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } })
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', chunk => { text += chunk })
  const code = await new Promise(done => {
    child.on('error', error => { text += `${error.message}\n`; done(-1) })
    child.on('close', (status, signal) => done(status ?? signal))
  })
  clearInterval(tick)
  say(`${terminal ? '\r\x1b[K' : '  '}${what}: ${seconds()}\n`)
  if (code !== 0) {
    say(text)
    say(`${what} failed (${code})\n`)
    process.exit(1)
  }
}

/** One at a time in a checkout: the lock file holds the process id, a dead owner's lock is taken over. */
async function lock(file) {
  const mine = `${file}.${process.pid}`
  const alive = pid => { try { process.kill(pid, 0); return true } catch (error) { return error.code === 'EPERM' } }
  writeFileSync(mine, String(process.pid))
  process.on('exit', () => {
    rmSync(mine, { force: true })
    if (read(file) === String(process.pid)) rmSync(file, { force: true })
  })
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130))
  for (let waited = false; ;) {
    try { return linkSync(mine, file) } catch (error) { if (error.code !== 'EEXIST') throw error }
    const owner = Number(read(file))
    if (owner && !alive(owner)) {
      // Renamed before it is judged: of several that wait, one gets it, and a lock made meanwhile goes back.
      const taken = `${mine}.taken`
      try { renameSync(file, taken) } catch { continue }
      if (alive(Number(read(taken)))) linkSync(taken, file)
      rmSync(taken, { force: true })
    } else {
      if (!waited) say(`waiting for process ${owner || '?'}, which makes this checkout ready (if it does not: delete ${file})\n`)
      waited = true
      await sleep(200)
    }
  }
}

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
  if (process.argv.includes('--clean')) rmSync('dist', { recursive: true, force: true })
  dropOrphans()
  // tsc 7.0 keeps the errors of files that did not change, even where the settings did.
  const key = digestFiles(['tsconfig.json', 'package-lock.json'])
  if (read('dist/.ready') !== key) rmSync('dist/.tsbuildinfo', { force: true })
  mkdirSync('dist', { recursive: true })
  writeFileSync('dist/.ready', key)
  await step('typescript', process.execPath, ['node_modules/typescript/bin/tsc', '-p', '.'])
  if (existsSync('dist/lib/cli/main.js')) chmodSync('dist/lib/cli/main.js', 0o755)
}

await lock('.ready.lock')
await packages()
await native()
await typescript()
