// What a killed process left beside the path that it was writing. The names of temporary files say whose they are, so that only
// those of processes that are gone are taken away:  .<base name>.<process id>.<thread id>.<counter>.<partial|old>
import { readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { threadId } from 'node:worker_threads'
import { errno } from './fault.ts'

const live = new Set<string>() // the temporary names of this thread that are in use
let counter = 0

/** A new name beside `path`, of this process and thread. Give it back with {@link release}. */
export function reserve(path: string, kind: 'partial' | 'old'): string {
  const name = `.${basename(path)}.${process.pid}.${threadId}.${counter++}.${kind}`
  live.add(name)
  return join(dirname(path), name)
}

/** The temporary name is no longer in use. */
export function release(temporary: string): void { live.delete(basename(temporary)) }

/**
 * Removes what killed writers of `path` left. If such a writer was stopped between its two renames, the folder that it had moved aside goes back
 * to its place. A missing parent folder is no error: then nothing was left.
 */
export async function recover(path: string): Promise<void> {
  const folder = dirname(path), prefix = `.${basename(path)}.`
  const names = await readdir(folder).catch(() => [] as string[])
  for (const name of names) {
    const match = name.startsWith(prefix) ? /^(\d+)\.(\d+)\.\d+\.(partial|old)$/.exec(name.slice(prefix.length)) : null
    if (match === null || live.has(name) || isAlive(Number(match[1]), Number(match[2]))) continue
    if (match[3] === 'old' && !await isThere(path)) await rename(join(folder, name), path)
    else await rm(join(folder, name), { recursive: true, force: true })
  }
}

// A name of our own process and thread that is not in use comes from an earlier process that had our id.
function isAlive(pid: number, thread: number): boolean {
  if (pid === process.pid) return thread !== threadId
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return errno(error) !== 'ESRCH'
  }
}

function isThere(path: string): Promise<boolean> {
  return stat(path).then(() => true, error => errno(error) !== 'ENOENT')
}
