// The steps of a build: a command that shows its last line while it runs and its whole output only if it fails, the lock that keeps
// two builds of a checkout apart, and digests that tell what is stale. Node's own modules alone: it runs before any install.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, linkSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export const say = text => process.stderr.write(text)
export const digest = parts => parts.reduce((hash, part) => hash.update(part).update('\0'), createHash('sha256')).digest('hex')
export const digestFiles = files => digest(files.flatMap(file => [file, readFileSync(file)]))
export const walk = dir => (existsSync(dir) ? readdirSync(dir, { recursive: true, withFileTypes: true }) : [])
  .filter(entry => entry.isFile()).map(entry => join(entry.parentPath ?? entry.path, entry.name)).sort()
export const read = file => (existsSync(file) ? readFileSync(file, 'utf8') : '')

/** Runs a command and shows its last line while it runs; its whole output only if it fails. */
export async function step(what, command, args, env = {}) {
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

/** One at a time in a checkout: the lock file holds the process id, a dead owner's lock is taken over. Returns what gives it back. */
export async function lock(file) {
  const mine = `${file}.${process.pid}`
  const alive = pid => { try { process.kill(pid, 0); return true } catch (error) { return error.code === 'EPERM' } }
  const release = () => {
    rmSync(mine, { force: true })
    if (read(file) === String(process.pid)) rmSync(file, { force: true })
  }
  writeFileSync(mine, String(process.pid))
  process.on('exit', release)
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130))
  for (let waited = false; ;) {
    try { linkSync(mine, file); return release } catch (error) { if (error.code !== 'EEXIST') throw error }
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
