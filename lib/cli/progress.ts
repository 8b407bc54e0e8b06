// A bar on a terminal, drawn over itself ten times a second at most: what is done, how fast, how long it will take.

const DRAW_MS = 100, WIDTH = 24

/** Where a bar may be drawn: process.stderr, or a test's stand-in. */
export interface Terminal { readonly isTTY?: boolean, readonly columns?: number, write(text: string): unknown }

/** A progress bar; silent where there is no terminal. */
export class ProgressBar {
  readonly #terminal: Terminal
  readonly #now: () => number
  readonly #began: number
  #first: number | undefined
  #drawn = -Infinity
  #isShown = false

  constructor(terminal: Terminal = process.stderr, now: () => number = () => performance.now()) {
    this.#terminal = terminal
    this.#now = now
    this.#began = now()
  }

  get isTerminal(): boolean { return this.#terminal.isTTY === true }

  /**
   * Shows `share` (0 to 1) of `what`, and as much of `note` as fits behind it. Work that is resumed does not begin at 0: the time
   * left is reckoned by what was done since the first call.
   */
  show(what: string, share: number, note = ''): void {
    if (!this.isTerminal) return
    const now = this.#now()
    this.#first ??= share
    if (now - this.#drawn < DRAW_MS && share < 1) return
    this.#drawn = now
    const gained = share - this.#first, left = gained > 0 ? (now - this.#began) / 1000 * (1 - share) / gained : Infinity
    const filled = Math.round(WIDTH * Math.min(1, Math.max(0, share))), bar = '█'.repeat(filled) + '░'.repeat(WIDTH - filled)
    const done = `${what} ${bar} ${String(Math.floor(share * 100)).padStart(3)}%`
    const rest = share < 1 && Number.isFinite(left) ? `${clock(left)} left` : ''
    const line = [done, rest, note].filter(part => part !== '').join('  ')
    this.#terminal.write(`\r\x1b[K${line.slice(0, (this.#terminal.columns ?? 80) - 1)}`)
    this.#isShown = true
  }

  /** Takes the bar away, so that other lines may follow. */
  clear(): void {
    if (this.#isShown) this.#terminal.write('\r\x1b[K')
    this.#isShown = false
  }
}

/** Seconds as m:ss, or h:mm:ss. */
export function clock(seconds: number): string {
  const s = Math.round(seconds), two = (n: number): string => String(n).padStart(2, '0')
  return s < 3600 ? `${Math.floor(s / 60)}:${two(s % 60)}` : `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`
}

/** A count a second in few letters: 850, 26.1k, 1.2M. */
export function rate(perSecond: number): string {
  if (perSecond < 1000) return perSecond.toFixed(0)
  return perSecond < 1e6 ? `${(perSecond / 1e3).toFixed(1)}k` : `${(perSecond / 1e6).toFixed(1)}M`
}
