// The places of a text on which a feature fires most.
import type { Firings } from './firings.ts'

/** One place: `values[i]` is the feature's activation on `tokens[i]`; `at` is the index of the largest. */
export interface Context { readonly tokens: readonly string[], readonly values: readonly number[], readonly at: number }

const AROUND = 12      // tokens shown on each side
const ALIKE = 4        // tokens on each side that, if the same, make two places one
const STRONGEST = 2048 // firings looked at

/**
 * The `count` strongest places of a feature, distinct: none within reach of another in the same window, none with the same text around it.
 * `context` is the length of the windows that were read alone; what lies beyond one is not shown.
 */
export function topContexts(firings: Firings, feature: number, ids: Uint32Array, context: number, count: number,
  piece: (id: number) => string): Context[] {
  const { starts, rows, values } = firings
  const from = starts[feature]!, to = starts[feature + 1]!
  const least = threshold(values.subarray(from, to)), order: number[] = []
  for (let i = from; i < to; i++) if (values[i]! >= least) order.push(i)
  order.sort((a, b) => values[b]! - values[a]! || a - b)
  const taken: number[] = [], texts = new Set<string>(), out: Context[] = []
  for (const i of order) {
    if (out.length === count) break
    const row = rows[i]!, window = row - row % context, end = Math.min(window + context, ids.length)
    const text = ids.subarray(Math.max(window, row - ALIKE), Math.min(end, row + ALIKE + 1)).join()
    if (taken.some(other => other >= window && Math.abs(other - row) <= AROUND && other < end) || texts.has(text)) continue
    taken.push(row)
    texts.add(text)
    const first = Math.max(window, row - AROUND), last = Math.min(end, row + AROUND + 1)
    const tokens = Array.from(ids.subarray(first, last), piece)
    out.push({ tokens, values: valuesBetween(rows, values, from, to, first, last), at: row - first })
  }
  return out
}

// The value that all but the strongest firings stay below: sorting numbers alone is ten times as fast as sorting places.
function threshold(values: Float32Array): number {
  return values.length <= STRONGEST ? -Infinity : values.slice().sort()[values.length - STRONGEST]!
}

// The activations on rows first … last − 1; 0 where the feature is silent.
function valuesBetween(rows: Uint32Array, values: Float32Array, from: number, to: number, first: number, last: number): number[] {
  const out = new Array<number>(last - first).fill(0)
  let low = from, high = to                   // the first firing on a row of at least `first`
  while (low < high) {
    const middle = (low + high) >> 1
    if (rows[middle]! < first) low = middle + 1
    else high = middle
  }
  for (let i = low; i < to && rows[i]! < last; i++) out[rows[i]! - first] = values[i]!
  return out
}
