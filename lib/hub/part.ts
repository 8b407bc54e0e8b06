// Files that are on their way: <etag>.<machine>-<process>-<number>.incomplete beside the blob that they will be. Each belongs to one
// writer, so that two at once cannot damage each other; what a dead one left is taken over by a rename, which only one can win.
import { createHash } from 'node:crypto'
import { readdir, rename, rm, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { threadId } from 'node:worker_threads'
import { errno } from '../safetensors/fault.ts'

const MACHINE = createHash('sha256').update(hostname()).digest('hex').slice(0, 8)
const ABANDONED_MS = 600_000 // of a writer elsewhere: it gives up by itself after far less without a byte
const live = new Set<string>() // names that this thread writes to
let counter = 0

/** The end of the name of every file that is on its way, Python's too. */
export const INCOMPLETE = '.incomplete'

/** A part of `blob` that is ours: the longest that a writer left who is gone, or the name of a new one. Give it back with {@link releasePart}. */
export async function claimPart(blob: string): Promise<string> {
  const mine = `${blob}.${MACHINE}-${process.pid}-${threadId}-${counter++}${INCOMPLETE}`
  live.add(basename(mine))
  for (const { path } of await leftParts(blob)) {
    try {
      await rename(path, mine)
      break
    } catch (error) {
      if (errno(error) !== 'ENOENT') throw error // else another writer was faster
    }
  }
  return mine
}

/** Removes what writers left who are gone, once the blob is there. */
export async function sweepParts(blob: string): Promise<void> {
  for (const { path } of await leftParts(blob)) await rm(path, { force: true })
}

// The longest first.
async function leftParts(blob: string): Promise<{ path: string, size: number }[]> {
  const folder = dirname(blob), prefix = basename(blob) + '.', found: { path: string, size: number }[] = []
  for (const name of await readdir(folder)) {
    const owner = name.startsWith(prefix) ? /^([0-9a-f]{8})-(\d+)-(\d+)-\d+\.incomplete$/.exec(name.slice(prefix.length)) : null
    if (owner === null || live.has(name)) continue
    const path = join(folder, name), file = await stat(path).catch(() => undefined)
    if (file && isLeft(owner[1]!, Number(owner[2]), Number(owner[3]), file.mtimeMs)) found.push({ path, size: file.size })
  }
  return found.sort((a, b) => b.size - a.size)
}

/** The part is no longer written to. */
export function releasePart(part: string): void { live.delete(basename(part)) }

// Of our own process and thread, a name that is not in use comes from a try that has ended.
function isLeft(machine: string, pid: number, thread: number, written: number): boolean {
  if (machine === MACHINE && pid === process.pid && thread === threadId) return true
  if (machine === MACHINE && pid !== process.pid && !isAlive(pid)) return true
  return Date.now() - written > ABANDONED_MS
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return errno(error) !== 'ESRCH'
  }
}
