// Words to ids, kept: text repeats its words, so nearly every word is a look-up instead of a run of merges.
import type { WordModel } from './bpe.ts'
import { IdBuffer } from './ids.ts'
import type { Part } from './normalizer.ts'

const CAPACITY = 1 << 16 // words kept; a full table is dropped whole, which costs less than keeping an order of use
const LONGEST_KEPT = 48 // characters; longer ones hardly ever come again
const SLICED = 13 // from this length on V8 keeps a slice as a reference to the whole text, which a kept key must not hold

/** The ids of words, computed by the model once and then remembered. */
export class Pieces {
  readonly #model: WordModel
  readonly #cut: (part: Part) => readonly string[]
  readonly #spell: (word: string) => string
  readonly #known = new Map<string, number | Uint32Array>() // one id is kept as a number
  readonly #found = new IdBuffer(64)

  /** `cut` makes the words of a part, `spell` what the model reads of a word. */
  constructor(model: WordModel, cut: (part: Part) => readonly string[], spell: (word: string) => string = word => word) {
    this.#model = model
    this.#cut = cut
    this.#spell = spell
  }

  /** Adds the ids of a part without added tokens. */
  encode(part: Part, ids: IdBuffer): void {
    for (const word of this.#cut(part)) this.#add(word, ids)
  }

  /**
   * Adds the ids of the words of `text` that end at or before `limit`, and returns where the last of them ended: for words that are the text, cut.
   * All of `text` is looked at, so that what follows a word can decide its end.
   */
  encodeStart(text: string, limit: number, ids: IdBuffer): number {
    let end = 0
    for (const word of this.#cut({ text, first: 0 })) {
      if (end + word.length > limit) return end
      this.#add(word, ids)
      end += word.length
    }
    return end
  }

  #add(word: string, ids: IdBuffer): void {
    const known = this.#known.get(word) ?? this.#learn(word)
    if (typeof known === 'number') ids.push(known)
    else ids.append(known)
  }

  #learn(word: string): number | Uint32Array {
    this.#model.encode(this.#spell(word), this.#found)
    const found = this.#found.take(), value = found.length === 1 ? found[0]! : found
    if (word.length <= LONGEST_KEPT) {
      if (this.#known.size === CAPACITY) this.#known.clear()
      this.#known.set(word.length < SLICED ? word : Buffer.from(word, 'utf16le').toString('utf16le'), value)
    }
    return value
  }
}

/** All of the text in order: the matches, and what lies between them. `match` alone is three times as fast, and misses nothing with common patterns. */
export function cutBy(pattern: RegExp): (part: Part) => readonly string[] {
  return ({ text }) => {
    const matches: readonly string[] = text.match(pattern) ?? []
    let covered = 0
    for (const match of matches) covered += match.length
    if (covered === text.length) return matches.includes('') ? matches.filter(match => match !== '') : matches
    const words: string[] = []
    let end = 0
    for (const { 0: match, index } of text.matchAll(pattern)) {
      if (index > end) words.push(text.slice(end, index))
      if (match !== '') words.push(match)
      end = index + match.length
    }
    if (end < text.length) words.push(text.slice(end))
    return words
  }
}
