// How many features fire on which share of tokens, on a log scale, as papers draw it.

const LOWEST = -10, STEP = 0.25      // dead features lie at log10(1e-10): the first bin

/**
 * Histogram of log10(density + 1e-10): 40 bins of a quarter decade from −10 to 0, `counts[i]` features in
 * [edges[i], edges[i + 1]); a feature that fires everywhere is in the last.
 */
export function densityHistogram(densities: ArrayLike<number>): { edges: number[], counts: number[] } {
  const bins = -LOWEST / STEP
  const edges = Array.from({ length: bins + 1 }, (_, i) => LOWEST + i * STEP), counts = edges.slice(1).map(() => 0)
  for (let f = 0; f < densities.length; f++) {
    const bin = Math.floor((Math.log10(densities[f]! + 1e-10) - LOWEST) / STEP)
    counts[Math.min(bins - 1, Math.max(0, bin))]!++
  }
  return { edges, counts }
}
