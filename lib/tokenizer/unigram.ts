// The unigram model: of all ways to cut a word into pieces of the vocabulary, the one with the highest sum of scores, found from left to right in one
// pass (Viterbi). A character that no piece covers is unknown at the price of the lowest score less 10; unknown neighbours are one piece.
import { TransweldError } from '../native/error.ts'
import { byteTokens, type WordModel } from './bpe.ts'
import type { Fields } from './files.ts'
import type { IdBuffer } from './ids.ts'
import { PairTable } from './pairs.ts'

const UNKNOWN_PENALTY = 10

/** The model of `type` Unigram. */
export class Unigram implements WordModel {
  readonly #vocab: ReadonlyMap<string, number>
  readonly #scores: Float64Array
  readonly #edges: PairTable // (node, UTF-16 unit) → node; the root is 0
  readonly #ends: number[] = [-1] // node → id of the piece that ends there
  readonly #unknown: number | undefined
  readonly #unknownScore: number
  readonly #bytes: readonly (number | undefined)[] | undefined

  constructor(model: Fields, vocab: ReadonlyMap<string, number>) {
    const pieces = model['vocab'] as readonly (readonly [string, number])[], unknown = model['unk_id']
    if (unknown != null && !(Number.isInteger(unknown) && (unknown as number) >= 0 && (unknown as number) < pieces.length)) {
      throw new TransweldError('ERR_FORMAT', `model.unk_id ${String(unknown)} is not in model.vocab`)
    }
    this.#vocab = vocab
    this.#scores = Float64Array.from(pieces, ([, score]) => score)
    this.#unknown = (unknown ?? undefined) as number | undefined
    this.#unknownScore = this.#scores.reduce((least, score) => Math.min(least, score), Infinity) - UNKNOWN_PENALTY
    this.#bytes = model['byte_fallback'] === true ? byteTokens(vocab) : undefined
    this.#edges = new PairTable(4 * pieces.length)
    for (const [piece, id] of vocab) {
      let node = 0
      for (let i = 0; i < piece.length; i++) {
        const unit = piece.charCodeAt(i), found = this.#edges.get(node, unit)
        if (found < 0) this.#edges.set(node, unit, this.#ends.push(-1) - 1)
        node = found < 0 ? this.#ends.length - 1 : found
      }
      this.#ends[node] = id
    }
  }

  encode(word: string, ids: IdBuffer): void {
    for (const piece of this.#pieces(word)) {
      const id = this.#vocab.get(piece)
      const bytes = id === undefined && this.#bytes !== undefined ? [...Buffer.from(piece)].map(byte => this.#bytes![byte]) : undefined
      if (id !== undefined) ids.push(id)
      else if (bytes?.every(byte => byte !== undefined)) for (const byte of bytes) ids.push(byte)
      else ids.push(this.#unknown!)
    }
  }

  // The pieces of the best cut, in order.
  #pieces(word: string): string[] {
    const { from, last } = this.#paths(word), pieces: string[] = []
    let fused = ''
    for (let end = word.length; end > 0; end = from[end]!) {
      const piece = word.slice(from[end], end)
      if (last[end] === this.#unknown) {
        fused = piece + fused
        continue
      }
      if (fused !== '') pieces.push(fused)
      fused = ''
      pieces.push(piece)
    }
    if (fused !== '') pieces.push(fused)
    return pieces.reverse()
  }

  // For each end of a piece: where the last piece of the best cut up to it begins, and that piece's id.
  #paths(word: string): { from: Int32Array, last: Int32Array } {
    const best = new Float64Array(word.length + 1), from = new Int32Array(word.length + 1).fill(-1), last = new Int32Array(word.length + 1)
    const offer = (start: number, end: number, score: number, id: number): void => {
      if (from[end] !== -1 && score <= best[end]!) return
      best[end] = score
      from[end] = start
      last[end] = id
    }
    for (let start = 0, width: number; start < word.length; start += width) {
      width = word.codePointAt(start)! > 0xffff ? 2 : 1
      let isCovered = false
      for (let node = 0, end = start; end < word.length;) {
        node = this.#edges.get(node, word.charCodeAt(end++))
        if (node < 0) break
        const id = this.#ends[node]!
        if (id < 0) continue
        offer(start, end, this.#scores[id]! + best[start]!, id)
        isCovered ||= end - start === width
      }
      if (isCovered) continue
      if (this.#unknown === undefined) {
        throw new TransweldError('ERR_FORMAT', 'the tokenizer met a character that its vocabulary does not hold, and it names no unknown token')
      }
      offer(start, start + width, this.#unknownScore + best[start]!, this.#unknown)
    }
    return { from, last }
  }
}
