// Bars: a histogram for how often features fire, and rows for one figure a layer.
import { bottomAxis, figure, label, round, share, sideAxis } from './chart.ts'
import { escapeHtml } from './escape.ts'
import { brief, compact, count, isFigure, percent, type Figure } from './number.ts'
import { linearScale } from './scale.ts'
import { tag } from './tag.ts'

/** Histogram of log10 density: `counts[i]` features in [edges[i], edges[i+1]). */
export interface Density { readonly edges: readonly Figure[], readonly counts: readonly Figure[] }

/** One bin that holds something and has a place on the axis. */
interface Bin { readonly from: number, readonly to: number, readonly features: number }

/**
 * The bins of a histogram without those that mean "never fired": a density of 0 is counted at log10(1e-10) = −10, far
 * left of all others, and would squeeze the rest into a corner. It is told in words instead.
 */
export function densityBins(density: Density): { readonly fired: readonly Bin[], readonly silent: number } {
  const fired: Bin[] = []
  let silent = 0
  density.counts.forEach((features, i) => {
    const from = density.edges[i], to = density.edges[i + 1]
    if (!isFigure(features) || features <= 0 || !isFigure(from) || !isFigure(to) || to <= from) return
    if (from <= -10 + 1e-6) silent += features
    else fired.push({ from, to, features })
  })
  return { fired, silent }
}

/** Range and height that hold every layer's histogram, so that the panels can be compared; at least two decades wide. */
export function densityRange(densities: readonly Density[]): { readonly low: number, readonly high: number, readonly top: number } {
  let low = Infinity, high = -Infinity, top = 0
  for (const { from, to, features } of densities.flatMap(density => densityBins(density).fired)) {
    low = Math.min(low, from)
    high = Math.max(high, to)
    top = Math.max(top, features)
  }
  if (low > high) return { low: -4, high: 0, top: 1 }
  return high - low < 2 ? { low: high - 2, high, top } : { low, high, top }
}

/** One panel: `range` is common to all of them, `ticks` is how many marks there is room for. */
export interface Histogram {
  readonly name: string
  readonly layer: number
  readonly ink: string
  readonly density: Density
  readonly range: ReturnType<typeof densityRange>
  readonly ticks: number
}

/** One layer's histogram of feature density. */
export function histogram({ name, layer, ink, density, range, ticks }: Histogram): string {
  const height = 96, across = linearScale(range.low, range.high, ticks), up = linearScale(0, range.top, 2)
  const { fired, silent } = densityBins(density)
  const active = fired.reduce((sum, bin) => sum + bin.features, 0)
  const bars = fired.map(bin => {
    const left = across.place(bin.from), tall = Math.max(0.75, up.place(bin.features) * height)
    const place = { x: share(left), width: share(across.place(bin.to) - left), y: round(height - tall), height: round(tall) }
    return tag('rect', place, tag('title', {}, escapeHtml(`${count(bin.features)} features fire on ${shares(bin)}`)))
  })
  const all = across.ticks.filter(Number.isInteger), decades = all.length > 4 ? all.filter((_, i) => i % 2 === 0) : all     // four labels fit a slim panel
  const axis = { ...across, ticks: decades.length >= 2 ? decades : across.ticks }
  const description = `Histogram of feature density, ${name}: ${count(active)} features fired, ${count(silent)} never did.${peak(fired)}`
  const unit = active + silent === 0 ? 'no features' : `${percent(silent / (active + silent))} never fired`
  const body = sideAxis(up, height, compact) + tag('g', { class: `bars ${ink}` }, bars) + bottomAxis(axis, height, '', decade)
  return figure({ title: name, unit, description }, { margins: 'slim', height }, body, { 'data-layer': layer })
}

function peak(bins: readonly Bin[]): string {
  const most = bins.reduce<Bin | undefined>((best, bin) => best && best.features >= bin.features ? best : bin, undefined)
  return most ? ` Most fire on ${shares(most)}.` : ''
}

function shares(bin: Bin): string {
  return `${brief(100 * 10 ** bin.from)} to ${brief(100 * 10 ** bin.to)}% of tokens`
}

/** log10 of a share, as the share itself: −2 → "1%". */
function decade(value: number): string {
  return Number.isInteger(value) && value >= -6 ? `${Number((100 * 10 ** value).toPrecision(3))}%` : `10^${brief(value)}`
}

/** One row of {@link rowChart}; `layer` is absent where the row stands for all layers. */
export interface Row { readonly name: string, readonly layer?: number, readonly ink: string, readonly value: Figure }

/**
 * Horizontal bars from 0, with the figure at the end of each row. The axis holds [0, 1]; a figure outside (a recovered
 * share has no bounds when the ablation hardly hurts) stretches it to at most [−1, 1.25], and longer bars are cut there.
 */
export function rowChart(title: string, unit: string, rows: readonly Row[], format: (value: Figure) => string): string {
  const [pitch, thick] = rows.length > 14 ? [16, 9] : [26, 13]
  const values = rows.map(row => row.value).filter(isFigure)
  const across = linearScale(Math.max(-1, Math.min(0, ...values)), Math.min(1.25, Math.max(1, ...values)), 4)
  const height = Math.max(1, rows.length) * pitch, zero = across.place(0)
  const drawn = rows.map(({ name, layer, ink, value }, i) => {
    const y = (i + 0.5) * pitch, place = isFigure(value) ? across.place(value) : zero
    const bar = { class: `bar ${ink}`, x: share(Math.min(zero, place)), width: share(Math.abs(place - zero)), y: y - thick / 2, height: thick }
    return tag('g', { 'data-layer': layer }, label({ class: 'tick', x: -8, y, 'text-anchor': 'end' }, name),
      isFigure(value) ? tag('rect', bar) : '', label({ class: 'value', x: '100%', dx: 8, y }, format(value)))
  })
  const grid = across.ticks.map(tick => {
    const x = share(across.place(tick))
    return tag('line', { class: 'grid', x1: x, x2: x, y1: 0, y2: height })
  })
  const description = `Bar chart: ${title}. ` + rows.map(row => `${row.name}: ${format(row.value)}`).join('; ')
  const body = [...grid, ...drawn, bottomAxis(across, height, '', value => percent(value, 0))].join('')
  return figure({ title, unit, description }, { margins: 'rows', height }, body)
}
