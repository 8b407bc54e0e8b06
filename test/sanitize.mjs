// The tests of ops and of the boundary on libraries built with AddressSanitizer and UndefinedBehaviorSanitizer, in an ordinary node
// with the sanitizer's library preloaded: the addon, and the CUDA backend's sources compiled for the CPU (in one order of threads:
// what lies out of bounds does so in every order). Leaks are counted in a pass of their own, because they are counted at a
// process's regular end and boundary tests end theirs in every other way. No suppression names node or V8: every stack of ours
// passes through them, and such a line hides our own leaks.
// Then the race detector, in a process without Node: every case of the ops on the CPU's threads, and on the kernels, where a CUDA
// thread is a thread to it: a missing barrier is a race in any order. Arguments choose passes by a part of their name.
import { spawn, spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, missing, product } from './cmake.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
process.chdir(root)
const CASES = 'build/cases.bin'
const EMULATED = 'cuda-host:0', OLDER = 'cuda-host:1'   // of sm_90a and of sm_80: the encoder has kernels of its own for each
const compiler = process.env.CXX ?? 'g++'
const asan = spawnSync(compiler, ['-print-file-name=libasan.so'], { encoding: 'utf8' }).stdout?.trim() ?? ''

const UNDER_ASAN = {
  TEST_PRELOAD: asan,
  TEST_SECONDS: process.env.TEST_SECONDS ?? '1800',
  ASAN_OPTIONS: 'detect_leaks=0:abort_on_error=0',
  UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1',
  TRANSWELD_ADDON: join(root, product('asan')),
  TRANSWELD_CUDA_HOST_LIBRARY: '',
}
const UNDER_TSAN = { TSAN_OPTIONS: 'exitcode=66:second_deadlock_stack=1' }

const ops = (...options) => ['test/run.mjs', 'ops/', ...options]
const PASSES = [
  { name: 'ASan and UBSan over ops, boundary and loading', needs: ['asan'], node: ops('boundary/', 'safetensors/load'), env: UNDER_ASAN },
  { name: 'LSan over ops', needs: ['asan'], node: ops(), env: { ...UNDER_ASAN, ASAN_OPTIONS: 'detect_leaks=1:abort_on_error=0' } },
  { name: 'ASan and UBSan over ops on cuda-host', needs: ['asan', 'cuda-host-asan'], node: ops(),
    env: { ...UNDER_ASAN, TEST_DEVICES: EMULATED, TRANSWELD_CUDA_HOST_LIBRARY: join(root, product('cuda-host-asan')) } },
  { name: 'ASan and UBSan over the encoder of sm_80', needs: ['asan', 'cuda-host-asan'], node: ['test/run.mjs', 'ops/sparse_encode', 'ops/devices'],
    env: { ...UNDER_ASAN, TEST_DEVICES: OLDER, TRANSWELD_CUDA_HOST_LIBRARY: join(root, product('cuda-host-asan')) } },
  { name: 'TSan over the CPU backend', needs: ['native-tsan'], program: [product('native-tsan'), '--threads', '2,3', CASES], env: UNDER_TSAN },
  { name: 'TSan over the kernels on cuda-host', needs: ['native-tsan', 'cuda-host-tsan'],
    program: [product('native-tsan'), '--library', product('cuda-host-tsan'), CASES], env: UNDER_TSAN },
  { name: 'TSan over the encoder of sm_80', needs: ['native-tsan', 'cuda-host-tsan'],
    program: [product('native-tsan'), '--library', product('cuda-host-tsan'), '--device', '1', '--only', 'sparse_encode', CASES], env: UNDER_TSAN },
]

/** Streams a command's output and returns it with its exit code. */
function run(command, args, env = {}) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', chunk => { text += chunk; process.stdout.write(chunk) })
  }
  return new Promise(done => child.on('close', (code, signal) => done({ code: code ?? signal, text })))
}

const sum = { passed: 0, failed: 0, skipped: 0 }
let generated = false
const chosen = PASSES.filter(({ name }) => process.argv.length < 3 || process.argv.slice(2).some(part => name.includes(part)))
for (const { name, needs, node, program, env } of chosen) {
  console.log(`\n${name}`)
  const why = needs.map(missing).find(Boolean)
  if (why) {
    console.log(`skipped: ${why}`)
    sum.skipped++
    continue
  }
  for (const variant of needs) await build(variant)
  if (program && !generated) generated = (await run(process.execPath, ['dist/test/native/generate.js', CASES])).code === 0
  const start = Date.now()
  const { text, code } = node ? await run(process.execPath, node, env) : await run(program[0], program.slice(1), env)
  console.log(`${name}: ${((Date.now() - start) / 1000).toFixed(0)} s`)
  const [, passed, failed, skipped] = /(\d+) passed, (\d+) failed, (\d+) skipped\s*$/.exec(text) ?? [0, 0, 1, 0]
  const reports = text.match(/^(WARNING: ThreadSanitizer|==\d+==ERROR: |.*runtime error: )/gm)?.length ?? 0
  sum.passed += Number(passed)
  sum.failed += Number(failed) || (code === 0 && reports === 0 ? 0 : 1)
  sum.skipped += Number(skipped)
}
if (!chosen.length) {
  console.log(`no pass is called ${process.argv.slice(2).join(' or ')}`)
  sum.failed++
}
console.log(`\n${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`)
process.exitCode = sum.failed ? 1 : 0
