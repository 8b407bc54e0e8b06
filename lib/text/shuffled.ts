// The order of training: windows of the text are gathered in blocks, each block is permuted and drained whole, then the next one. When the text ends it starts
// again with other permutations. So (seed, epoch, window) is all of the state: a resumed run goes on with the very window that would have come.
import { closed, integer, invalid } from '../native/check.ts'
import { TransweldError } from '../native/error.ts'
import { MAX_COUNT, Permutation } from './permutation.ts'
import { IdReader } from './reader.ts'
import { tokenStream, type TokenStream, type TokenStreamOptions } from './stream.ts'
import { tooShort } from './windows.ts'

/** How far a run is: `window` windows of epoch `epoch` were given out. Epochs count from 0. */
export interface TextPosition { readonly epoch: number, readonly window: number }

/** What to read and in which order. */
export interface ShuffledOptions extends TokenStreamOptions {
  /** Ids a window. */
  readonly length: number
  /** Windows a block: as many as are held and permuted together. A block of 4096 windows of 256 ids takes 4 MiB, and two are held. */
  readonly blockWindows: number
  /** Of the permutations: an integer of at least 0. */
  readonly seed: number
  /** How often the text is read; default: without end. */
  readonly epochs?: number | 'forever'
  /** Where to go on; default: the beginning. */
  readonly from?: TextPosition
}

// Some consecutive windows of an epoch: `count` windows from `first` on.
interface Block { readonly epoch: number, readonly first: number, readonly count: number, readonly ids: Uint32Array }

/**
 * Windows in the order of training, each a Uint32Array of `length` ids. Calls of `next()` are answered one after another; a reader that
 * stops early calls `return()`.
 *
 * @example
 * import { shuffledWindows } from 'transweld'
 * const text = { files: ['examples/codelm/text/held-out.txt.gz'], tokenizer: 'examples/codelm', length: 64, blockWindows: 16, seed: 0 }
 * await using run = shuffledWindows(text)
 * for (let i = 0; i < 20; i++) await run.next()
 * const from = run.position()
 * console.log(from)   // { epoch: 0, window: 20 }
 * await using again = shuffledWindows({ ...text, from })
 * console.log(String((await again.next()).value) === String((await run.next()).value))   // true
 */
export class ShuffledWindows implements AsyncIterableIterator<Uint32Array, undefined, undefined> {
  readonly #options: ShuffledOptions
  readonly #epochs: number
  #stream: TokenStream | undefined
  #reader: IdReader | undefined
  #coming: Promise<Block | undefined> | undefined // filled while the block before it is drained
  #block: Block | undefined
  #order: Permutation | undefined
  #position: TextPosition
  #queue: Promise<unknown> = Promise.resolve()
  #closed = false

  /** Use {@link shuffledWindows}. */
  constructor(options: ShuffledOptions) {
    this.#options = options
    this.#epochs = options.epochs === undefined || options.epochs === 'forever' ? Infinity : options.epochs
    this.#position = options.from ?? { epoch: 0, window: 0 }
  }

