// Token ids of text files as they come from the tokeniser's thread: the event loop of the reader only moves finished blocks.
import { Worker } from 'node:worker_threads'
import { closed, integer, invalid, text as nonEmpty } from '../native/check.ts'
import { TransweldError } from '../native/error.ts'
import type { FromThread, ThreadWork } from './thread.ts'

const BLOCK_SIZE = 1 << 16, AHEAD = 4 // 256 KiB a block: at most 1 MiB waits

/** What to read, and with what. */
export interface TokenStreamOptions {
  /** Files, as `listTexts` gives them. */
  readonly files: readonly string[]
  /** Folder of the tokenizer. */
  readonly tokenizer: string
  /** The id after each document; default: the tokenizer's end-of-text token. */
  readonly endOfText?: number
}

type Result = IteratorResult<Uint32Array, undefined>
interface Waiting { resolve(result: Result): void, reject(error: unknown): void }

/**
 * An async iterator of blocks of at most 65,536 token ids. A reader that stops early calls `return()` (a `for await` loop and
 * `await using` do), which ends the thread.
 *
 * @example
 * import { tokenStream } from 'transweld'
 * const stream = tokenStream({ files: ['examples/codelm/text/held-out.txt.gz'], tokenizer: 'examples/codelm' })
 * const { value } = await stream.next()
 * console.log(value?.length)   // 56425
 * await stream.return()
 * console.log((await stream.next()).done)   // true
 */
export class TokenStream implements AsyncIterableIterator<Uint32Array, undefined, undefined> {
  readonly #worker: Worker
  readonly #blocks: Uint32Array[] = []
  readonly #waiting: Waiting[] = []
  #end: 'open' | 'ended' | TransweldError = 'open'

  /** Use {@link tokenStream}. */
  constructor(work: ThreadWork) {
    this.#worker = new Worker(new URL('./worker.js', import.meta.url), { workerData: work })
    this.#worker.unref() // an abandoned stream does not keep the process; a waiting reader does
    this.#worker.on('message', (message: FromThread) => this.#receive(message))
    this.#worker.on('error', error => this.#finish(died(error)))
    this.#worker.on('exit', code => this.#finish(new TransweldError('ERR_INTERNAL', `the tokeniser's thread ended before its text did (exit code ${code})`)))
  }

  async next(): Promise<Result> {
    const block = this.#blocks.shift()
    if (block !== undefined) {
      if (this.#end === 'open') this.#worker.postMessage(null)
      return { done: false, value: block }
    }
    if (this.#end === 'ended') return { done: true, value: undefined }
    if (this.#end !== 'open') {
      const error = this.#end
      this.#end = 'ended'
      throw error
    }
    this.#worker.ref()
    return new Promise<Result>((resolve, reject) => { this.#waiting.push({ resolve, reject }) })
  }

  /** Ends the thread. Readers that wait are told that the stream is done. */
  async return(): Promise<Result> {
    this.#blocks.length = 0
    this.#finish('ended')
    this.#end = 'ended'
    await this.#worker.terminate()
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator](): this { return this }
  async [Symbol.asyncDispose](): Promise<void> { await this.return() }

  #receive(message: FromThread): void {
    if (this.#end !== 'open') return
    if (message.kind === 'end') return this.#finish('ended')
    if (message.kind === 'error') return this.#finish(new TransweldError(message.code, message.message))
    const reader = this.#waiting.shift()
    if (reader === undefined) this.#blocks.push(message.ids)
    else {
      if (this.#waiting.length === 0) this.#worker.unref()
      this.#worker.postMessage(null)
      reader.resolve({ done: false, value: message.ids })
    }
  }

  // The first end counts. One waiting reader gets the error; what comes after an error is the end.
  #finish(end: 'ended' | TransweldError): void {
    if (this.#end !== 'open') return
    this.#end = end
    this.#worker.unref()
    for (const reader of this.#waiting.splice(0)) {
      if (this.#end === 'ended') reader.resolve({ done: true, value: undefined })
      else {
        reader.reject(this.#end)
        this.#end = 'ended'
      }
    }
  }
}

function died(error: unknown): TransweldError {
  const isMemory = (error as NodeJS.ErrnoException).code === 'ERR_WORKER_OUT_OF_MEMORY'
  return new TransweldError(isMemory ? 'ERR_OUT_OF_MEMORY' : 'ERR_INTERNAL', `the tokeniser's thread died: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
}

/**
 * The token ids of text files: each document (a file, or a part of a file between `<|endoftext|>`) followed by the end-of-text id, blank documents left out,
 * nothing put before a document. Reading, unpacking and tokenising run in a thread of their own, at most four blocks of 65,536 ids ahead.
 *
 * @throws TransweldError ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION at once; from `next()`: ERR_FILE, ERR_FORMAT;
 * ERR_EMPTY_TEXT if there is nothing but white space.
 * @example
 * import { listTexts, tokenStream } from 'transweld'
 * let count = 0
 * for await (const ids of tokenStream({ files: await listTexts('examples/codelm/text'), tokenizer: 'examples/codelm' })) count += ids.length
 * console.log(count)
 */
export function tokenStream(options: TokenStreamOptions): TokenStream {
  closed('tokenStream', options, ['files', 'tokenizer', 'endOfText'])
  const { files, tokenizer, endOfText } = options
  if (!Array.isArray(files) || files.length === 0 || !files.every(file => typeof file === 'string')) throw invalid('files', 'a list of at least one path', files)
  nonEmpty('tokenizer', tokenizer)
  if (endOfText !== undefined) integer('endOfText', endOfText)
  return new TokenStream({ files: [...files as string[]], tokenizer, endOfText, blockSize: BLOCK_SIZE, ahead: AHEAD })
}
