// A cache of its own for each test, and a look at what lies in it.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { HubOptions } from '../../lib/hub/settings.ts'
import { Hub } from './server.ts'

/** What a test has at hand: a server, an empty cache, and the options that lead to both. */
export interface Place { readonly hub: Hub, readonly cache: string, readonly options: HubOptions }

/** Runs `body` with a server and a cache of its own, and takes both away. Nothing of the caller's environment counts. */
export async function withHub(body: (place: Place) => Promise<void>): Promise<void> {
  const hub = await Hub.start(), cache = await mkdtemp(join(tmpdir(), 'transweld-hub-'))
  const kept = Object.entries(process.env).filter(([name]) => /^(HF_|HUGGING|TRANSFORMERS_)/.test(name))
  for (const [name] of kept) delete process.env[name]
  try {
    await body({ hub, cache, options: { endpoint: hub.endpoint, cache, token: false } })
  } finally {
    Object.assign(process.env, Object.fromEntries(kept))
    await hub.stop()
    await rm(cache, { recursive: true, force: true })
  }
}

/** Every file and link below a folder, sorted, with forward slashes. */
export async function below(folder: string): Promise<string[]> {
  const items = await readdir(folder, { recursive: true, withFileTypes: true })
  return items.filter(item => !item.isDirectory()).map(item => join(item.parentPath, item.name).slice(folder.length + 1).replaceAll('\\', '/')).sort()
}

/** The bytes of a file of a resolved folder. */
export const bytesOf = (folder: string, path: string): Promise<Buffer> => readFile(join(folder, path))
