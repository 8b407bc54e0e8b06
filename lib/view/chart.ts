// What every chart is made of. A chart is SVG in fixed pixels from top to bottom and in per cent from left to right. The
// picture is the plot area alone, as wide as its column less the margins that the style sheet gives it; axes and labels
// overflow into those. So a chart fits any column without a script and its text keeps its size.
import { escapeHtml } from './escape.ts'
import type { Scale } from './scale.ts'
import { tag, type Attributes } from './tag.ts'

/** Margins by class (`.wide`: names at the lines' ends; `.rows`: names before the bars; `.tall`: a named x axis). */
export interface Frame { readonly margins: 'wide' | 'wide tall' | 'slim' | 'slim tall' | 'rows', readonly height: number }

/** What stands around a picture; `description` is read aloud instead of it. */
export interface Caption { readonly title: string, readonly unit: string, readonly description: string }

/** A `<figure>` with its caption and the picture, whose `body` is SVG. */
export function figure(caption: Caption, frame: Frame, body: string, attributes: Attributes = {}): string {
  return tag('figure', { class: 'chart', ...attributes },
    tag('figcaption', {}, tag('b', {}, escapeHtml(caption.title)), ' ', tag('span', {}, escapeHtml(caption.unit))),
    tag('svg', { class: `plot ${frame.margins}`, height: frame.height, role: 'img', 'aria-label': caption.description }, body))
}

/** Text in a picture, its middle at height `y`. */
export function label(attributes: Attributes, text: string): string {
  return tag('text', { ...attributes, dy: '.33em' }, escapeHtml(text))
}

/** Horizontal grid lines with their figures on the left. */
export function sideAxis(scale: Scale, height: number, format: (value: number) => string): string {
  return scale.ticks.map(tick => {
    const y = round(height * (1 - scale.place(tick)))
    return tag('line', { class: 'grid', x1: 0, x2: '100%', y1: y, y2: y }) +
      label({ class: 'tick', x: -8, y, 'text-anchor': 'end' }, format(tick))
  }).join('')
}

/** Ticks and figures under the plot, and the name of what runs along it. */
export function bottomAxis(scale: Scale, height: number, name: string, format: (value: number) => string): string {
  const ticks = scale.ticks.map(tick => {
    const x = share(scale.place(tick))
    return tag('line', { class: 'axis', x1: x, x2: x, y1: height, y2: height + 4 }) +
      label({ class: 'tick', x, y: height + 13, 'text-anchor': 'middle' }, format(tick))
  })
  const title = name && label({ class: 'tick', x: '50%', y: height + 29, 'text-anchor': 'middle' }, name)
  return tag('line', { class: 'axis', x1: 0, x2: '100%', y1: height, y2: height }) + ticks.join('') + title
}

/** A place in [0, 1] as per cent of the plot's width. */
export function share(place: number): string {
  return `${round(place * 100)}%`
}

/** Two decimals are finer than any screen. */
export function round(value: number): number {
  return Math.round(value * 100) / 100
}

/**
 * Heights for labels that want to stand at `wanted`, moved so that neighbours are at least `gap` apart and all lie in
 * [0, height]; more labels than fit are spread evenly. The order is kept.
 */
export function declutter(wanted: readonly number[], height: number, gap: number): number[] {
  const room = Math.min(gap, wanted.length > 1 ? height / (wanted.length - 1) : gap)
  const order = wanted.map((_, i) => i).sort((a, b) => wanted[a]! - wanted[b]! || a - b)
  const placed = new Array<number>(wanted.length)
  // Downwards each label clears the one above; then, from the floor up, what was pushed out comes back in.
  let edge = -Infinity
  for (const i of order) placed[i] = edge = Math.max(wanted[i]!, edge + room, 0)
  edge = height + room
  for (const i of order.reverse()) placed[i] = edge = Math.max(0, Math.min(placed[i]!, edge - room))
  return placed
}
