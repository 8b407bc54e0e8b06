// From figures to places on an axis. A scale maps its domain to [0, 1], never fails, and brings its own ticks.
import { isFigure, type Figure } from './number.ts'

/** An axis: `place` gives 0 at `low` and 1 at `high`, clamped, and NaN for what is no number. */
export interface Scale {
  readonly log: boolean
  readonly low: number
  readonly high: number
  readonly ticks: readonly number[]
  place(value: Figure): number
}

/** How to choose between the two kinds; `auto` takes a logarithm where all is positive and spans more than 8 ×. */
export type ScaleKind = 'linear' | 'log' | 'auto'

/**
 * A scale that holds all `values`. On a logarithmic one, zero and what is negative sit on the floor (the smallest
 * positive value, or 10⁻⁶ of the largest if that is lower still); without any positive value it falls back to linear.
 */
export function scaleOf(values: Iterable<Figure>, kind: ScaleKind = 'linear', most = 5): Scale {
  let low = Infinity, high = -Infinity, least = Infinity
  for (const value of values) {
    if (!isFigure(value)) continue
    low = Math.min(low, value)
    high = Math.max(high, value)
    if (value > 0) least = Math.min(least, value)
  }
  if (low > high) return linearScale(0, 1, most)
  const log = least < Infinity && (kind === 'log' || kind === 'auto' && low > 0 && high / low > 8)
  return log ? logScale(Math.max(least, high * 1e-6), high, most) : linearScale(low, high, most)
}

/** A linear scale over [low, high]; a domain without width gets some around it. */
export function linearScale(low: number, high: number, most = 5): Scale {
  if (!(high - low > Math.max(Math.abs(low), Math.abs(high)) * 1e-9)) {
    const room = Math.max(Math.abs(low) / 8, 1e-9) * (low === 0 && high === 0 ? 1e9 : 1)
    low -= low === 0 ? 0 : room
    high += room
  }
  const width = high - low
  const place = (value: Figure) => isFigure(value) ? clamp((value - low) / width) : NaN
  return { log: false, low, high, ticks: roundSteps(low, high, most), place }
}

/** A logarithmic scale over [low, high], both positive. */
export function logScale(low: number, high: number, most = 5): Scale {
  if (!(high / low > 1.05)) { low /= 1.5; high *= 1.5 }
  const from = Math.log(low), width = Math.log(high) - from
  const place = (value: Figure) => isFigure(value) ? (value > low ? clamp((Math.log(value) - from) / width) : 0) : NaN
  return { log: true, low, high, ticks: logSteps(low, high, most), place }
}

/** At most about `most` round numbers (1, 2, 2.5 or 5 times a power of ten) inside [low, high]. */
export function roundSteps(low: number, high: number, most = 5): number[] {
  const raw = (high - low) / Math.max(1, most)
  if (!(raw > 0) || !Number.isFinite(raw)) return [low]
  const power = 10 ** Math.floor(Math.log10(raw))
  const step = power * ([1, 2, 2.5, 5].find(factor => factor * power >= raw * (1 - 1e-9)) ?? 10)
  const ticks: number[] = []
  // Counted in whole steps, so that 0.1 + 0.2 does not print as 0.30000000000000004.
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9 && ticks.length < 50; i++) ticks.push(Number((i * step).toPrecision(12)))
  return ticks
}

// The densest of {1, 2, 5}, {1, 3}, {1}, {1 of every 2nd, 3rd … decade} with at most `most` ticks; inside one decade
// that may be fewer than two, and then plain round numbers serve.
function logSteps(low: number, high: number, most: number): number[] {
  const first = Math.floor(Math.log10(low)), last = Math.ceil(Math.log10(high))
  const within = (factors: readonly number[], stride: number) => {
    const ticks: number[] = []
    for (let decade = first; decade <= last; decade++) {
      if (decade % stride !== 0) continue
      for (const factor of factors) {
        const value = Number(`${factor}e${decade}`)
        if (value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9)) ticks.push(value)
      }
    }
    return ticks
  }
  for (const factors of [[1, 2, 5], [1, 3], [1]]) {
    const ticks = within(factors, 1)
    if (ticks.length <= most) return ticks.length >= 2 ? ticks : roundSteps(low, high, most).filter(tick => tick > 0)
  }
  for (let stride = 2; ; stride++) {
    const ticks = within([1], stride)
    if (ticks.length <= most) return ticks
  }
}

function clamp(share: number): number {
  return Math.min(1, Math.max(0, share))
}
