// Rows a second over about the last second.

const WINDOW = 1000      // ms

/** A sliding count. */
export class Rate {
  readonly #marks: { at: number, total: number }[] = [{ at: performance.now(), total: 0 }]

  add(count: number): void {
    const now = performance.now(), last = this.#marks[this.#marks.length - 1]!
    this.#marks.push({ at: now, total: last.total + count })
    while (this.#marks.length > 2 && now - this.#marks[1]!.at > WINDOW) this.#marks.shift()
  }

  /** 0 before the first `add`. */
  perSecond(): number {
    const first = this.#marks[0]!, last = this.#marks[this.#marks.length - 1]!
    return last.at > first.at ? (last.total - first.total) / (last.at - first.at) * 1000 : 0
  }
}
