// A text file as a stream of strings: gzip is unpacked (told by content, not by name), bytes that are no UTF-8 become U+FFFD,
// and line ends CRLF and CR become LF, as Python's text mode reads them: most tokenizers were trained on text read so.
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { pipeline } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { TransweldError } from '../native/error.ts'
import { errno, fileError } from '../safetensors/fault.ts'
import { isGzip } from './list.ts'

const CHUNK_BYTES = 1 << 16

/** The text of a file in parts of about 64 KiB. */
export async function* readText(path: string): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  let carriageReturn = false // the last part ended in CR, and an LF may follow
  try {
    for await (const bytes of await openBytes(path)) {
      const text: string = (carriageReturn ? '\r' : '') + decoder.decode(bytes, { stream: true })
      carriageReturn = text.endsWith('\r')
      yield lineFeeds(carriageReturn ? text.slice(0, -1) : text)
    }
  } catch (error) {
    if (errno(error)?.startsWith('Z_') === true) throw new TransweldError('ERR_FORMAT', `${path} is damaged gzip: ${(error as Error).message}`, { cause: error })
    throw fileError('read', path, error)
  }
  yield lineFeeds((carriageReturn ? '\r' : '') + decoder.decode())
}

const lineFeeds = (text: string): string => text.includes('\r') ? text.replace(/\r\n?/g, '\n') : text

async function openBytes(path: string): Promise<AsyncIterable<Uint8Array>> {
  const file = await open(path, 'r')
  const head = new Uint8Array(2)
  const { bytesRead } = await file.read(head, 0, 2, 0).catch(async (error: unknown) => { await file.close(); throw error })
  const bytes = createReadStream('', { fd: file, start: 0, highWaterMark: CHUNK_BYTES }) // closes the file at its end
  if (bytesRead < 2 || !isGzip(head)) return bytes
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES })
  pipeline(bytes, gunzip, () => {}) // an error of the file surfaces where the unpacked stream is read
  return gunzip
}
