// A table from two small integers to one: merges by their two ids, edges of a trie by node and character. A Map of combined keys takes
// four times the memory (keys beyond 2^31 are objects to V8) and a third more time a look-up.

/** Non-negative integers by pairs of integers below 2^31; a pair that is set again takes the new value. */
export class PairTable {
  #keys: Int32Array // left, right, value + 1; a value of 0 marks an empty place
  #mask: number
  #count = 0

  constructor(expected = 16) {
    const places = 2 ** Math.ceil(Math.log2(Math.max(16, 2 * expected)))
    this.#keys = new Int32Array(3 * places)
    this.#mask = places - 1
  }

  /** The value, or -1. */
  get(left: number, right: number): number {
    return this.#keys[this.#place(left, right) + 2]! - 1
  }

  set(left: number, right: number, value: number): void {
    const place = this.#place(left, right)
    if (this.#keys[place + 2] === 0) this.#count++
    this.#keys[place] = left
    this.#keys[place + 1] = right
    this.#keys[place + 2] = value + 1
    if (2 * this.#count > this.#mask) this.#grow()
  }

  // Where the pair is, or the empty place where it would be.
  #place(left: number, right: number): number {
    const keys = this.#keys, mask = this.#mask
    let hash = Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b)
    hash ^= hash >>> 15
    for (let at = hash & mask; ; at = (at + 1) & mask) {
      const place = 3 * at
      if (keys[place + 2] === 0 || (keys[place] === left && keys[place + 1] === right)) return place
    }
  }

  #grow(): void {
    const old = this.#keys
    this.#keys = new Int32Array(2 * old.length)
    this.#mask = 2 * this.#mask + 1
    this.#count = 0
    for (let i = 0; i < old.length; i += 3) if (old[i + 2] !== 0) this.set(old[i]!, old[i + 1]!, old[i + 2]! - 1)
  }
}
