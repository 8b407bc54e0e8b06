// A stream of blocks of ids, read in whatever lengths are needed.

/** Reads a stream of blocks by count. */
export class IdReader {
  readonly #stream: AsyncIterator<Uint32Array, unknown, undefined>
  #block = new Uint32Array(0)
  #at = 0

  constructor(stream: AsyncIterator<Uint32Array, unknown, undefined>) { this.#stream = stream }

  /** Fills `into`; returns how many ids there were, fewer only at the end of the stream. */
  async read(into: Uint32Array): Promise<number> {
    let done = 0
    while (done < into.length && await this.#ready()) {
      const count = Math.min(into.length - done, this.#block.length - this.#at)
      into.set(this.#block.subarray(this.#at, this.#at + count), done)
      this.#at += count
      done += count
    }
    return done
  }

  /** Passes over `count` ids; returns how many there were. */
  async pass(count: number): Promise<number> {
    let done = 0
    while (done < count && await this.#ready()) {
      const step = Math.min(count - done, this.#block.length - this.#at)
      this.#at += step
      done += step
    }
    return done
  }

  async #ready(): Promise<boolean> {
    while (this.#at === this.#block.length) {
      const next = await this.#stream.next()
      if (next.done === true) return false
      this.#block = next.value as Uint32Array<ArrayBuffer>
      this.#at = 0
    }
    return true
  }
}
