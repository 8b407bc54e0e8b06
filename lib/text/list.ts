// Which files a run reads: paths, folders and patterns become one list of files, in an order that does not depend on how they were asked for.
import { open, stat } from 'node:fs/promises'
import { join, normalize, resolve } from 'node:path'
import { constants, gunzipSync } from 'node:zlib'
import { invalid } from '../native/check.ts'
import { TransweldError } from '../native/error.ts'
import { errno, fileError } from '../safetensors/fault.ts'
import { entries, glob, isGlob, isOpen } from './glob.ts'

const HEAD_BYTES = 8192 // what is looked at to tell text from other files

/**
 * The files behind paths, folders and patterns (`*`, `**`, `?`), sorted by code unit, none twice. A file named by its path or by a pattern is taken as it
 * is; from a folder (looked through to the bottom, without names that begin with a dot and without node_modules) only files that hold text,
 * plain or gzipped.
 *
 * @throws TransweldError ERR_FILE naming the first pattern that finds nothing.
 * @example
 * import { listTexts } from 'transweld'
 * console.log(await listTexts(['examples/codelm/text/*.gz', 'docs']))
 */
export async function listTexts(patterns: string | readonly string[]): Promise<string[]> {
  const list = typeof patterns === 'string' ? [patterns] : patterns
  if (!Array.isArray(list) || list.length === 0 || !list.every(item => typeof item === 'string' && item !== '')) throw invalid('text', 'a path or a list of paths', patterns)
  const byPlace = new Map<string, string>()
  for (const pattern of list as readonly string[]) {
    const found = await expand(pattern)
    if (found.length === 0) throw new TransweldError('ERR_FILE', `no text found for ${JSON.stringify(pattern)}${isGlob(pattern) ? ': no file matches it' : ''}`)
    for (const path of found.map(item => normalize(item))) {
      const place = resolve(path), known = byPlace.get(place)
      if (known === undefined || path < known) byPlace.set(place, path)
    }
  }
  return [...byPlace.values()].sort()
}

async function expand(pattern: string): Promise<string[]> {
  try {
    const status = await stat(pattern)
    if (status.isDirectory()) return await textsBelow(pattern)
    if (status.isFile()) return [pattern]
    throw new TransweldError('ERR_FILE', `cannot read ${pattern}: it is neither a file nor a folder`)
  } catch (error) {
    if (errno(error) !== 'ENOENT' && errno(error) !== 'ENOTDIR') throw fileError('read', pattern, error)
  }
  if (isGlob(pattern)) return glob(pattern)
  throw new TransweldError('ERR_FILE', `no text found for ${JSON.stringify(pattern)}: it does not exist`)
}

async function textsBelow(folder: string): Promise<string[]> {
  const found: string[] = []
  for (const item of await entries(folder)) {
    const path = join(folder, item.name)
    if (!isOpen(item.name)) continue
    if (item.isDirectory()) found.push(...await textsBelow(path))
    else if (await holdsText(path)) found.push(path)
  }
  return found
}

// Text: the first 8 KiB, unpacked if gzipped, hold no zero byte and are UTF-8 (but for a character that the end of the piece cuts).
async function holdsText(path: string): Promise<boolean> {
  const status = await stat(path).catch(() => undefined) // a link to nowhere is no text
  if (status === undefined || !status.isFile()) return false
  const file = await open(path, 'r').catch(error => { throw fileError('read', path, error) })
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0)
    let head = buffer.subarray(0, bytesRead)
    if (isGzip(head)) head = gunzipSync(head, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, HEAD_BYTES)
    if (head.includes(0)) return false
    new TextDecoder('utf-8', { fatal: true }).decode(head, { stream: true })
    return head.length > 0
  } catch {
    return false // damaged gzip, or bytes that are no UTF-8
  } finally {
    await file.close()
  }
}

/** Whether a file's first bytes are those of gzip. */
export const isGzip = (head: Uint8Array): boolean => head[0] === 0x1f && head[1] === 0x8b
