// Byte-pair encoding: a word starts as its characters, and the pair with the lowest rank, leftmost first, is merged until none is left.
//
// Characters outside the vocabulary become their bytes (<0xNN>, byte_fallback), the unknown token, or nothing. The order of merges is that of the
// `tokenizers` library in every case, also where it is odd: an entry of its queue whose pair has changed still counts if the new pair makes the same token.
import { TransweldError } from '../native/error.ts'
import type { Fields } from './files.ts'
import type { IdBuffer } from './ids.ts'
import { PairTable } from './pairs.ts'

/** What turns one word into ids. */
export interface WordModel {
  /** Adds the ids of `word`. */
  encode(word: string, ids: IdBuffer): void
}

const POSITIONS = 2 ** 32 // a queue entry is rank · 2^32 + position: below 2^53 for 2^21 merges, and ordered as it has to be

/** The model of `type` BPE. */
export class Bpe implements WordModel {
  readonly #vocab: ReadonlyMap<string, number>
  readonly #ranks: PairTable
  readonly #made: Int32Array // token by rank
  readonly #bytes: readonly (number | undefined)[] | undefined
  readonly #unknown: number | undefined
  readonly #unknownText: string | undefined
  readonly #fuses: boolean
  readonly #takesWhole: boolean
  readonly #prefix: string
  readonly #suffix: string
  // The word in work: a list of symbols by position. `next` of the last and `previous` of the first are -1; a symbol that went into its left neighbour is -1.
  #symbols = new Int32Array(256)
  #next = new Int32Array(256)
  #previous = new Int32Array(256)
  readonly #queue = new Queue()

  constructor(model: Fields, vocab: ReadonlyMap<string, number>) {
    const merges = model['merges'] as readonly (string | readonly [string, string])[]
    this.#vocab = vocab
    this.#prefix = (model['continuing_subword_prefix'] ?? '') as string
    this.#suffix = (model['end_of_word_suffix'] ?? '') as string
    this.#unknownText = (model['unk_token'] ?? undefined) as string | undefined
    this.#unknown = this.#unknownText === undefined ? undefined : vocab.get(this.#unknownText)
    this.#fuses = model['fuse_unk'] === true
    this.#takesWhole = model['ignore_merges'] === true
    this.#bytes = model['byte_fallback'] === true ? byteTokens(vocab) : undefined
    this.#ranks = new PairTable(merges.length)
    this.#made = new Int32Array(merges.length)
    merges.forEach((merge, rank) => {
      const at = typeof merge === 'string' ? merge.indexOf(' ') : 0
      const [left, right] = typeof merge === 'string' ? [merge.slice(0, at), merge.slice(at + 1)] : merge
      this.#made[rank] = this.#id(left + right.slice(this.#prefix.length))
      this.#ranks.set(this.#id(left), this.#id(right), rank)
    })
  }

