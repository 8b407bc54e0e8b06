// Runs the compiled tests of TEST_FOLDER (dist/test): every file in a process of its own, TEST_JOBS (2) at a time,
// TEST_SECONDS (600) for each. Arguments are parts of file names: `node test/run.mjs ops/ laws/imports`. A file fails that ran
// no test, that came to no closing total, that ended by a signal, that failed after its tests, or that says `.only(`. Of a file that
// is sound, the lines `skipped: reason` are shown.
// The last line is `N passed, N failed, N skipped`.
import { spawn } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

process.chdir(dirname(dirname(fileURLToPath(import.meta.url))))
const folder = process.env.TEST_FOLDER ?? 'dist/test'
const jobs = Number(process.env.TEST_JOBS ?? 2)
const seconds = Number(process.env.TEST_SECONDS ?? 600)
const only = process.argv.slice(2)
/** A sanitizer's library goes into the tests and what they start, not into this runner. */
const preload = process.env.TEST_PRELOAD ? { LD_PRELOAD: process.env.TEST_PRELOAD } : {}
const running = new Set()

/** Each test leads its own process group, so that what it started ends with it. */
const end = child => { try { process.kill(-child.pid, 'SIGKILL') } catch { /* it has ended already */ } }
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => { running.forEach(end); process.exit(130) })

/** The process's output and how it ended. */
function outcome(file) {
  const child = spawn(process.execPath, ['--enable-source-maps', '--expose-gc', join(folder, file)], {
    env: { ...process.env, ...preload, NO_COLOR: '1', FORCE_COLOR: '0' }, stdio: ['ignore', 'pipe', 'pipe'], detached: true,
  })
  running.add(child)
  let text = ''
  let late = false
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', chunk => { text += chunk })
  const timer = setTimeout(() => { late = true; end(child) }, seconds * 1000)
  return new Promise(done => child.on('close', (code, signal) => {
    clearTimeout(timer)
    running.delete(child)
    done({ text, code, signal, late })
  }))
}

/** uvu's closing lines into numbers, and what is wrong with the file beyond its failed tests. */
function judge(file, { text, code, signal, late }) {
  // The last of each: what a test shows of its own may look the same.
  const count = name => Number([...text.matchAll(new RegExp(`^  ${name}:\\s+(\\d+)`, 'gm'))].at(-1)?.[1] ?? NaN)
  const total = count('Total')
  const passed = count('Passed') || 0
  const skipped = count('Skipped') || 0
  let why = ''
  if (late) why = `ran longer than ${seconds} s`
  else if (signal) why = `killed by ${signal}`
  else if (Number.isNaN(total)) why = code === 0 ? 'no closing total: is test.run() forgotten?' : `exit code ${code} before its tests had ended`
  else if (total + skipped === 0) why = 'holds no test'
  else if (code !== 0 && passed === total) why = `exit code ${code} after its tests`
  else if (code === 0 && passed < total) why = 'exit code 0 although tests failed'
  else if (/\.only\(/.test(readFileSync(join(folder, file), 'utf8'))) why = '.only( hides the other tests of this file'
  return { passed, skipped, failed: (Number.isNaN(total) ? 0 : total - passed) + (why ? 1 : 0), why }
}

const files = (existsSync(folder) ? readdirSync(folder, { recursive: true }) : []).map(String)
  .filter(file => file.endsWith('.test.js') && (!only.length || only.some(part => file.includes(part)))).sort()
const queue = [...files]
const sum = { passed: 0, failed: 0, skipped: 0 }
const broken = []

async function worker() {
  for (let file; (file = queue.shift()) !== undefined;) {
    const start = Date.now()
    const result = await outcome(file)
    const { passed, failed, skipped, why } = judge(file, result)
    sum.passed += passed
    sum.failed += failed
    sum.skipped += skipped
    const counts = [`${passed} passed`, ...(failed ? [`${failed} failed`] : []), ...(skipped ? [`${skipped} skipped`] : [])].join(', ')
    console.log(`${file.padEnd(44)} ${((Date.now() - start) / 1000).toFixed(1).padStart(6)} s  ${counts}${why ? `  (${why})` : ''}`)
    if (failed) {
      broken.push(file)
      console.log(result.text)
    } else for (const [line] of result.text.matchAll(/^skipped: .*/gm)) console.log(`  ${line}`)
  }
}

await Promise.all(Array.from({ length: jobs }, worker))
if (!files.length) {
  sum.failed++
  console.log(`no test file${only.length ? ` matches ${only.join(' ')}` : ''}`)
}
if (broken.length) console.log(`\nfailed: ${broken.join(' ')}`)
console.log(`\n${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`)
process.exitCode = sum.failed ? 1 : 0
