// Ctrl-C: the first asks the work to stop where nothing is lost, the second ends the process at once.

/** Exit code of a process that Ctrl-C ended, as shells have it. */
export const INTERRUPTED = 130

/** That of a process whose reader went away. */
export const CUT_OFF = 141

/** Listens for Ctrl-C until it is disposed. */
export class Interrupt {
  readonly #controller = new AbortController()
  readonly #listener: () => void

  /** `told` is called at the first Ctrl-C. */
  constructor(told: () => void) {
    this.#listener = () => {
      if (this.#controller.signal.aborted) process.exit(INTERRUPTED)
      this.#controller.abort()
      told()
    }
    process.on('SIGINT', this.#listener)
  }

  get signal(): AbortSignal { return this.#controller.signal }

  dispose(): void { process.removeListener('SIGINT', this.#listener) }
  [Symbol.dispose](): void { this.dispose() }
}
