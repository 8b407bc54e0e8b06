// Certified screening, seen from TypeScript: low-precision copies of an encoder, and which mode pays on this machine.
import type { Device } from '../tensor/device.ts'
import { type Screen, screenBytes, screenRows } from '../tensor/ops.ts'
import type { Tensor } from '../tensor/tensor.ts'

/** How the big product of an encoder is done first. The codes are the same bits in every mode. */
export type ScreenMode = Screen

/** The modes that this device has for an encoder [F, D], `none` first. */
export function screenModes(device: Device, features: number, width: number): ScreenMode[] {
  return (['none', 'bf16', 'int8'] as const).filter(mode => mode === 'none' || screenBytes(device, mode, features, width) > 0)
}

interface Copy { readonly mode: Exclude<ScreenMode, 'none'>, readonly copy: Tensor, version: number }

/**
 * The low-precision copies of one encoder. A copy carries the version of the weights that it shadows: `of` makes it again
 * where they differ, and `refreshed` says that an update has just renewed it row by row.
 */
export class Shadows {
  readonly #weight: Tensor
  readonly #copies = new Map<ScreenMode, Copy>()

  constructor(weight: Tensor) { this.#weight = weight }

  /** The copy for a mode, up to date; undefined for `none`. */
  of(mode: ScreenMode): Tensor | undefined {
    const held = this.#room(mode)
    if (held && held.version !== this.#weight.version) {
      screenRows({ weight: this.#weight, screen: held.mode, shadow: held.copy })
      held.version = this.#weight.version
    }
    return held?.copy
  }

  /**
   * The copy for a mode that an update may renew row by row; call `refreshed` once that update is enqueued. Only a copy that
   * is up to date: the update may turn out to write nothing, and must then leave a copy that is right.
   */
  toRefresh(mode: ScreenMode): Tensor | undefined {
    const held = this.#copies.get(mode)
    return held?.version === this.#weight.version ? held.copy : undefined
  }
  refreshed(mode: ScreenMode): void {
    const held = this.#copies.get(mode)
    if (held) held.version = this.#weight.version
  }

  /** Frees the copies of all modes but one. */
  keepOnly(mode: ScreenMode): void {
    for (const [other, { copy }] of this.#copies) if (other !== mode) { copy.dispose(); this.#copies.delete(other) }
  }

  dispose(): void {
    for (const { copy } of this.#copies.values()) copy.dispose()
    this.#copies.clear()
  }

  #room(mode: ScreenMode): Copy | undefined {
    if (mode === 'none') return undefined
    let held = this.#copies.get(mode)
    if (!held) {
      const w = this.#weight
      this.#copies.set(mode, held = { mode, copy: w.device.tensor('i8', 1, screenBytes(w.device, mode, w.rows, w.columns)), version: -1 })
    }
    return held
  }
}

const TRIALS = 3         // timings of each mode before one is chosen: the least of three outlives a busy neighbour
const AGAIN = 512        // steps after which all modes are tried again: candidates get fewer as the coder is trained

/**
 * Chooses a screening mode by measured time. Which mode runs never changes a bit of the result, so neither timing noise
 * nor a resume does.
 */
export class ScreenChooser {
  readonly #modes: readonly ScreenMode[]
  #best: ScreenMode
  #plan: ScreenMode[] = []
  #asked = 0
  #least = new Map<ScreenMode, number>()

  /** `modes`: what may be chosen; a single one is a forced mode. */
  constructor(modes: readonly ScreenMode[]) {
    this.#modes = modes
    this.#best = modes[modes.length - 1]!
  }

  /** The mode of the next step. */
  next(): ScreenMode {
    if (this.#modes.length > 1 && this.#asked++ % AGAIN === 0) {
      this.#least.clear()
      this.#plan = Array.from({ length: TRIALS }, () => this.#modes).flat()
    }
    return this.#plan.shift() ?? this.#best
  }

  /** What comes after `next`, without asking for it: the copy that an update should renew. */
  get upcoming(): ScreenMode { return this.#plan[0] ?? this.#best }
  get isTrying(): boolean { return this.#plan.length > 0 }

  /** Tells how long an encode in `mode` took. */
  took(mode: ScreenMode, nanoseconds: number): void {
    this.#least.set(mode, Math.min(nanoseconds, this.#least.get(mode) ?? Infinity))
    if (this.#least.size === this.#modes.length) this.#best = [...this.#least].reduce((a, b) => b[1] < a[1] ? b : a)[0]
  }
}
