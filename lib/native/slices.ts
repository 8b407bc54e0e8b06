// Long loops on the main thread, cut so that the event loop stays free: between two slices everything that waits gets its turn.

const SLICE_MS = 3

/** Asks for a pause whenever the slice is used up: `if (turn.isOver) await turn.rest()`. */
export class Turn {
  #began = performance.now()

  get isOver(): boolean { return performance.now() - this.#began > SLICE_MS }

  async rest(): Promise<void> {
    await new Promise<void>(resolve => setImmediate(resolve))
    this.#began = performance.now()
  }
}
