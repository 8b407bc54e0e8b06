// Elements as functions, for HTML and SVG alike: attribute values are escaped here, so that no caller can forget to.
import { escapeHtml } from './escape.ts'

/** Attribute → value; `undefined` leaves it out, `true` gives it without a value. */
export type Attributes = Readonly<Record<string, string | number | true | undefined>>

/** SVG shapes, which close themselves; everything else gets an end tag. */
const SHAPES = ['line', 'rect', 'circle', 'path']

/** An element; each part of `content` is HTML already (text goes through `escapeHtml` first). */
export function tag(name: string, attributes: Attributes, ...content: readonly (string | readonly string[])[]): string {
  const head = Object.entries(attributes).map(([key, value]) => {
    if (value === undefined) return ''
    return value === true ? ` ${key}` : ` ${key}="${escapeHtml(String(value))}"`
  }).join('')
  if (SHAPES.includes(name) && content.length === 0) return `<${name}${head}/>`
  return `<${name}${head}>${content.flat().join('')}</${name}>`
}
