// The files of one commit: asked of the hub, read from the cache's `trees/<commit>.json` (the form of Python's huggingface_hub), or,
// where that is not there, from what lies in the snapshot's folder.
import { mkdir, readdir, readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { TransweldError } from '../native/error.ts'
import { replaceFile } from '../safetensors/atomic.ts'
import { errno, fileError } from '../safetensors/fault.ts'
import type { Connection } from './connection.ts'
import { Unreachable, type Wanted } from './fault.ts'
import { isCommit } from './id.ts'

/** One file as the hub knows it. */
export interface RemoteFile {
  readonly path: string
  readonly size: number
  /** What its blob is called and proves: the sha256 (64 digits) of a large file, the git blob's sha1 (40 digits) of a small one. */
  readonly etag: string
  /** The git object's name: the file's own, or that of the pointer that stands for a large file. */
  readonly oid: string
  readonly xetHash?: string
}

/** All files of a commit, by path. */
export interface Tree {
  readonly commit: string
  readonly files: ReadonlyMap<string, RemoteFile>
  /** True for what was found in a folder: files may be missing from it without a trace. */
  readonly isPartial: boolean
}

const MAX_FILES = 100_000
const isHash = (text: unknown): text is string => typeof text === 'string' && isCommit(text)
const isSize = (value: unknown): value is number => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0

/**
 * The commit that a revision names now, and its files.
 * @throws TransweldError ERR_UNSUPPORTED if `@huggingface/hub` is not installed, ERR_FORMAT if the answer is none of a hub's, and what the connection throws.
 */
export async function askTree(connection: Connection, { id, revision, endpoint }: Wanted): Promise<Tree> {
  const { modelInfo, listFiles } = await library()
  const bad = (why: string, cause?: unknown): TransweldError =>
    new TransweldError('ERR_FORMAT', `${endpoint} does not answer as a hub does for ${id}: ${why}. Look at HF_ENDPOINT`, { cause })
  const shared = { hubUrl: endpoint, fetch: connection.fetch as typeof fetch }
  try {
    const { sha } = await modelInfo({ ...shared, name: id, revision, additionalFields: ['sha'] })
    if (!isHash(sha)) throw bad('it names no commit')
    const files = new Map<string, RemoteFile>()
    for await (const entry of listFiles({ ...shared, repo: { type: 'model', name: id }, revision: sha, recursive: true })) {
      if (typeof entry?.type !== 'string') throw bad('its list holds something else than files')
      if (entry.type !== 'file') continue
      const { path, size, oid, lfs, xetHash } = entry, etag = lfs?.oid ?? oid
      if (typeof path !== 'string' || !isSize(size) || !isHash(oid) || !isHash(etag)) throw bad(`it lists ${JSON.stringify(path)} without a size or a hash`)
      files.set(path, { path, size: isSize(lfs?.size) ? lfs.size : size, etag, oid, ...(isHash(xetHash) && { xetHash }) })
      if (files.size > MAX_FILES) throw bad(`it lists more than ${MAX_FILES} files`)
    }
    return { commit: sha, files, isPartial: false }
  } catch (error) {
    if (error instanceof TransweldError || error instanceof Unreachable) throw error
    throw bad(error instanceof Error ? error.message : String(error), error)
  }
}

// Loaded when the first id is asked for, so that who never does pays nothing and may leave the package out.
async function library(): Promise<typeof import('@huggingface/hub')> {
  try {
    return await import('@huggingface/hub')
  } catch (cause) {
    const fix = 'models on the hub need the package @huggingface/hub, which is not installed: npm install @huggingface/hub'
    throw new TransweldError('ERR_UNSUPPORTED', fix, { cause })
  }
}

const treePath = (repo: string, commit: string): string => join(repo, 'trees', `${commit}.json`)

/** The tree that an earlier call wrote, here or in Python; undefined if there is none that can be read. */
export async function readTree(repo: string, commit: string): Promise<Tree | undefined> {
  try {
    const json = JSON.parse(await readFile(treePath(repo, commit), 'utf8')) as { format_version?: unknown, files?: Record<string, Record<string, unknown>> }
    if (json.format_version !== 1) return undefined
    const files = new Map<string, RemoteFile>()
    for (const [path, info] of Object.entries(json.files ?? {})) {
      const etag = info['lfs_sha256'] ?? info['blob_id'], size = info['lfs_size'] ?? info['size'], oid = info['blob_id'], xetHash = info['xet_hash']
      if (!isHash(etag) || !isHash(oid) || !isSize(size)) return undefined
      files.set(path, { path, size, etag, oid, ...(isHash(xetHash) && { xetHash }) })
    }
    return { commit, files, isPartial: false }
  } catch { return undefined } // as if it had never been written: the hub, or the folder, is asked
}

/** Keeps a tree for calls without a network. */
export async function writeTree(repo: string, { commit, files }: Tree): Promise<void> {
  const path = treePath(repo, commit)
  const entries = [...files.values()].sort((a, b) => a.path < b.path ? -1 : 1).map(({ path, size, etag, oid, xetHash }) => [path,
    { size, blob_id: oid, ...(etag !== oid && { lfs_sha256: etag, lfs_size: size }), ...(xetHash !== undefined && { xet_hash: xetHash }) }])
  await mkdir(dirname(path), { recursive: true }).catch(error => { throw fileError('write', dirname(path), error) })
  await replaceFile(path, JSON.stringify({ format_version: 1, files: Object.fromEntries(entries) }, null, 1))
}

/** What lies in a snapshot's folder; links that lead nowhere are left out. */
export async function folderTree(folder: string, commit: string): Promise<Tree> {
  const files = new Map<string, RemoteFile>()
  const names = await readdir(folder, { recursive: true }).catch(error => {
    if (errno(error) === 'ENOENT') return []
    throw fileError('read', folder, error)
  })
  for (const name of names) {
    const found = await stat(join(folder, name)).catch(() => undefined), path = name.replaceAll('\\', '/')
    if (found?.isFile()) files.set(path, { path, size: found.size, etag: '', oid: '' })
  }
  return { commit, files, isPartial: true }
}
