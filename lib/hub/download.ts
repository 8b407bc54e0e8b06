// Brings files of one commit into the cache: what is there is left alone, four of the others come at a time, the first fault stops all.
import { symlink } from 'node:fs/promises'
import type { Connection } from './connection.ts'
import type { Repo } from './repo.ts'
import type { HubProgress } from './settings.ts'
import { transfer } from './transfer.ts'
import type { RemoteFile } from './tree.ts'

const AT_ONCE = 4
const TELL_MS = 100

/** What {@link download} needs besides the files. */
export interface Download {
  readonly connection: Connection
  readonly endpoint: string
  readonly repo: Repo
  readonly commit: string
  /** Whether links are wanted in the snapshot. */
  readonly links: boolean
  readonly progress: ((progress: HubProgress) => void) | undefined
}

/**
 * Makes the files be in the snapshot, and says whether any was not. Throws as {@link transfer} does; what arrived before stays.
 */
export async function download(files: readonly RemoteFile[], job: Download): Promise<boolean> {
  const { repo, commit } = job, link = job.links && symlink
  const lacking: RemoteFile[] = [], absent: RemoteFile[] = []
  for (const file of files) if (!await repo.holds(commit, file)) lacking.push(file)
  for (const file of lacking) {
    if (await repo.holdsBlob(file)) await repo.place(commit, file, false, link)
    else absent.push(file)
  }
  const meter = new Meter(absent, job.progress), waiting = [...absent], faults: unknown[] = [], stop = new AbortController()
  const connection = job.connection.until(stop.signal)
  const work = async (): Promise<void> => {
    for (let file; !stop.signal.aborted && (file = waiting.shift()) !== undefined;) {
      const { path } = file, url = `${job.endpoint}/${repo.id}/resolve/${commit}/${path.split('/').map(encodeURIComponent).join('/')}`
      await transfer({ connection, url, file, blob: repo.blob(file), moved: bytes => meter.add(path, bytes) })
      await repo.place(commit, file, true, link)
    }
  }
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, absent.length) }, () => work().catch(error => {
    faults.push(error) // the first is the one to tell: the others were stopped by it
    stop.abort()
  })))
  if (faults.length > 0) throw faults[0]
  return lacking.length > 0
}

/** Adds up what has come, and tells it ten times a second at most. */
class Meter {
  readonly #tell: ((progress: HubProgress) => void) | undefined
  readonly #files: number
  readonly #total: number
  #received = 0
  #told = -Infinity

  constructor(files: readonly RemoteFile[], tell: ((progress: HubProgress) => void) | undefined) {
    this.#tell = tell
    this.#files = files.length
    this.#total = files.reduce((sum, file) => sum + file.size, 0)
  }

  add(file: string, bytes: number): void {
    this.#received += bytes
    const now = performance.now()
    if (now - this.#told < TELL_MS && this.#received < this.#total) return
    this.#told = now
    this.#tell?.({ file, received: this.#received, total: this.#total, files: this.#files })
  }
}
