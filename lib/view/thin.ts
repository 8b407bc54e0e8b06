// Long curves, cut down for drawing. A line keeps the lowest and the highest point of each stretch, so a spike of one
// step stays visible; a read-out keeps evenly spaced points, the same for every series, so that one place on the x
// axis means one row of figures.
import { isFigure, type Figure } from './number.ts'

/** Points of a drawn line: about 2 per pixel column of a chart half a page wide. */
export const LINE_POINTS = 600

/** Points that a read-out stops at. */
export const READOUT_POINTS = 300

/** At most `most` (≥ 2) of the indices 0 … length − 1, evenly spaced, first and last among them. */
export function spread(length: number, most: number): number[] {
  if (length <= most) return Array.from({ length }, (_, i) => i)
  return Array.from({ length: most }, (_, i) => Math.round(i * (length - 1) / (most - 1)))
}

/** Indices of `values` to draw, rising, at most about `most`: first, last, and the extremes of each of most / 2 stretches. */
export function extremes(values: readonly Figure[], most: number): number[] {
  const length = values.length
  if (length <= most) return Array.from({ length }, (_, i) => i)
  const stretches = Math.max(1, Math.floor(most / 2)), chosen = new Set([0, length - 1])
  for (let s = 0; s < stretches; s++) {
    const from = Math.floor(s * length / stretches), to = Math.floor((s + 1) * length / stretches)
    let lowest = -1, highest = -1
    for (let i = from; i < to; i++) {
      const value = values[i]
      if (!isFigure(value)) continue
      if (lowest < 0 || value < values[lowest]!) lowest = i
      if (highest < 0 || value > values[highest]!) highest = i
    }
    // A stretch without a number keeps one index: the gap must stay a gap.
    for (const index of lowest < 0 ? [from] : [lowest, highest]) chosen.add(index)
  }
  return [...chosen].sort((a, b) => a - b)
}