  /** Where a new run must begin to get the window that `next()` would give now. */
  position(): TextPosition { return this.#position }

  next(): Promise<IteratorResult<Uint32Array, undefined>> {
    const result = this.#queue.then(() => this.#next())
    this.#queue = result.catch(() => {})
    return result
  }

  /** Ends the tokeniser's thread and the iteration. */
  async return(): Promise<IteratorResult<Uint32Array, undefined>> {
    this.#closed = true
    await this.#stream?.return()
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator](): this { return this }
  async [Symbol.asyncDispose](): Promise<void> { await this.return() }

  async #next(): Promise<IteratorResult<Uint32Array, undefined>> {
    while (!this.#closed) {
      const chosen = this.#order?.next() ?? -1
      if (chosen !== -1) {
        const { epoch, first, ids } = this.#block!, { length } = this.#options
        this.#position = { epoch, window: first + this.#order!.drawn }
        return { done: false, value: ids.slice(chosen * length, (chosen + 1) * length) }
      }
      if (!await this.#turn()) break
    }
    return { done: true, value: undefined }
  }

  // Takes the block that is coming and lets the one after it come. False at the end of the last epoch.
  async #turn(): Promise<boolean> {
    const isFirst = this.#coming === undefined
    const block = await (this.#coming ??= this.#begin())
    if (block === undefined) return false
    const { seed, blockWindows } = this.#options
    this.#block = block
    this.#order = new Permutation(block.count, { seed, domain: 'windows', epoch: block.epoch, block: block.first / blockWindows })
    if (isFirst) this.#order.pass(this.#position.window - block.first)
    this.#coming = this.#fill(block.epoch, block.first + block.count)
    this.#coming.catch(() => {}) // told when the block is asked for
    return true
  }

  // The block in which the run begins or goes on.
  async #begin(): Promise<Block | undefined> {
    const { epoch, window } = this.#position, { length, blockWindows } = this.#options
    if (epoch >= this.#epochs) return undefined
    this.#open()
    const first = window - window % blockWindows
    const passed = await this.#reader!.pass(first * length), block = passed === first * length ? await this.#read(epoch, first) : undefined
    if (this.#closed) return undefined
    if (block !== undefined && window <= first + block.count) return block
    throw new TransweldError('ERR_RESUME', `expected a text of at least ${window} windows of ${length} tokens, which the run to go on had read, but it holds ${Math.floor(passed / length) + (block?.count ?? 0)}`)
  }

  // The block that begins at window `first`, or the first block of the next epoch.
  async #fill(epoch: number, first: number): Promise<Block | undefined> {
    const block = first % this.#options.blockWindows === 0 ? await this.#read(epoch, first) : undefined // a block that was not full was the last
    if (this.#closed) return undefined
    if (block !== undefined && block.count > 0) return block
    await this.#stream!.return()
    if (epoch + 1 >= this.#epochs || this.#closed) return undefined
    this.#open()
    return this.#read(epoch + 1, 0)
  }

  async #read(epoch: number, first: number): Promise<Block> {
    const { length, blockWindows } = this.#options
    const ids = new Uint32Array(blockWindows * length), got = await this.#reader!.read(ids)
    if (got < length && first === 0 && !this.#closed) throw tooShort(got, length)
    return { epoch, first, count: Math.floor(got / length), ids }
  }

  #open(): void {
    const { files, tokenizer, endOfText } = this.#options
    this.#stream = tokenStream({ files, tokenizer, ...(endOfText === undefined ? {} : { endOfText }) })
    this.#reader = new IdReader(this.#stream)
  }
}

/**
 * The windows of a text in the order of training. The tokens at the end of the text that fill no window are left out.
 *
 * @throws TransweldError ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION at once; from `next()`: as {@link tokenStream};
 * ERR_EMPTY_TEXT if the text fills no window; ERR_RESUME if it is shorter than `from`.
 * @example
 * import { listTexts, shuffledWindows } from 'transweld'
 * const run = shuffledWindows({ files: await listTexts('examples/codelm/text'), tokenizer: 'examples/codelm', length: 256, blockWindows: 64, seed: 0 })
 * const first = await run.next()
 * console.log(first.value?.length, run.position())
 * await run.return()
 */
export function shuffledWindows(options: ShuffledOptions): ShuffledWindows {
  closed('shuffledWindows', options, ['files', 'tokenizer', 'endOfText', 'length', 'blockWindows', 'seed', 'epochs', 'from'])
  integer('length', options.length, 1, 1 << 20)
  integer('blockWindows', options.blockWindows, 1, Math.min(MAX_COUNT, Math.floor(2 ** 28 / options.length)))
  integer('seed', options.seed)
  if (options.epochs !== undefined && options.epochs !== 'forever') integer('epochs', options.epochs, 1)
  if (options.from !== undefined) {
    if (typeof options.from !== 'object' || options.from === null) throw invalid('from', 'a position', options.from)
    integer('from.epoch', options.from.epoch)
    integer('from.window', options.from.window)
  }
  return new ShuffledWindows(options)
}
