// Builds programs of the emulation with g++ alone, plainly and under the sanitizers: only what is older than its sources. All of the
// emulation is one translation unit here, and all checks are another: the headers cost more than the code. Two test files may build
// at the same time, so every output is written under another name and renamed.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../../lib/native/load.ts'

export type Tool = 'plain' | 'asan' | 'tsan'
export type Program = 'driver' | 'machine'

const HERE = 'test/cuda_on_host'
const FOLDER = 'build-cuda-host/faults'
const COMPILER = process.env.CXX ?? 'g++'
const AVX2 = process.arch === 'x64' && /^flags.* avx2 .* bmi2 /m.test(existsSync('/proc/cpuinfo') ? readFileSync('/proc/cpuinfo', 'utf8') : '')
const FLAGS = ['-xc++', '-std=c++20', '-Wall', '-Wextra', '-Werror', '-Wno-unknown-pragmas', '-DTRANSWELD_CUDA_ON_HOST', '-ffp-contract=off', '-g', '-fPIC',
  `-I${HERE}`, '-Isrc', ...AVX2 ? ['-march=x86-64-v3'] : []]

/** What a tool adds: for the kernels, for the emulation, for the linker. The race detector watches the kernels alone. */
const TOOLS: Record<Tool, { kernels: string[], emulation: string[], link: string[] }> = {
  plain: { kernels: ['-O2'], emulation: ['-O2'], link: [] },
  asan: { kernels: ['-O1', '-fsanitize=address', '-fno-omit-frame-pointer'], emulation: ['-O1', '-fsanitize=address'], link: ['-fsanitize=address'] },
  tsan: { kernels: ['-O1', '-fsanitize=thread'], emulation: ['-O1', '-DCUDA_ON_HOST_TSAN'], link: ['-fsanitize=thread'] },
}
const PROGRAMS: Record<Program, string[]> = {
  driver: [`${HERE}/driver.cc`],
  machine: ['warp.cu', 'products.cu', 'block.cu', 'interface.cu', 'main.cc'].map(name => `${HERE}/machine/${name}`),
}

function execute(args: string[]): Promise<void> {
  return new Promise((done, failed) => {
    const child = spawn(COMPILER, args, { cwd: root(), stdio: ['ignore', 'ignore', 'pipe'] })
    let text = ''
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => { text += chunk })
    child.on('error', failed)
    child.on('close', code => code === 0 ? done() : failed(new Error(`${COMPILER} ${args.join(' ')}\n${text}`)))
  })
}

const changed = (path: string) => existsSync(path) ? statSync(path).mtimeMs : 0
const within = (folder: string) => readdirSync(join(root(), folder), { recursive: true }).map(name => join(root(), folder, String(name)))

/** Whether this machine has a compiler, and runs what it makes with this tool. */
export function works(tool: Tool): boolean {
  const folder = join(root(), FOLDER, tool)
  mkdirSync(folder, { recursive: true })
  const [source, program] = ['empty.cc', `empty.${process.pid}`].map(name => join(folder, name)) as [string, string]
  writeFileSync(source, 'int main() {}\n')
  return spawnSync(COMPILER, [...TOOLS[tool].link, source, '-o', program]).status === 0 && spawnSync(program).status === 0
}

/** The path of the program, made anew where something it is made of has changed. */
export async function build(program: Program, tool: Tool): Promise<string> {
  const folder = join(root(), FOLDER, tool)
  mkdirSync(folder, { recursive: true })
  const newest = Math.max(...[HERE, 'cuda/device', 'src'].flatMap(within).filter(path => /\.(h|cu|cc|ts)$/.test(path)).map(changed))
  const make = async (output: string, args: string[]) => {
    if (changed(output) > newest) return
    await execute([...args, '-o', `${output}.${process.pid}`])
    renameSync(`${output}.${process.pid}`, output)
  }
  const emulation = readFileSync(join(root(), HERE, 'sources.txt'), 'utf8').split('\n').filter(Boolean)
  const units = { emulation, kernels: PROGRAMS[program] }
  const objects = Object.entries(units).map(([part, sources]) => {
    const name = part === 'kernels' ? program : part
    const unit = join(folder, `${name}.cc`)
    writeFileSync(`${unit}.${process.pid}`, sources.map(source => `#include "${join(root(), source)}"\n`).join(''))
    renameSync(`${unit}.${process.pid}`, unit)
    return { unit, object: join(folder, `${name}.o`), options: TOOLS[tool][part as keyof typeof units] }
  })
  await Promise.all(objects.map(({ unit, object, options }) => make(object, [...FLAGS, ...options, '-c', unit])))
  const product = join(folder, program)
  await make(product, [...TOOLS[tool].link, ...objects.map(({ object }) => object), '-pthread'])
  return product
}

/** A finished run of such a program. The allocator fills what it gives out: nothing of the emulation may rely on zeros. */
export function run(program: string, args: string[]): { code: number | null, text: string } {
  const env = { ...process.env, ASAN_OPTIONS: 'detect_leaks=0', TSAN_OPTIONS: 'exitcode=66', MALLOC_PERTURB_: '165', LD_PRELOAD: '' }
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: root(), encoding: 'utf8', env, maxBuffer: 64 << 20, timeout: 60_000 })
  return { code: status, text: stdout + stderr }
}
