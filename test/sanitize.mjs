// The tests of ops and of the boundary on an addon built with AddressSanitizer and UndefinedBehaviorSanitizer, in an ordinary
// node with the sanitizer's library preloaded. Two passes, because leaks are counted at a process's regular end and boundary
// tests end theirs in every other way: all of it without leaks, then ops with LeakSanitizer. No suppression names node or V8:
// every stack of ours passes through them, and such a line hides our own leaks.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
process.chdir(root)
const sum = { passed: 0, failed: 0, skipped: 0 }
const close = () => {
  console.log(`\n${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`)
  process.exit(sum.failed ? 1 : 0)
}
/** What cannot run here is counted as skipped, with its reason in sight. */
const skip = why => { console.log(`skipped: ${why}`); sum.skipped++; close() }

/** Streams a command's output and returns it. */
function run(command, args, env = {}) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, ...env } })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', chunk => { text += chunk; process.stdout.write(chunk) })
  return new Promise(done => child.on('close', (code, signal) => done({ code: code ?? signal, text })))
}

if (process.platform !== 'linux') skip('the preloaded sanitizer is set up for Linux only')
const compiler = process.env.CXX ?? 'g++'
const asan = spawnSync(compiler, ['-print-file-name=libasan.so'], { encoding: 'utf8' }).stdout?.trim() ?? ''
if (!existsSync(asan)) skip(`${compiler} has no libasan.so`)
if (spawnSync('cmake', ['--version']).status !== 0) skip('cmake is not installed')

console.log('build-asan: the addon with -fsanitize=address,undefined')
const built = await run(process.execPath, ['node_modules/cmake-js/bin/cmake-js', 'compile', '--out', 'build-asan', '--log-level', 'warn',
  '--CDTRANSWELD_SANITIZE=address,undefined'], { CXX: compiler })
if (built.code !== 0) {
  console.log('the sanitizer build failed')
  sum.failed++
  close()
}

const passes = [
  { name: 'ASan and UBSan over ops and boundary', tests: ['ops/', 'boundary/'], leaks: 0 },
  { name: 'LSan over ops', tests: ['ops/'], leaks: 1 },
]
for (const { name, tests, leaks } of passes) {
  console.log(`\n${name}`)
  const { text, code } = await run(process.execPath, ['test/run.mjs', ...tests], {
    TEST_PRELOAD: asan,
    TEST_SECONDS: process.env.TEST_SECONDS ?? '600',
    ASAN_OPTIONS: `detect_leaks=${leaks}:abort_on_error=0`,
    UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1',
    TRANSWELD_ADDON: join(root, 'build-asan/Release/transweld.node'),
  })
  const [, passed, failed, skipped] = /(\d+) passed, (\d+) failed, (\d+) skipped\s*$/.exec(text) ?? [0, 0, 1, 0]
  sum.passed += Number(passed)
  sum.failed += Number(failed) || (code === 0 ? 0 : 1)
  sum.skipped += Number(skipped)
}
close()
