// What CMake builds, each variant in a folder of its own: `node test/cmake.mjs cuda`, where the names are those of VARIANTS. A variant
// whose sources have not changed since costs nothing. What this machine lacks for one is said in words and is a failure, with
// --optional a skip; the last line is `N passed, N failed, N skipped`. Node's own modules alone, like test/ready.mjs.
import { spawnSync } from 'node:child_process'
import { existsSync, statSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { argv, env, execPath, platform } from 'node:process'
import { fileURLToPath } from 'node:url'
import { digest, digestFiles, lock, read, step, walk } from './step.mjs'

const ASAN = 'address,undefined'
const HOST = { product: 'transweld_cuda_host.so', options: { CUDA_ON_HOST: 'ON' }, sources: ['cuda', 'test/cuda_on_host'] }
const NATIVE = { product: 'transweld_native', options: { NATIVE: 'ON' }, sources: ['src', 'test/native'] }
export const VARIANTS = {
  'cuda': { product: 'transweld_cuda.so', options: { CUDA: 'ON' }, sources: ['cuda'] },
  'cuda-host': HOST,
  'cuda-host-asan': { ...HOST, options: { ...HOST.options, SANITIZE: ASAN } },
  'cuda-host-tsan': { ...HOST, options: { ...HOST.options, SANITIZE: 'thread' } },
  'asan': { product: 'transweld.node', options: { SANITIZE: ASAN }, sources: ['src'] },
  'native': NATIVE,
  'native-tsan': { ...NATIVE, options: { ...NATIVE.options, SANITIZE: 'thread' } },
}

const folder = name => `build-${name}`

/** Where a variant's product lies, from the checkout. */
export const product = name => join(folder(name), 'Release', VARIANTS[name].product)

const compiler = () => env.CXX ?? 'g++'
const said = (command, ...args) => {
  const { status, stdout } = spawnSync(command, args, { encoding: 'utf8' })
  return status === 0 ? stdout.trim() : undefined
}

/** The first nvcc of version 13 or later, or what stands in its place. CUDACXX is looked at alone. */
function nvcc() {
  const places = env.CUDACXX ? [env.CUDACXX] : ['nvcc', '/usr/local/cuda/bin/nvcc']
  const found = places.map(path => ({ path, version: /release ([\d.]+)/.exec(said(path, '--version') ?? '')?.[1] })).filter(one => one.version)
  return found.find(one => parseInt(one.version) >= 13) ?? found[0]
}

/** Why a variant cannot be built on this machine, in words; empty if it can. */
export function missing(name) {
  if (platform !== 'linux') return `${folder(name)} is built on Linux only`
  if (said('cmake', '--version') === undefined) return 'expected cmake 3.25 or newer but it is not installed'
  if (said(compiler(), '--version') === undefined) return `expected a C++ compiler but there is no ${compiler()}; name yours in CXX`
  const { SANITIZE, CUDA } = VARIANTS[name].options
  for (const [kind, library] of [[ASAN, 'libasan.so'], ['thread', 'libtsan.so']]) {
    if (SANITIZE === kind && !existsSync(said(compiler(), `-print-file-name=${library}`) ?? '')) return `${compiler()} has no ${library}`
  }
  if (!CUDA) return ''
  const tool = nvcc()
  if (tool && parseInt(tool.version) >= 13) return ''
  return `expected nvcc of CUDA 13 or newer on PATH, in CUDACXX or in /usr/local/cuda/bin but ${tool ? `${tool.path} is ${tool.version}` : 'found none'}. `
    + 'The toolkit builds transweld_cuda.so and is not needed to run it; everything else builds without it'
}

/** Builds a variant where it is stale. A failure shows the output and ends the process with 1. */
export async function build(name) {
  const release = await lock(`.ready.lock.${name}`)
  try { await make(name) } finally { release() }
}

async function make(name) {
  const { options, sources } = VARIANTS[name]
  const headers = walk('src').filter(path => dirname(path) === 'src')
  const inputs = [...headers, ...sources.flatMap(walk)].filter(path => !/\.(ts|md)$/.test(path))
  const key = digest([compiler(), options.CUDA ? JSON.stringify(nvcc()) : '', digestFiles(['CMakeLists.txt', 'sources.json', ...inputs])])
  const ready = join(folder(name), '.ready')
  if (read(ready) === key && existsSync(product(name))) return
  // A folder that plain cmake has made keeps its generator.
  const generator = /^CMAKE_GENERATOR:INTERNAL=(.+)$/m.exec(read(join(folder(name), 'CMakeCache.txt')))?.[1]
  await step(folder(name), execPath, ['node_modules/cmake-js/bin/cmake-js', 'compile', '--out', folder(name), '--log-level', 'warn',
    '--parallel', String(availableParallelism()), ...Object.entries(options).map(([option, value]) => `--CDTRANSWELD_${option}=${value}`),
    ...(generator ? ['--generator', generator] : [])],
  { CXX: compiler(), ...(options.CUDA && { CUDACXX: nvcc().path }) })
  writeFileSync(ready, key)
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  process.chdir(dirname(dirname(argv[1])))
  const name = argv[2]
  if (!(name in VARIANTS)) {
    console.log(`expected one of ${Object.keys(VARIANTS).join(', ')} but received ${name}`)
    process.exit(1)
  }
  const why = missing(name)
  const optional = argv.includes('--optional')
  if (why) {
    console.log(`${optional ? 'skipped' : 'FAILED'}: ${folder(name)}: ${why}`)
    console.log(optional ? '\n0 passed, 0 failed, 1 skipped' : '\n0 passed, 1 failed, 0 skipped')
    process.exit(optional ? 0 : 1)
  }
  await build(name)
  console.log(`ok: ${product(name)}, ${(statSync(product(name)).size / 1e6).toFixed(1)} MB\n\n1 passed, 0 failed, 0 skipped`)
}
