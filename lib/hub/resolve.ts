// From an id to a folder: what the cache holds is used, what it lacks is downloaded, and without a network what is whole is enough.
import { readFile } from 'node:fs/promises'
import { invalid } from '../native/check.ts'
import { fileError } from '../safetensors/fault.ts'
import { type Get, getFiles, getModel, type Read } from './choose.ts'
import { Connection } from './connection.ts'
import { download } from './download.ts'
import { Incomplete, offlineFault, Unreachable, unreachable, type Wanted } from './fault.ts'
import { isCommit, isHubId, isIdShaped } from './id.ts'
import { Repo } from './repo.ts'
import { type HubOptions, type Settings, settings } from './settings.ts'
import { askTree, folderTree, readTree, type Tree, writeTree } from './tree.ts'

/** Where a model lies. */
export interface ResolvedModel {
  /** A folder with config.json and safetensors. */
  readonly folder: string
  /** The hub's id; undefined for a local folder. */
  readonly id?: string
  /** The commit that the folder holds; undefined for a local folder. */
  readonly commit?: string
}

/** Gets what is wanted of a tree, by way of `get`. */
type Choice = (tree: Tree, get: Get, read: Read) => Promise<void>

/**
 * The folder of a model: `model` itself if it is a path, or what the hub's id `org/name` names, downloaded where the cache does not hold it.
 *
 * Downloaded are config.json, the tokenizer's files, and the safetensors weights: model.safetensors, or the shards of its index; and
 * what matches `files` (`*` and `?` match slashes too). A commit that the cache holds whole is used without a question to the hub; a branch or tag
 * is asked for, and where the hub does not answer, the commit that it named last is used if it is whole.
 *
 * @throws TransweldError ERR_FILE (no such model or revision, access refused, hub not reached, offline and not whole, disk full),
 * ERR_UNSUPPORTED (no safetensors, no config.json, or `@huggingface/hub` is not installed), ERR_FORMAT (bytes with a wrong hash or size, a hub that
 * does not answer as one), ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_ABORTED.
 * @example
 * import { resolveModel } from 'transweld'
 * const { folder } = await resolveModel('examples/codelm') // a local folder; 'EleutherAI/pythia-70m' would be downloaded
 * console.log(folder)
 */
export async function resolveModel(model: string, options: HubOptions & { readonly files?: readonly string[] } = {}): Promise<ResolvedModel> {
  if (typeof model !== 'string' || model === '') throw invalid('model', 'a folder or an id on the hub', model)
  const isId = isHubId(model), unasked = { token: false, endpoint: 'https://huggingface.co' } as const      // a folder opens whatever HF_TOKEN holds
  const chosen = settings(isId ? options : { ...unasked, ...options }, ['files']), extra = patterns(options.files ?? [])
  if (isId) return resolve(model, chosen, (tree, get, read) => getModel(tree, model, extra, get, read))
  if (options.revision !== undefined) {
    throw invalid('revision', 'no revision', options.revision, `${JSON.stringify(model)} is a folder, and only ids on the hub have revisions`)
  }
  return { folder: model }
}

/**
 * The folder of those files of a repository that match `files` (`*` and `?` match slashes too): for what is no model, such as a suite of transcoders.
 *
 * @throws TransweldError as {@link resolveModel} does; ERR_FILE if no file matches.
 * @example
 * import { resolveFiles } from 'transweld'
 * const patterns = ['config.yaml', 'layer_0.safetensors']
 * await resolveFiles('some-lab/some-transcoders', patterns, { offline: true }).catch(error => console.log(error.code))   // ERR_FILE
 */
export async function resolveFiles(id: string, files: readonly string[], options: HubOptions = {}): Promise<ResolvedModel> {
  if (typeof id !== 'string' || !isIdShaped(id)) throw invalid('id', 'an id on the hub, org/name', id)
  const wanted = patterns(files)
  if (wanted.length === 0) throw invalid('files', 'at least one pattern', files)
  return resolve(id, settings(options), (tree, get) => getFiles(tree, id, wanted, get))
}

function patterns(files: readonly string[]): readonly string[] {
  if (Array.isArray(files) && files.every(one => typeof one === 'string' && one !== '' && one.length <= 1024)) return files
  throw invalid('files', 'an array of names or patterns', files)
}

async function resolve(id: string, chosen: Settings, choice: Choice): Promise<ResolvedModel> {
  const { revision, endpoint, token, signal, cache } = chosen
  const repo = new Repo(cache, id), wanted: Wanted = { id, revision, endpoint, hasToken: token !== undefined }
  const done = (commit: string): ResolvedModel => ({ folder: repo.snapshot(commit), id, commit })
  if (chosen.offline || isCommit(revision)) {
    const held = await inCache(repo, revision, choice, chosen.offline)
    if (typeof held === 'string') return done(held)
    if (chosen.offline) throw offlineFault(wanted, cache, held)
  }
  const connection = new Connection({ wanted, token, signal })
  try {
    const tree = await askTree(connection, wanted), { commit } = tree
    let isNew = false
    await choice(tree, async files => {
      const came = await download(files, { connection, endpoint, repo, commit, links: chosen.links, progress: chosen.progress })
      isNew ||= came
    }, file => text(repo.pointer(commit, file)))
    // Noted when all is there, so that a revision in the cache is a whole one. Where nothing came, the cache may be read-only.
    await note(repo, revision, tree).catch(error => { if (isNew) throw error })
    return done(commit)
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error
    const held = await inCache(repo, revision, choice, true)
    if (typeof held === 'string') return done(held)
    throw unreachable(wanted, error, held)
  }
}

async function note(repo: Repo, revision: string, tree: Tree): Promise<void> {
  if (!await readTree(repo.folder, tree.commit)) await writeTree(repo.folder, tree)
  await repo.note(revision, tree.commit)
}

/**
 * The commit, if the cache holds all of it that is wanted; else what is missing. Without the list of its files (`trees/`) a folder
 * passes for whole only where `isLenient`: a tokenizer may be missing from it without a trace.
 */
async function inCache(repo: Repo, revision: string, choice: Choice, isLenient: boolean): Promise<string | Incomplete> {
  const commit = await repo.commitOf(revision)
  if (commit === undefined) return new Incomplete([`revision "${revision}"`])
  const tree = await readTree(repo.folder, commit) ?? (isLenient ? await folderTree(repo.snapshot(commit), commit) : undefined)
  if (!tree) return new Incomplete([`the list of files of ${commit}`])
  return choice(tree, holding(repo, commit), file => text(repo.pointer(commit, file))).then(() => commit, error => {
    if (error instanceof Incomplete) return error
    throw error
  })
}

/** A {@link Get} that gets nothing: it throws {@link Incomplete} for what the cache does not hold. */
export function holding(repo: Repo, commit: string): Get {
  return async files => {
    const missing: string[] = []
    for (const file of files) if (!await repo.holds(commit, file)) missing.push(file.path)
    if (missing.length > 0) throw new Incomplete(missing)
  }
}

/** The text of a file of a snapshot. */
export async function text(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(error => { throw fileError('read', path, error) })
}
