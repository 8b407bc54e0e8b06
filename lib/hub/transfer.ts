// One file from the hub to its blob: resumed where it was cut, proved by its hash, forced to the disk, and only then given its name.
import { createHash, type Hash } from 'node:crypto'
import { constants } from 'node:fs'
import { mkdir, open, rename, rm, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { TransweldError } from '../native/error.ts'
import { errno, fileError } from '../safetensors/fault.ts'
import type { Connection } from './connection.ts'
import { Unreachable } from './fault.ts'
import { claimPart, releasePart, sweepParts } from './part.ts'
import type { RemoteFile } from './tree.ts'

const TRIES = 5 // in a row that brought less than ADVANCE
const ADVANCE = 2 ** 20 // bytes
const PIECE = 2 ** 20 // bytes read at once of an earlier part

/** One file to be fetched. */
export interface Transfer {
  readonly connection: Connection
  readonly url: string
  readonly file: RemoteFile
  readonly blob: string
  /** Told of each change of the bytes that are here; negative where a start from the beginning was needed. */
  readonly moved: (bytes: number) => void
}

/**
 * Downloads one file. A part that an earlier try left is gone on with; a cut connection is taken up again, five times in a row at most.
 * The blob's name is given to whole and right bytes only.
 *
 * @throws Unreachable if the connection stays broken (the part is kept); TransweldError ERR_FORMAT if the bytes are not those that the hub
 * names (the part is deleted), ERR_FILE (disk full …), ERR_ABORTED (the part is kept).
 */
export async function transfer(job: Transfer): Promise<void> {
  const { blob } = job
  let part: string | undefined, receiver: Receiver | undefined
  try {
    await mkdir(dirname(blob), { recursive: true })
    part = await claimPart(blob)
    const handle = await open(part, constants.O_RDWR | constants.O_CREAT, 0o666)
    try {
      receiver = new Receiver(handle, job)
      await receiver.begin()
      await receiver.finish()
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(part, blob)
    await sweepParts(blob)
  } catch (error) {
    if (part !== undefined && receiver?.isWrong) await rm(part, { force: true }).catch(() => {}) // the wrong bytes are the error to tell
    throw errno(error) === undefined ? error : fileError('write', blob, error)
  } finally {
    if (part !== undefined) releasePart(part)
  }
}

/** The open part: how much is here, and its hash so far. */
class Receiver {
  readonly #handle: FileHandle
  readonly #job: Transfer
  #hash: Hash
  #have = 0
  #tries = 0
  #isResumed = false
  /** Whether the bytes that came cannot be those that the hub names. */
  isWrong = false

  constructor(handle: FileHandle, job: Transfer) {
    this.#handle = handle
    this.#job = job
    this.#hash = freshHash(job.file)
  }

  /** Takes up what an earlier try left. */
  async begin(): Promise<void> {
    const { size } = await this.#handle.stat(), buffer = Buffer.alloc(Math.min(PIECE, size))
    if (size > this.#job.file.size) return this.#restart()
    while (this.#have < size) {
      const { bytesRead } = await this.#handle.read(buffer, 0, buffer.length, this.#have)
      if (bytesRead === 0) break
      this.#add(buffer.subarray(0, bytesRead))
    }
    this.#isResumed = this.#have > 0
  }

  /** Receives the rest and proves the whole. An old part may have been damaged by a crash: then once more, from the beginning. */
  async finish(): Promise<void> {
    const { file, url } = this.#job
    while (this.#have < file.size) await this.#receive()
    if (this.#hash.digest('hex') === file.etag) return
    if (this.#isResumed) {
      await this.#restart()
      return this.finish()
    }
    throw this.#wrong(`${file.path} came whole (${file.size} bytes) from ${new URL(url).host} but its hash is not ${file.etag}`)
  }

  async #restart(): Promise<void> {
    await this.#handle.truncate(0)
    this.#hash = freshHash(this.#job.file)
    this.#job.moved(-this.#have)
    this.#have = 0
    this.#isResumed = false
  }

  // One connection, for as long as it holds.
  async #receive(): Promise<void> {
    const before = this.#have
    try {
      await this.#connect()
    } catch (error) {
      if (!(error instanceof Unreachable)) throw error
      this.#tries = this.#have - before >= ADVANCE ? 1 : this.#tries + 1
      if (this.#tries >= TRIES) throw error
      await this.#job.connection.rest(this.#tries, error)
    }
  }

  async #connect(): Promise<void> {
    const { connection, url, file } = this.#job, host = new URL(url).host
    const answer = await connection.open(url, this.#have > 0 ? { range: `bytes=${this.#have}-` } : {})
    try {
      const { from, total } = extent(answer.status, answer.headers)
      if (total !== undefined && total !== file.size) throw this.#wrong(`expected ${file.size} bytes for ${file.path} but ${host} has ${total}`)
      if (from !== this.#have) await this.#restart() // the server knows no ranges, or not this one
      if (from !== this.#have) throw new Unreachable(`${host} refuses to go on with ${file.path}`)
      for await (const chunk of answer.chunks()) {
        if (this.#have + chunk.length > file.size) throw this.#wrong(`expected ${file.size} bytes for ${file.path} but ${host} sends more`)
        await this.#write(chunk)
      }
    } finally { answer.dispose() }
    if (this.#have < file.size) throw new Unreachable(`${host} ended ${file.path} after ${this.#have} of ${file.size} bytes`)
  }

  async #write(chunk: Uint8Array): Promise<void> {
    for (let done = 0; done < chunk.length;) {
      done += (await this.#handle.write(chunk, done, chunk.length - done, this.#have + done)).bytesWritten
    }
    this.#add(chunk)
  }

  #add(chunk: Uint8Array): void {
    this.#hash.update(chunk)
    this.#have += chunk.length
    this.#job.moved(chunk.length)
  }

  #wrong(what: string): TransweldError {
    this.isWrong = true
    return new TransweldError('ERR_FORMAT', `${what}; what came was deleted. Try again, or look at HF_ENDPOINT`)
  }
}

/** A hash that gives the etag: sha256 of the bytes, or that of a git blob, which begins with its kind and size. */
function freshHash({ etag, size }: RemoteFile): Hash {
  return etag.length === 64 ? createHash('sha256') : createHash('sha1').update(`blob ${size}\0`)
}

/** The byte that the answer begins at, and the bytes of the whole file where the answer says them. */
function extent(status: number, headers: Headers): { from: number | undefined, total: number | undefined } {
  if (status === 206) {
    const [, from, total] = /^bytes (\d+)-\d+\/(\d+)$/.exec(headers.get('content-range') ?? '') ?? []
    return from === undefined ? { from: undefined, total: undefined } : { from: Number(from), total: Number(total) }
  }
  const length = headers.get('content-length')
  return { from: status === 200 ? 0 : undefined, total: status === 200 && length !== null && !headers.has('content-encoding') ? Number(length) : undefined }
}
