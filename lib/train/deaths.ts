// Which features are dead: those that did not fire for a number of tokens. Decided by the host, from counts that are two
// steps old when they are used, so that a step need not wait for the one before; a checkpoint keeps what is under way.

/** The dead features of one layer. */
export class Deaths {
  /** Rows since each feature fired last. */
  readonly since: Uint32Array
  readonly #after: number
  // Lists decided after the last step told and after the one before it.
  #last: Uint32Array
  #before: Uint32Array

  constructor(features: number, after: number, state?: { since: Uint32Array, before: Uint32Array }) {
    this.since = state?.since ?? new Uint32Array(features)
    this.#after = after
    this.#before = state?.before ?? new Uint32Array(0)
    this.#last = state ? this.#list() : new Uint32Array(0)
  }

  /** Tells what fired in a step of `rows` rows. Steps are told in order. */
  tell(fired: Uint32Array, rows: number): void {
    const since = this.since
    for (let f = 0; f < since.length; f++) since[f] = fired[f]! > 0 ? 0 : Math.min(since[f]! + rows, 0xFFFFFFFF)
    this.#before = this.#last
    this.#last = this.#list()
  }

  /** Dead after the last step told: for the events. */
  get now(): Uint32Array { return this.#last }

  /** The list for the next step to be enqueued, where `told` steps have been told and `enqueued` enqueued. */
  forStep(enqueued: number, told: number): Uint32Array { return enqueued - told >= 1 ? this.#last : this.#before }

  /** What a checkpoint keeps when every enqueued step has been told. */
  get state(): { since: Uint32Array, before: Uint32Array } { return { since: this.since, before: this.#before } }

  #list(): Uint32Array {
    const dead: number[] = []
    for (let f = 0; f < this.since.length; f++) if (this.since[f]! >= this.#after) dead.push(f)
    return Uint32Array.from(dead)
  }
}
