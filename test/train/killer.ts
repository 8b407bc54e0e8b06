// Kills a training run at random moments and resumes it until it is done; then compares every byte of its weights with
// those of a run that nothing interrupted.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const VICTIM = join(fileURLToPath(import.meta.url), '..', 'victim.js')

/** sha256 of every layer file of a finished run. */
export async function weightsOf(folder: string): Promise<string> {
  const hash = createHash('sha256')
  const names = (await readdir(folder)).filter(name => /^layer_\d+\.safetensors$/.test(name)).sort()
  if (names.length === 0) throw new Error(`${folder} holds no transcoders`)
  for (const name of names) hash.update(name).update(await readFile(join(folder, name)))
  return hash.digest('hex')
}

// Runs the victim; with `kill`, SIGKILL so many milliseconds after its first event. Tells whether it came to its end.
function run(out: string, kind: string, resume: boolean, kill?: number): Promise<boolean> {
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, ['--enable-source-maps', VICTIM, out, kind, ...resume ? ['resume'] : []], { stdio: ['ignore', 'pipe', 'pipe'] })
    let text = '', wrong = '', timer: NodeJS.Timeout | undefined
    child.stdout.on('data', (data: Buffer) => {
      text += data
      if (kill !== undefined) timer ??= setTimeout(() => child.kill('SIGKILL'), kill)
    })
    child.stderr.on('data', (data: Buffer) => { wrong += data })
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      if (signal !== 'SIGKILL' && code !== 0) fail(new Error(`the run ended with ${signal ?? code}: ${wrong}`))
      else done(/^done /m.test(text) && signal === null)
    })
  })
}

/** What `killAndCompare` saw. */
export interface Killed { readonly kills: number, readonly runs: number, readonly same: boolean }

/** Kills `kills` times, `milliseconds(i)` after the first event of each try, then lets the run end. */
export async function killAndCompare(kind: 'topk' | 'relu', kills: number, milliseconds: (i: number) => number): Promise<Killed> {
  const folder = await mkdtemp(join(tmpdir(), 'transweld-kill-'))
  try {
    const whole = join(folder, 'whole'), broken = join(folder, 'broken')
    await run(whole, kind, false)
    let done = 0, runs = 0
    for (; done < kills; runs++) {
      const ended = await run(broken, kind, runs > 0, milliseconds(done))
      if (!ended) { done++; continue }
      if (await weightsOf(broken) !== await weightsOf(whole)) return { kills: done, runs, same: false }
      await rm(broken, { recursive: true })        // it got through: begin again, for more kills
      runs = -1
    }
    await run(broken, kind, true)
    return { kills: done, runs: runs + 1, same: await weightsOf(broken) === await weightsOf(whole) }
  } finally { await rm(folder, { recursive: true, force: true }) }
}
