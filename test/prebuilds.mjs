// Fills prebuilds/ for the platform it runs on: the addon by prebuildify and, where nvcc is here, the CUDA library beside it, stripped
// (built first where it is stale). Node's loader finds the addon there, and the addon's folder is the first place where the library is looked for.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, rmSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { arch, execPath, exit, platform, versions } from 'node:process'
import { fileURLToPath } from 'node:url'
import { build, missing, product } from './cmake.mjs'

process.chdir(dirname(dirname(fileURLToPath(import.meta.url))))
function run(command, ...args) {
  const { status, error } = spawnSync(command, args, { stdio: 'inherit' })
  if (status === 0) return
  console.log(`${command} failed: ${error?.message ?? status}`)
  exit(1)
}

const folder = join('prebuilds', `${platform}-${arch}`)
rmSync(folder, { recursive: true, force: true })
// -t: without it prebuildify wants the headers of the newest Node it knows.
run(execPath, 'node_modules/prebuildify/bin.js', '--napi', '--strip', '--tag-libc', '-t', versions.node)
const library = product('cuda')
const why = missing('cuda')
if (!why) await build('cuda')
if (existsSync(library)) {
  mkdirSync(folder, { recursive: true })
  const packed = join(folder, basename(library))
  run('strip', '--strip-unneeded', '-o', packed, library)
  console.log(`${packed}: ${(statSync(packed).size / 1e6).toFixed(2)} MB`)
} else console.log(`without the CUDA library: ${why}`)
