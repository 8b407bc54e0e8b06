// One document after another to ids, while its text arrives in parts: the result is that of the whole document at once, and only a window of it is held.
//
// Text may be encoded up to a cut that nothing behind it can move. The cut used here is the end of a word (a non-space before ASCII white space)
// at least 32 characters before the end of what has arrived: the patterns of byte-level tokenizers look ahead over the rest of a
// run of one kind (letters, digits, space) or over a few fixed characters ('ll), never over a word and the space after it.
import { TransweldError } from '../native/error.ts'
import { IdBuffer } from './ids.ts'
import type { Tokenizer } from './tokenizer.ts'

const WINDOW = 1 << 16 // characters that are collected before they are encoded: about 3 ms of work
const MARGIN = 32
const MOST_HELD = 1 << 26 // characters of a document that cannot be cut

/**
 * Encodes documents whose text arrives in parts, without the special tokens that a tokenizer may put around a text.
 *
 * @example
 * import { openTokenizer, DocumentEncoder } from 'transweld'
 * const encoder = new DocumentEncoder(await openTokenizer('examples/codelm'))
 * encoder.push('The war lasted fr')
 * encoder.push('om the year 1732')
 * encoder.end()
 * console.log(encoder.ids.take())
 */
export class DocumentEncoder {
  /** The ids so far; take them out as they come. Ids of text that still waits for what follows it come later. */
  readonly ids = new IdBuffer()
  readonly #tokenizer: Tokenizer
  readonly #window: number
  #held = ''
  #enough: number
  #blank = true

  /** `window` is how many characters are collected before they are encoded; it never changes the ids. */
  constructor(tokenizer: Tokenizer, window = WINDOW) {
    this.#tokenizer = tokenizer
    this.#window = this.#enough = window
  }

  /** The next part of the document. */
  push(text: string): void {
    this.#held += text
    if (this.#held.length < this.#enough) return
    if (this.#held.length > MOST_HELD) {
      throw new TransweldError('ERR_UNSUPPORTED', `a document holds more than ${MOST_HELD} characters without a place \
where this tokenizer lets it be cut. Separate documents with <|endoftext|>`)
    }
    if (this.#blank && !/\S/.test(this.#held)) this.#enough = 2 * this.#held.length
    else {
      this.#blank = false
      const done = this.#tokenizer.stream === undefined ? 0 : this.#encodeStart()
      this.#held = this.#held.slice(done)
      this.#enough = Math.max(this.#window, 2 * this.#held.length) // doubling keeps the work of looking again linear
    }
  }

  /** The document is complete. False if it held nothing but white space: then it gave no ids. */
  end(): boolean {
    const text = this.#held, blank = this.#blank && !/\S/.test(text)
    this.#held = ''
    this.#enough = this.#window
    this.#blank = true
    if (!blank) this.#tokenizer.encodeInto(text, this.ids)
    return !blank
  }

  // Encodes as much of the held text as is decided, and returns its length.
  #encodeStart(): number {
    const { added, pieces } = this.#tokenizer.stream!, text = this.#held
    let start = 0
    for (const found of added.find(text)) {
      if (found.start + added.longest > text.length) return start // a longer added token could begin here
      pieces.encode({ text: text.slice(start, found.start), first: 0 }, this.ids)
      this.ids.push(found.id)
      start = found.end
    }
    const rest = text.slice(start), limit = lastWordEnd(rest, rest.length - MARGIN - added.longest)
    return start + (limit > 0 ? pieces.encodeStart(rest, limit, this.ids) : 0)
  }
}

// The last place p ≤ from with white space at p and none at p − 1, or 0.
function lastWordEnd(text: string, from: number): number {
  for (let p = from; p > 0; p--) {
    const code = text.charCodeAt(p)
    if ((code === 32 || (code >= 9 && code <= 13)) && /[^\s\x1c-\x1f\x85]/.test(text[p - 1]!)) return p
  }
  return 0
}
