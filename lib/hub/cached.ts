// What the cache holds: a line for each snapshot, with what its files say of themselves and what they lack.
import { open, readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { text as checkText } from '../native/check.ts'
import { TransweldError } from '../native/error.ts'
import { errno, fileError } from '../safetensors/fault.ts'
import { headerLength, parseHeader } from '../safetensors/header.ts'
import { getModel } from './choose.ts'
import { Incomplete } from './fault.ts'
import { isCommit } from './id.ts'
import { INCOMPLETE } from './part.ts'
import { idOfFolder, Repo } from './repo.ts'
import { holding, text } from './resolve.ts'
import { cacheFolder } from './settings.ts'
import { folderTree, readTree } from './tree.ts'

/** A snapshot in the cache. */
export interface CachedModel {
  readonly id: string
  /** The commit; undefined where a download was stopped before its first file was whole. */
  readonly commit: string | undefined
  /** The branches and tags that named the commit when they were last asked for. */
  readonly revisions: readonly string[]
  /** The snapshot's folder, which a model may be opened from. */
  readonly folder: string
  /** Bytes of the snapshot's files. Two snapshots of one model may share some of them. */
  readonly bytes: number
  /** Bytes of downloads of this model that were not finished, of all of its snapshots. */
  readonly unfinishedBytes: number
  /** `model_type` of config.json; undefined where there is none. */
  readonly family: string | undefined
  /** The dtypes of the first file of weights, the one with most bytes first, such as `BF16` or `F32+I64`; else what config.json says. */
  readonly dtype: string | undefined
  /** Files that are needed to open it and are not there; empty for a whole model, and for what is no model. */
  readonly missing: readonly string[]
}

/**
 * The models of a cache folder (default: that of the environment, as {@link resolveModel} has it), by id. A folder that is not there is an empty cache.
 *
 * @throws TransweldError ERR_FILE if the folder cannot be read.
 * @example
 * import { cachedModels } from 'transweld'
 * for (const { id, bytes, missing } of await cachedModels()) console.log(id, bytes, missing.length === 0 ? 'whole' : 'incomplete')
 */
export async function cachedModels(cache: string = cacheFolder()): Promise<CachedModel[]> {
  const models: CachedModel[] = []
  for (const name of (await names(checkText('cache', cache))).sort()) {
    const id = idOfFolder(name)
    if (id !== undefined) models.push(...await snapshots(new Repo(cache, id)))
  }
  return models
}

async function snapshots(repo: Repo): Promise<CachedModel[]> {
  const unfinishedBytes = await unfinished(join(repo.folder, 'blobs')), revisions = await refs(repo.folder)
  const commits = (await names(join(repo.folder, 'snapshots'))).filter(isCommit).sort()
  if (commits.length === 0 && unfinishedBytes > 0) {
    const nothing = { commit: undefined, revisions: [], bytes: 0, family: undefined, dtype: undefined, missing: ['config.json'] }
    return [{ id: repo.id, folder: repo.folder, unfinishedBytes, ...nothing }]
  }
  return Promise.all(commits.map(async commit => {
    const folder = repo.snapshot(commit), there = [...(await folderTree(folder, commit)).files.values()]
    const config = await readConfig(join(folder, 'config.json')), family = config['model_type']
    return {
      id: repo.id, commit, folder, unfinishedBytes,
      revisions: revisions.filter(ref => ref.commit === commit).map(ref => ref.revision),
      bytes: there.reduce((sum, file) => sum + file.size, 0),
      family: typeof family === 'string' ? family : undefined,
      dtype: await dtypes(folder, there.map(file => file.path)) ?? configDtype(config),
      missing: await missing(repo, commit),
    }
  }))
}

// What opening it offline would lack. A repository that is no model by the hub's own list lacks nothing.
async function missing(repo: Repo, commit: string): Promise<readonly string[]> {
  const tree = await readTree(repo.folder, commit) ?? await folderTree(repo.snapshot(commit), commit)
  try {
    await getModel(tree, repo.id, [], holding(repo, commit), file => text(repo.pointer(commit, file)))
    return []
  } catch (error) {
    if (error instanceof Incomplete) return error.missing
    if (error instanceof TransweldError && error.code === 'ERR_UNSUPPORTED') return []
    if (error instanceof TransweldError) return [`a sound index (${error.message})`]
    throw error
  }
}

async function refs(repo: string): Promise<{ revision: string, commit: string }[]> {
  const found: { revision: string, commit: string }[] = [], folder = join(repo, 'refs')
  for (const name of await names(folder, true)) {
    const commit = (await readFile(join(folder, name), 'utf8').catch(() => '')).trim() // a folder is no ref
    if (isCommit(commit)) found.push({ revision: name.replaceAll('\\', '/'), commit })
  }
  return found.sort((a, b) => a.revision < b.revision ? -1 : 1)
}

async function unfinished(folder: string): Promise<number> {
  const sizes = (await names(folder)).filter(name => name.endsWith(INCOMPLETE)).map(name => stat(join(folder, name)).then(found => found.size, () => 0))
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
}

async function names(folder: string, recursive = false): Promise<string[]> {
  return readdir(folder, { recursive }).catch(error => {
    if (errno(error) === 'ENOENT' || errno(error) === 'ENOTDIR') return []
    throw fileError('read', folder, error)
  })
}

async function readConfig(path: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    const json: unknown = JSON.parse(await readFile(path, 'utf8'))
    return typeof json === 'object' && json !== null ? json as Record<string, unknown> : {}
  } catch { return {} } // a list shows what there is; opening the model tells what is wrong with it
}

function configDtype(config: Readonly<Record<string, unknown>>): string | undefined {
  const name = config['dtype'] ?? config['torch_dtype']
  return typeof name === 'string' ? name.replace(/^bfloat/, 'BF').replace(/^float/, 'F').replace(/^u?int/, word => word === 'int' ? 'I' : 'U') : undefined
}

// Only the header is read: 8 bytes and some kilobytes of JSON.
async function dtypes(folder: string, paths: readonly string[]): Promise<string | undefined> {
  const first = paths.filter(path => path.endsWith('.safetensors')).sort()[0]
  if (first === undefined) return undefined
  const path = join(folder, first)
  try {
    const file = await open(path), bytes = new Map<string, number>()
    try {
      const { size } = await file.stat(), start = Buffer.alloc(8)
      await file.read(start, 0, 8, 0)
      const header = Buffer.alloc(headerLength(start, size, path))
      await file.read(header, 0, header.length, 8)
      for (const { dtype, start, end } of parseHeader(header, size, path).tensors.values()) bytes.set(dtype, (bytes.get(dtype) ?? 0) + end - start)
    } finally { await file.close() }
    return [...bytes].sort((a, b) => b[1] - a[1]).map(([dtype]) => dtype).join('+') || undefined
  } catch { return undefined } // as for config.json
}
