// Where the bytes of a safetensors file come from: an open file, or memory. Reads are positioned and whole.
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { TransweldError } from '../native/error.ts'
import { fileError } from './fault.ts'

/** Bytes that can be read at any place. */
export interface ByteSource {
  readonly path: string
  readonly size: number
  /** The descriptor of an open file; undefined for bytes in memory. */
  readonly descriptor?: number
  /** Fills `into` with the bytes from `position` on. */
  read(into: Uint8Array, position: number): Promise<void>
  close(): Promise<void>
}

/** Opens a file for positioned reads. */
export async function openSource(path: string): Promise<ByteSource> {
  const failed = (error: unknown): never => { throw fileError('read', path, error) }
  const handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)).catch(failed) // a pipe must not block the open
  try {
    const status = await handle.stat()
    if (!status.isFile()) throw new TransweldError('ERR_FILE', `cannot read ${path}: it is not a regular file`)
    return {
      path, size: status.size, descriptor: handle.fd,
      async read(into, position) {
        for (let done = 0; done < into.length;) {
          const { bytesRead } = await handle.read(into, done, into.length - done, position + done).catch(failed)
          if (bytesRead === 0) throw new TransweldError('ERR_FORMAT', `${path} ended at byte ${position + done}; it became shorter while it was read`)
          done += bytesRead
        }
      },
      close: () => handle.close(),
    }
  } catch (error) {
    await handle.close()
    throw fileError('read', path, error)
  }
}

/** Bytes in memory as a source; `path` names them in errors. */
export function memorySource(bytes: Uint8Array, path: string): ByteSource {
  return {
    path, size: bytes.length,
    read: async (into, position) => { into.set(bytes.subarray(position, position + into.length)) },
    close: async () => {},
  }
}
