// A growing list of token ids, 4 bytes each: an array of numbers would take twice that and one allocation a document.

/** Token ids in the order in which they were added. */
export class IdBuffer {
  #ids: Uint32Array<ArrayBuffer>
  #length = 0

  constructor(capacity = 1024) { this.#ids = new Uint32Array(capacity) }

  get length(): number { return this.#length }

  push(id: number): void {
    if (this.#length === this.#ids.length) this.#grow(this.#length + 1)
    this.#ids[this.#length++] = id
  }

  append(ids: Uint32Array): void {
    if (this.#length + ids.length > this.#ids.length) this.#grow(this.#length + ids.length)
    this.#ids.set(ids, this.#length)
    this.#length += ids.length
  }

  /** Removes the first `count` ids and returns them in memory of their own. */
  take(count = this.#length): Uint32Array<ArrayBuffer> {
    const taken = this.#ids.slice(0, count)
    this.#ids.copyWithin(0, count, this.#length)
    this.#length -= count
    return taken
  }

  #grow(least: number): void {
    const grown = new Uint32Array(Math.max(least, 2 * this.#ids.length))
    grown.set(this.#ids.subarray(0, this.#length))
    this.#ids = grown
  }
}
