// The same bits whatever the number of threads and, within a class, whatever the instruction set. Each combination is a
// process of its own (both are read once) that prints a digest of every op's result; bits.test.js prints when given "print".
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { devices } from '../../lib/native/backend.ts'
import { digests } from './digests.ts'

const isPrinting = process.argv[2] === 'print'
if (isPrinting) {
  const isHere = devices().devices.some(({ device }) => device === 'cpu')
  const results = isHere ? await digests(bytes => createHash('sha256').update(bytes).digest('hex')) : null
  process.stdout.write(JSON.stringify(results))
}

/** What a child with these settings printed: null where this machine lacks the instruction set. */
async function printed(isa: string, threads: number): Promise<Record<string, string> | null> {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), 'print'], {
    env: { ...process.env, TRANSWELD_ISA: isa, TRANSWELD_THREADS: String(threads), TRANSWELD_DEVICE: '' }, stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => { text += chunk })
  const code = await new Promise(done => child.on('close', done))
  if (code !== 0) throw new Error(`${isa} with ${threads} threads ended with ${code}`)
  return JSON.parse(text) as Record<string, string> | null
}

/** Sums whose order is an instruction set's own: they must not depend on threads, but may on the instruction set. */
const OWN = /^matmul rounded/
const CLASSES = { baseline: ['baseline'], fma: process.arch === 'x64' ? ['avx2', 'avxvnni', 'avx512', 'avx512vnni'] : ['neon'] }

for (const [name, sets] of Object.entries(CLASSES)) {
  test(`class ${name}: ${sets.join(', ')} with 1, 2 and 3 threads`, async () => {
    let first: Record<string, string> | undefined, own: Record<string, string> = {}, whose = ''
    for (const isa of sets) {
      for (const threads of [1, 2, 3]) {
        const results = await printed(isa, threads)
        if (!results) break
        if (!first) [first, whose] = [results, isa]
        if (threads === 1) own = results
        const different = Object.keys(first).filter(key => results[key] !== (OWN.test(key) ? own : first!)[key])
        assert.equal(different, [], `${isa} with ${threads} threads against ${whose} with 1`)
      }
    }
    if (name === 'baseline') assert.ok(first, 'the baseline is always there')
    if (first) assert.ok(Object.keys(first).length > 30)
  })
}

if (!isPrinting) test.run()
