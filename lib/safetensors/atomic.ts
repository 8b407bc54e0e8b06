// Files and folders that are whole or not there: written under a temporary name beside their place, forced to the disk, then renamed.
// Whatever fails on the way (a full disk, a kill), the path holds what it held before.
import { mkdir, open, readdir, rename, rm, type FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { TransweldError } from '../native/error.ts'
import { errno, fileError } from './fault.ts'
import { recover, release, reserve } from './leftover.ts'

/** What a file is to hold: its bytes, its text (UTF-8), or a function that writes to the open file in order. */
export type FileContent = Uint8Array | string | ((file: FileHandle) => Promise<void>)

/**
 * Writes a file in one piece: readers see the old content or the new one, never a part.
 *
 * @throws TransweldError ERR_FILE (disk full, no permission …); the temporary file is gone and the old file as it was.
 * @example
 * import { replaceFile } from 'transweld'
 * await replaceFile('settings.json', JSON.stringify({ seed: 0 }))
 */
export async function replaceFile(path: string, content: FileContent): Promise<void> {
  await recover(path)
  const temporary = reserve(path, 'partial')
  try {
    const file = await open(temporary, 'wx')
    try {
      if (typeof content === 'function') await content(file)
      else await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
    await syncFolder(dirname(path))
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {}) // the first error is the one to tell
    throw fileError('write', path, error)
  } finally {
    release(temporary)
  }
}

/**
 * Writes a folder in one piece. `fill` gets the path of an empty temporary folder beside `path`; when it is done, every file and folder in it is
 * forced to the disk and it is renamed to `path`. What a killed earlier try left is removed first.
 *
 * `path` must not exist or be empty, unless `replace` is true: then the old folder is moved aside, and removed once the new one is in place.
 * A kill between those two renames leaves the old one aside; `recover(path)` (run here first) puts it back.
 *
 * @throws TransweldError ERR_OUTPUT_EXISTS if `path` holds something; ERR_FILE if writing failed; whatever `fill` threw that is a TransweldError.
 * @example
 * import { writeFolder, replaceFile } from 'transweld'
 * await writeFolder('checkpoints/step-100', async folder => replaceFile(folder + '/state.json', '{"step":100}'))
 */
export async function writeFolder(path: string, fill: (temporary: string) => Promise<void>, options: { replace?: boolean } = {}): Promise<void> {
  await recover(path)
  const replaces = await holdsSomething(path)
  if (replaces && options.replace !== true) throw new TransweldError('ERR_OUTPUT_EXISTS', `${path} exists and is not empty`)
  const temporary = reserve(path, 'partial'), aside = reserve(path, 'old')
  try {
    await mkdir(temporary, { recursive: true })
    await fill(temporary)
    await syncTree(temporary)
    if (replaces) await rename(path, aside)
    try {
      await rename(temporary, path)
    } catch (error) {
      if (replaces) await rename(aside, path)
      throw error
    }
    await syncFolder(dirname(path))
    if (replaces) await rm(aside, { recursive: true, force: true })
  } catch (error) {
    await rm(temporary, { recursive: true, force: true }).catch(() => {})
    throw fileError('write', path, error)
  } finally {
    release(temporary)
    release(aside)
  }
}

async function holdsSomething(path: string): Promise<boolean> {
  try {
    return (await readdir(path)).length > 0
  } catch (error) {
    if (errno(error) === 'ENOENT') return false
    throw fileError('write', path, error)
  }
}

async function syncTree(folder: string): Promise<void> {
  for (const item of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, item.name)
    if (item.isDirectory()) await syncTree(path)
    else if (item.isFile()) {
      const file = await open(path, 'r+')
      try { await file.sync() } finally { await file.close() }
    }
  }
  await syncFolder(folder)
}

// A rename is on the disk only once its folder is. Windows has no such call and answers with an error: there the rename itself must do.
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const folder = await open(path, 'r')
  try { await folder.sync() } finally { await folder.close() }
}
