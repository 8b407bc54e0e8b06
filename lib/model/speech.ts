// Text of token ids as they come: whole characters, and nothing that may still turn out to begin a stop string.
import type { Tokenizer } from '../tokenizer/tokenizer.ts'

const BEHIND = 8            // tokens before the new ones that are decoded with them: a blank or a character may depend on its neighbours

/** The text of one generation. */
export class Speech {
  /** Whether a stop string has been found. */
  isStopped = false
  readonly #tokenizer: Tokenizer
  readonly #stops: readonly string[]
  readonly #ids: number[]
  #from: number             // ids from here on are decoded again with each new one
  #told: number             // ids before this have given their text
  #held = ''                // whole characters that may begin a stop string

  /** @param prompt the ids before; their last ones are decoded with the first new ones */
  constructor(tokenizer: Tokenizer, prompt: ArrayLike<number>, stops: readonly string[]) {
    this.#tokenizer = tokenizer
    this.#stops = stops
    this.#ids = Array.from(prompt).slice(-BEHIND).filter(id => id < tokenizer.size)
    this.#from = 0
    this.#told = this.#ids.length
  }

  /** What can be said after one more id. An id that the tokenizer does not know, such as one that fills up a vocabulary, has no text. */
  add(id: number): string {
    if (id < this.#tokenizer.size) this.#ids.push(id)
    const text = this.#decode(this.#ids.length)
    if (text.endsWith('\uFFFD')) return ''                       // a part of a character
    return this.#release(this.#take(text), false)
  }

  /** What is left at the end. */
  end(): string {
    return this.isStopped ? '' : this.#release(this.#take(this.#decode(this.#ids.length)), true)
  }

  #decode(to: number): string { return this.#tokenizer.decode(this.#ids.slice(this.#from, to)) }

  // The new part of the text from `from` on. What follows is decoded after the ids that were new this time.
  #take(text: string): string {
    const told = this.#decode(this.#told), before = text.startsWith(told) ? told : told.replace(/\uFFFD+$/, '')     // half a character ended the prompt
    this.#from = Math.max(this.#from, Math.min(this.#told, this.#ids.length - BEHIND))
    this.#told = this.#ids.length
    return text.slice(before.length)
  }

  #release(more: string, isLast: boolean): string {
    const text = this.#held + more, first = Math.min(...this.#stops.map(stop => text.indexOf(stop)).filter(at => at >= 0))
    if (first !== Infinity) {
      this.isStopped = true
      this.#held = ''
      return text.slice(0, first)
    }
    const held = isLast ? 0 : Math.max(0, ...this.#stops.map(stop => overlap(text, stop)))
    this.#held = text.slice(text.length - held)
    return text.slice(0, text.length - held)
  }
}

// Length of the longest end of `text` with which `stop` begins.
function overlap(text: string, stop: string): number {
  for (let length = Math.min(text.length, stop.length - 1); length > 0; length--) if (text.endsWith(stop.slice(0, length))) return length
  return 0
}
