// Curves over a common x axis, one line a layer, each written at its end with the layer's name. What the pointer reads
// travels with the picture as data, so that the page's script needs no knowledge of what is shown.
import { bottomAxis, declutter, figure, label, round, sideAxis } from './chart.ts'
import { brief, compact, isFigure, MISSING, percent, type Figure } from './number.ts'
import { HUES } from './palette.ts'
import { scaleOf, type Scale, type ScaleKind } from './scale.ts'
import { tag } from './tag.ts'
import { extremes, LINE_POINTS, READOUT_POINTS, spread } from './thin.ts'

/** One line; `ink` is a class of palette.ts. */
export interface Series { readonly name: string, readonly layer: number, readonly ink: string, readonly values: readonly Figure[] }

/** A line chart's content. `unit` follows the title; a logarithmic axis adds its own word to it. */
export interface LineChart {
  readonly title: string
  readonly unit: string
  readonly x: readonly Figure[]
  readonly xName: string
  readonly series: readonly Series[]
  readonly kind: ScaleKind
  /** Figures as shares (per cent) or as plain numbers. */
  readonly show: 'percent' | 'number'
}

const HEIGHT = 190
const LABEL_GAP = 14

/** The chart as a `<figure>`. */
export function lineChart(chart: LineChart): string {
  const format = chart.show === 'percent' ? (value: Figure) => percent(value, 1).replace('.0%', '%') : brief
  const across = scaleOf(chart.x)
  const up = upwards(chart.series.flatMap(series => series.values), chart.kind)
  const named = chart.series.length <= HUES
  const lines = chart.series.map(series => drawn(series, chart.x, across, up))
  const box = { width: '100%', height: HEIGHT, viewBox: `0 0 1000 ${HEIGHT}`, preserveAspectRatio: 'none' }
  const body = sideAxis(up, HEIGHT, format) + bottomAxis(across, HEIGHT, chart.xName, compact) +
    tag('svg', box, lines.map(line => line.path)) + lines.map(line => line.dots).join('') + (named ? names(chart.series, up) : '')
  const unit = up.log ? `${chart.unit}, log scale` : chart.unit
  const caption = { title: chart.title, unit, description: describe(chart, format) }
  return figure(caption, { margins: named ? 'wide tall' : 'slim tall', height: HEIGHT }, body, { 'data-read': readOut(chart, across, up) })
}

// A linear axis begins at 0, or the jitter of a constant would fill the whole height.
function upwards(values: readonly Figure[], kind: ScaleKind): Scale {
  const scale = scaleOf(values, kind)
  return scale.log || scale.low <= 0 ? scale : scaleOf([0, ...values], 'linear')
}

// Places of a series on a 1000-unit wide view box, in stretches between gaps.
function stretches(series: Series, x: readonly Figure[], across: Scale, up: Scale): [number, number][][] {
  const found: [number, number][][] = []
  let open = false
  for (const i of extremes(series.values, LINE_POINTS)) {
    const left = across.place(x[i]), height = up.place(series.values[i])
    if (Number.isNaN(left) || Number.isNaN(height)) { open = false; continue }
    if (!open) found.push([])
    found.at(-1)!.push([Math.round(left * 10000) / 10, Math.round((1 - height) * HEIGHT * 10) / 10])
    open = true
  }
  return found
}

// One path a series. A point without neighbours has no line to be part of: it is a dot (outside the stretched box, to
// be round).
function drawn(series: Series, x: readonly Figure[], across: Scale, up: Scale): { path: string, dots: string } {
  const all = stretches(series, x, across, up), own = { 'data-layer': series.layer }
  const d = all.filter(one => one.length > 1).map(one => 'M' + one.map(point => point.join(' ')).join('L')).join('')
  const dots = all.filter(one => one.length === 1).map(([point]) =>
    tag('circle', { class: `dot ${series.ink}`, ...own, cx: `${point![0] / 10}%`, cy: point![1], r: 3 }))
  return { path: d && tag('path', { class: series.ink, ...own, d }), dots: dots.join('') }
}

// Each layer's name at the end of its line.
function names(series: readonly Series[], up: Scale): string {
  const ended = series.flatMap(one => {
    const last = one.values.findLast(isFigure)
    return last === undefined ? [] : [{ one, y: (1 - up.place(last)) * HEIGHT }]
  })
  const places = declutter(ended.map(end => end.y), HEIGHT, LABEL_GAP)
  return ended.map(({ one }, i) =>
    label({ class: `name ${one.ink}`, 'data-layer': one.layer, x: '100%', dx: 8, y: round(places[i]!) }, one.name)).join('')
}

// Spoken instead of the picture: where each line begins and ends, or the range of the ends where there are many.
function describe(chart: LineChart, format: (value: Figure) => string): string {
  const start = `Line chart: ${chart.title} (${chart.unit}) against ${chart.xName}. `
  if (chart.series.length <= HUES) {
    const ends = (one: Series) => `${one.name}: from ${format(one.values.find(isFigure))} to ${format(one.values.findLast(isFigure))}`
    return start + chart.series.map(ends).join('; ')
  }
  const ends = chart.series.map(one => one.values.findLast(isFigure)).filter(isFigure)
  const range = ends.length === 0 ? MISSING : `${format(Math.min(...ends))} to ${format(Math.max(...ends))}`
  return `${start}${chart.series.length} layers, at the end from ${range}`
}

/**
 * What the script of the page reads on hover: `x` and each series' `values` at common points, and enough of the scales to
 * find a value's place. Four digits are more than a read-out shows.
 */
function readOut(chart: LineChart, across: Scale, up: Scale): string {
  const kept = spread(chart.x.length, READOUT_POINTS)
  const thin = (values: readonly Figure[]) => kept.map(i => isFigure(values[i]) ? Number(values[i].toPrecision(4)) : null)
  return JSON.stringify({
    height: HEIGHT, percent: chart.show === 'percent', xName: chart.xName,
    across: { low: across.low, high: across.high }, up: { log: up.log, low: up.low, high: up.high },
    x: kept.map(i => isFigure(chart.x[i]) ? chart.x[i] : null),
    series: chart.series.map(one => ({ name: one.name, layer: one.layer, ink: one.ink, values: thin(one.values) })),
  })
}
