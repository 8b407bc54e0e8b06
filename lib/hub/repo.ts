// One model in the cache, laid out as Python's huggingface_hub does, so that each finds what the other downloaded:
//
//   models--org--name/blobs/<etag>                the bytes, once
//                     refs/<revision>             the commit that a branch or tag named last
//                     snapshots/<commit>/<path>   links to ../../blobs/<etag>; copies where a file system has no links
//                     trees/<commit>.json         all files of the commit
import { copyFile, mkdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises'
import { randomBytes } from 'node:crypto'
import { dirname, join, relative, sep } from 'node:path'
import { replaceFile } from '../safetensors/atomic.ts'
import { errno, fileError } from '../safetensors/fault.ts'
import { checkFileName, isCommit, isIdShaped } from './id.ts'
import type { RemoteFile } from './tree.ts'

const PREFIX = 'models--'
const NO_LINKS = new Set(['EPERM', 'EACCES', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EINVAL', 'UNKNOWN'])

/** The id whose folder this is, or undefined. */
export function idOfFolder(name: string): string | undefined {
  const id = name.startsWith(PREFIX) ? name.slice(PREFIX.length).replaceAll('--', '/') : ''
  return isIdShaped(id) ? id : undefined
}

/** The places of one model's files. */
export class Repo {
  readonly id: string
  readonly folder: string
  constructor(cache: string, id: string) {
    this.id = id
    this.folder = join(cache, PREFIX + id.replace('/', '--'))
  }

  blob({ etag }: RemoteFile): string { return join(this.folder, 'blobs', etag) }
  snapshot(commit: string): string { return join(this.folder, 'snapshots', commit) }
  /** @throws TransweldError ERR_FORMAT for a name that could lead elsewhere. */
  pointer(commit: string, { path }: RemoteFile): string { return join(this.snapshot(commit), ...checkFileName(path, this.id).split('/')) }

  /** The commit that the revision named when it was last asked for. */
  async commitOf(revision: string): Promise<string | undefined> {
    if (isCommit(revision)) return revision
    const text = (await readFile(join(this.folder, 'refs', ...revision.split('/')), 'utf8').catch(() => '')).trim()
    return isCommit(text) ? text : undefined
  }

  /** Notes what a branch or tag names now. */
  async note(revision: string, commit: string): Promise<void> {
    if (isCommit(revision) || await this.commitOf(revision) === commit) return
    const path = join(this.folder, 'refs', ...revision.split('/'))
    await mkdir(dirname(path), { recursive: true }).catch(error => { throw fileError('write', dirname(path), error) })
    await replaceFile(path, commit)
  }

  /** Whether the snapshot has the file, in its full size. */
  async holds(commit: string, file: RemoteFile): Promise<boolean> {
    return await sizeOf(this.pointer(commit, file)) === file.size
  }

  /** Whether the blob is here in its full size. */
  async holdsBlob(file: RemoteFile): Promise<boolean> { return await sizeOf(this.blob(file)) === file.size }

  /**
   * Puts the blob at its place in the snapshot. Without links a blob that just came (`isFresh`) is moved there, an older one, which other
   * snapshots may use, is copied. `link` makes a link; false where none is wanted.
   */
  async place(commit: string, file: RemoteFile, isFresh: boolean, link: typeof symlink | false = symlink): Promise<void> {
    const blob = this.blob(file), pointer = this.pointer(commit, file), temporary = `${pointer}.${randomBytes(6).toString('hex')}.tmp`
    try {
      await mkdir(dirname(pointer), { recursive: true })
      const isLinked = link !== false && await tryLink(link, relative(dirname(pointer), blob).split(sep).join('/'), temporary)
      if (isLinked) await rename(temporary, pointer)
      else if (isFresh) await rename(blob, pointer).catch(async (error: unknown) => {
        const other = errno(error) === 'ENOENT' ? await stat(pointer).catch(() => undefined) : undefined
        if (other?.size !== file.size) throw error              // else a file of the same bytes came here a moment earlier
      })
      else {
        await copyFile(blob, temporary)
        await rename(temporary, pointer)
      }
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => {}) // the first error is the one to tell
      throw fileError('write', pointer, error)
    }
  }
}

async function tryLink(link: typeof symlink, target: string, path: string): Promise<boolean> {
  try {
    await link(target, path)
    return true
  } catch (error) {
    if (NO_LINKS.has(errno(error) ?? '')) return false
    throw error
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  return stat(path).then(found => found.isFile() ? found.size : undefined, () => undefined)
}
