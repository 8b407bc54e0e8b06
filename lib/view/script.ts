// The script of the page, as text: it runs in a browser and is never imported. It adds what static content cannot do:
// a crosshair with figures, the layer filter, the feature search. Without it the page is complete. It writes text
// through textContent only and sets no style attribute, so the page's policy can forbid both.

const READ_OUT = `
const svg = (name, attributes) => {
  const node = document.createElementNS('http://www.w3.org/2000/svg', name)
  for (const key in attributes) node.setAttribute(key, attributes[key])
  return node
}
const brief = value => {
  const size = Math.abs(value)
  if (size !== 0 && size < 1e-4) return value.toExponential(1).replace('e+', 'e')
  if (size < 1000) return String(Number(value.toPrecision(3)))
  const [unit, letter] = size >= 999.5e6 ? [1e9, 'G'] : size >= 999.5e3 ? [1e6, 'M'] : [1e3, 'k']
  return Number((value / unit).toPrecision(3)) + letter
}
let chosen = ''
for (const figure of document.querySelectorAll('[data-read]')) {
  const data = JSON.parse(figure.dataset.read)
  const plot = figure.querySelector('svg.plot')
  const cursor = svg('line', { class: 'cursor', y1: 0, y2: data.height, visibility: 'hidden' })
  const dots = svg('g', {})
  plot.append(cursor, dots)
  const box = document.createElement('div')
  box.className = 'read'
  box.hidden = true
  box.setAttribute('aria-live', 'polite')
  figure.append(box)
  const width = data.across.high - data.across.low
  const left = i => (data.x[i] - data.across.low) / width
  const f = data.up.log ? value => Math.log(Math.max(value, data.up.low)) : value => value
  const top = value => data.height * (1 - (f(value) - f(data.up.low)) / (f(data.up.high) - f(data.up.low)))
  let at = -1
  const hide = () => { at = -1; box.hidden = true; cursor.setAttribute('visibility', 'hidden'); dots.replaceChildren() }
  const show = (i, near) => {
    at = i
    let series = data.series.filter(one => one.values[i] !== null && (chosen === '' || String(one.layer) === chosen))
    // More layers than a box can hold: those nearest to the pointer.
    if (series.length > 8) {
      series = series.map(one => [Math.abs(top(one.values[i]) - near), one]).sort((a, b) => a[0] - b[0]).slice(0, 8).map(pair => pair[1])
      series.sort((a, b) => a.layer - b.layer)
    }
    const x = left(i) * 100 + '%'
    cursor.setAttribute('x1', x)
    cursor.setAttribute('x2', x)
    cursor.setAttribute('visibility', 'visible')
    dots.replaceChildren(...series.map(one => svg('circle', { class: 'dot ' + one.ink, cx: x, cy: top(one.values[i]), r: 3.5 })))
    const head = document.createElement('b')
    head.textContent = brief(data.x[i]) + ' ' + data.xName
    box.replaceChildren(head, ...series.map(one => {
      const row = document.createElement('span'), swatch = document.createElement('i'), value = document.createElement('em')
      swatch.className = one.ink
      value.textContent = data.percent ? (100 * one.values[i]).toFixed(1) + '%' : brief(one.values[i])
      row.append(swatch, one.name, value)
      return row
    }))
    box.hidden = false
    const outer = figure.getBoundingClientRect(), inner = plot.getBoundingClientRect(), place = inner.left - outer.left + left(i) * inner.width
    const right = place + 14 + box.offsetWidth <= outer.width
    box.style.left = Math.max(4, right ? place + 14 : place - 14 - box.offsetWidth) + 'px'
  }
  const nearest = clientX => {
    const inner = plot.getBoundingClientRect(), wanted = (clientX - inner.left) / inner.width
    let best = -1
    for (let i = 0; i < data.x.length; i++) if (data.x[i] !== null && (best < 0 || Math.abs(left(i) - wanted) < Math.abs(left(best) - wanted))) best = i
    return best
  }
  const follow = event => {
    const i = nearest(event.clientX)
    if (i >= 0) show(i, event.clientY - plot.getBoundingClientRect().top)
  }
  plot.addEventListener('pointermove', follow)
  plot.addEventListener('pointerdown', follow)
  plot.addEventListener('pointerleave', hide)
  plot.setAttribute('tabindex', '0')
  plot.addEventListener('blur', hide)
  plot.addEventListener('keydown', event => {
    const last = data.x.length - 1, step = Math.max(1, Math.round(last / 50))
    const to = { ArrowRight: at + step, ArrowLeft: at < 0 ? last : at - step, Home: 0, End: last, Escape: -1 }[event.key]
    if (to === undefined || last < 0) return
    event.preventDefault()
    if (event.key === 'Escape') return hide()
    const i = Math.min(last, Math.max(0, to))
    if (data.x[i] !== null) show(i, 0)
  })
}`

const FILTER = `
const tools = document.querySelector('.tools'), find = document.querySelector('.find input'), found = document.querySelector('.found')
const cards = [...document.querySelectorAll('.card')].map(node => ({ node, layer: node.dataset.layer, text: node.textContent.toLowerCase() }))
const marked = [...document.querySelectorAll('svg [data-layer]')], rows = document.querySelectorAll('tr[data-layer], figure[data-layer]')
const apply = () => {
  const words = find ? find.value.toLowerCase().trim() : ''
  const other = node => chosen !== '' && node.dataset.layer !== chosen
  let shown = 0
  for (const card of cards) {
    card.node.hidden = other(card.node) || !card.text.includes(words)
    if (!card.node.hidden) shown++
  }
  for (const node of marked) node.classList.toggle('dim', other(node))
  for (const node of rows) node.hidden = other(node)
  if (found) found.textContent = shown === cards.length ? '' : shown + ' of ' + cards.length + ' shown'
}
if (tools) {
  tools.hidden = false
  const buttons = tools.querySelectorAll('button')
  for (const button of buttons) button.addEventListener('click', () => {
    chosen = button.dataset.choose
    for (const each of buttons) each.setAttribute('aria-pressed', String(each === button))
    apply()
  })
  if (find) find.addEventListener('input', apply)
}`

/** The source of the page's one script. */
export const PAGE_SCRIPT = `'use strict';(() => {${READ_OUT}${FILTER}
})()`