  #id(token: string): number {
    const id = this.#vocab.get(token)
    if (id === undefined) throw new TransweldError('ERR_FORMAT', `model.merges needs the token ${JSON.stringify(token)}, which model.vocab does not hold`)
    return id
  }

  /**
   * True where no merge joins anything but marks to a `mark` that follows it: then text may be cut before each such mark, and the ids stay.
   * Every character has to become a token for that: if one vanished, the marks around it would meet.
   */
  cutsBefore(mark: string): boolean {
    const vanish = this.#unknown === undefined && this.#bytes?.every(id => id !== undefined) !== true
    if (vanish || !this.#vocab.has(mark) || this.#takesWhole || this.#prefix !== '' || this.#suffix !== '') return false
    const made = new Set(this.#made)
    for (const [token, id] of this.#vocab) {
      const at = token.lastIndexOf(mark)
      if (at > 0 && made.has(id) && token.slice(0, at) !== mark.repeat(at)) return false
    }
    return true
  }

  encode(word: string, ids: IdBuffer): void {
    const whole = this.#takesWhole ? this.#vocab.get(word) : undefined
    if (whole !== undefined) return ids.push(whole)
    const count = this.#merge(this.#start(word))
    for (let i = 0, at = 0; i < count; i++, at = this.#next[at]!) ids.push(this.#symbols[at]!)
  }

  // The characters of the word as symbols; their number.
  #start(word: string): number {
    let count = 0, at = 0, isUnknown = false // an unknown character waits for what follows, to be one token with it
    const flush = (): void => {
      if (isUnknown) count = this.#append(count, this.#unknown!)
      isUnknown = false
    }
    for (const character of word) {
      const isFirst = at === 0
      at += character.length
      const spelled = (isFirst ? '' : this.#prefix) + character + (at === word.length ? this.#suffix : ''), id = this.#vocab.get(spelled)
      if (id !== undefined) {
        flush()
        count = this.#append(count, id)
        continue
      }
      const bytes = this.#bytes && [...Buffer.from(spelled)].map(byte => this.#bytes![byte])
      if (bytes?.every(byte => byte !== undefined)) for (const byte of bytes) count = this.#append(count, byte)
      else if (this.#unknownText !== undefined) {
        if (this.#unknown === undefined) throw new TransweldError('ERR_FORMAT', `the unknown token ${JSON.stringify(this.#unknownText)} is not in model.vocab`)
        if (!this.#fuses) flush()
        isUnknown = true
      }
    }
    flush()
    return count
  }

  #append(count: number, id: number): number {
    if (count === this.#symbols.length) {
      [this.#symbols, this.#next, this.#previous] = [this.#symbols, this.#next, this.#previous].map(list => {
        const grown = new Int32Array(2 * list.length)
        grown.set(list)
        return grown
      }) as [Int32Array<ArrayBuffer>, Int32Array<ArrayBuffer>, Int32Array<ArrayBuffer>]
    }
    this.#symbols[count] = id
    this.#previous[count] = count - 1
    this.#next[count] = -1
    if (count > 0) this.#next[count - 1] = count
    return count + 1
  }

  // Merges the first `count` symbols; how many are left.
  #merge(count: number): number {
    const symbols = this.#symbols, next = this.#next, previous = this.#previous, queue = this.#queue, ranks = this.#ranks
    const offer = (at: number): void => {
      const rank = ranks.get(symbols[at]!, symbols[next[at]!]!)
      if (rank >= 0) queue.push(rank * POSITIONS + at)
    }
    for (let at = 0; at + 1 < count; at++) offer(at)
    let left = count
    for (let entry = queue.pop(); entry !== undefined; entry = queue.pop()) {
      const at = entry % POSITIONS, right = next[at]!, made = this.#made[(entry - at) / POSITIONS]!
      if (symbols[at] === -1 || right === -1) continue
      const rank = ranks.get(symbols[at]!, symbols[right]!)
      if (rank < 0 || this.#made[rank] !== made) continue
      symbols[at] = made
      symbols[right] = -1
      left--
      const after = next[at] = next[right]!
      if (after !== -1) previous[after] = at
      if (previous[at] !== -1) offer(previous[at]!)
      if (after !== -1) offer(at)
    }
    return left
  }
}

/** The ids of <0x00> to <0xFF>. */
export function byteTokens(vocab: ReadonlyMap<string, number>): (number | undefined)[] {
  return Array.from({ length: 256 }, (_, byte) => vocab.get(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`))
}

// Numbers out in ascending order: a binary heap.
class Queue {
  #items = new Float64Array(256)
  #count = 0

  push(item: number): void {
    if (this.#count === this.#items.length) {
      const grown = new Float64Array(2 * this.#items.length)
      grown.set(this.#items)
      this.#items = grown
    }
    const items = this.#items
    let at = this.#count++
    for (let above = (at - 1) >> 1; at > 0 && items[above]! > item; at = above, above = (at - 1) >> 1) items[at] = items[above]!
    items[at] = item
  }

  pop(): number | undefined {
    if (this.#count === 0) return undefined
    const items = this.#items, first = items[0]!, last = items[--this.#count]!
    let at = 0
    for (let below = 1; below < this.#count; below = 2 * at + 1) {
      if (below + 1 < this.#count && items[below + 1]! < items[below]!) below++
      if (items[below]! >= last) break
      items[at] = items[below]!
      at = below
    }
    items[at] = last
    return first
  }
}
