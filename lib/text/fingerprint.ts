// Whether a resumed run reads the same text: a hash over the bytes of all files in their order.
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { fileError } from '../safetensors/fault.ts'

/**
 * SHA-256 in hex over the SHA-256 of each file's raw bytes, in the order given. Names and folders do not enter: the text may have moved.
 *
 * @throws TransweldError ERR_FILE if a file cannot be read.
 * @example
 * import { fingerprint, listTexts } from 'transweld'
 * console.log(await fingerprint(await listTexts('examples/codelm/text')))
 */
export async function fingerprint(files: readonly string[]): Promise<string> {
  const all = createHash('sha256')
  for (const path of files) {
    const one = createHash('sha256')
    try {
      for await (const bytes of createReadStream(path, { highWaterMark: 1 << 18 })) one.update(bytes as Buffer) // 256 KiB: under 1 ms a part
    } catch (error) {
      throw fileError('read', path, error)
    }
    all.update(one.digest())
  }
  return all.digest('hex')
}
