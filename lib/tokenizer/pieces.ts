// Pre-token to ids, kept: text repeats its words, so nearly every pre-token is a look-up instead of a run of merges.
import { TransweldError } from '../native/error.ts'
import { toByteLevel } from './alphabet.ts'
import type { IdBuffer } from './ids.ts'
import type { LibraryModel } from './library.ts'
import type { SplitPlan } from './plan.ts'

const CAPACITY = 1 << 16 // pre-tokens kept; a full table is dropped whole, which costs less than keeping an order of use
const LONGEST_KEPT = 48 // characters; longer ones hardly ever come again
const SLICED = 13 // from this length on V8 keeps a slice as a reference to the whole text, which a kept key must not hold

/** The ids of pre-tokens, computed by the library once and then remembered. */
export class Pieces {
  readonly #model: LibraryModel
  readonly #plan: SplitPlan
  readonly #known = new Map<string, number | Uint32Array>() // one id is kept as a number

  constructor(model: LibraryModel, plan: SplitPlan) {
    this.#model = model
    this.#plan = plan
  }

  /**
   * Adds the ids of the pre-tokens of `text` that end at or before `limit`, and returns where the last of them ended. `text` holds no added token.
   * The pattern sees the whole of `text`, so that what follows a pre-token can decide its end.
   */
  encode(text: string, limit: number, ids: IdBuffer): number {
    let end = 0
    for (const piece of this.#cut(text)) {
      if (end + piece.length > limit) return end
      this.#add(piece, ids)
      end += piece.length
    }
    return end
  }

  // All of the text in order: the matches, and what lies between them. `match` alone is three times as fast, and misses nothing with common patterns.
  #cut(text: string): readonly string[] {
    const matches = text.match(this.#plan.pattern) ?? []
    let covered = 0
    for (const match of matches) covered += match.length
    if (covered === text.length) return matches
    const pieces: string[] = []
    let end = 0
    for (const { 0: match, index } of text.matchAll(this.#plan.pattern)) {
      if (index > end) pieces.push(text.slice(end, index))
      pieces.push(match)
      end = index + match.length
    }
    if (end < text.length) pieces.push(text.slice(end))
    return pieces
  }

  #add(piece: string, ids: IdBuffer): void {
    if (piece === '') return // a pattern may match nothing
    const known = this.#known.get(piece) ?? this.#learn(piece)
    if (typeof known === 'number') ids.push(known)
    else ids.append(known)
  }

  #learn(piece: string): number | Uint32Array {
    const tokens = this.#model.encode([toByteLevel(piece)])
    const found = Uint32Array.from(tokens, token => {
      const id = this.#model.tokens_to_ids.get(token)
      if (id === undefined) throw new TransweldError('ERR_FORMAT', `the tokenizer made the token ${JSON.stringify(token)}, which its vocabulary does not hold`)
      return id
    })
    const value = found.length === 1 ? found[0]! : found
    if (piece.length <= LONGEST_KEPT) {
      if (this.#known.size === CAPACITY) this.#known.clear()
      this.#known.set(piece.length < SLICED ? piece : Buffer.from(piece, 'utf16le').toString('utf16le'), value)
    }
    return value
  }
}
