// Charts as text: where the marks stand, and that nothing in them is NaN.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { densityBins, densityRange, histogram, rowChart } from '../../lib/view/bars.ts'
import { declutter } from '../../lib/view/chart.ts'
import { lineChart, type LineChart } from '../../lib/view/line.ts'
import { HUES, layerInks, RAMP } from '../../lib/view/palette.ts'
import { dice } from './sample.ts'

const chart = (x: LineChart['x'], ...values: LineChart['x'][]): string => lineChart({
  title: 'T<', unit: 'u', x, xName: 'tokens', kind: 'log', show: 'number', series: values.map((one, layer) => ({ name: `layer ${layer}`, layer, ink: `k${layer}`, values: one })),
})
const paths = (html: string): string[] => [...html.matchAll(/<path [^>]*d="([^"]*)"/g)].map(match => match[1]!)
const sound = (html: string): void => assert.not.match(html.replace(/aria-label="[^"]*"/g, ''), /NaN|Infinity|undefined/)

test('a line runs from the left edge to the right, falling values downwards', () => {
  const html = chart([0, 50, 100], [100, 10, 1])
  assert.equal(paths(html), ['M0 0L500 95L1000 190'])
  assert.match(html, 'T&lt;')
  assert.match(html, 'log scale')
})

test('a gap splits a line; a point alone is a dot; nothing is nothing', () => {
  const html = chart([0, 1, 2, 3, 4], [1, 2, NaN, 4, 8], [NaN, NaN, 3, null, undefined], [NaN, NaN, NaN, NaN, NaN], [])
  assert.is(paths(html).length, 1)
  assert.is(paths(html)[0]!.split('M').length, 3)
  assert.is(html.match(/<circle/g)?.length, 1)
  sound(html)
})

test('hostile curves give sound pictures', () => {
  for (const values of [[], [0], [NaN], [0, 0], [Infinity, 1], [1e300, 5e-324], [-1, -2], [16, 16]]) {
    for (const x of [values.map((_, i) => i), values.map(() => 7), values.map(() => NaN), []]) sound(chart(x, values))
  }
})

test('the read-out travels as JSON of the same figures', () => {
  const html = chart([1, 2], [0.123456, NaN])
  const data = JSON.parse(/data-read="([^"]*)"/.exec(html)![1]!.replaceAll('&quot;', '"'))
  assert.equal(data.series[0].values, [0.1235, null])
  assert.equal(data.x, [1, 2])
})

test('labels keep their distance, their order and the frame; 500 random sets, seed 5', () => {
  const roll = dice(5)
  for (let n = 0; n < 500; n++) {
    const wanted = Array.from({ length: 1 + n % 13 }, () => roll() < 0.3 ? 190 : roll() * 190), placed = declutter(wanted, 190, 14)
    const sorted = [...placed].sort((a, b) => a - b)
    assert.ok(sorted[0]! >= -1e-9 && sorted.at(-1)! <= 190 + 1e-9)
    for (let i = 1; i < sorted.length; i++) assert.ok(sorted[i]! - sorted[i - 1]! >= 14 - 1e-9)
    for (let i = 0; i < wanted.length; i++) for (let j = 0; j < i; j++) if (wanted[i]! < wanted[j]!) assert.ok(placed[i]! < placed[j]!)
  }
  assert.equal(declutter([], 190, 14), [])
  assert.equal(declutter([20], 190, 14), [20])
  const crowd = declutter(Array.from({ length: 40 }, () => 95), 190, 14)
  assert.ok(crowd.every(y => y >= -1e-9 && y <= 190 + 1e-9))
})

test('never-fired features are told apart from rare ones', () => {
  const density = { edges: [-10, -9, -3, -2, -1], counts: [7, 0, 5, 2] }
  assert.equal(densityBins(density), { silent: 7, fired: [{ from: -3, to: -2, features: 5 }, { from: -2, to: -1, features: 2 }] })
  assert.equal(densityRange([density]), { low: -3, high: -1, top: 5 })
  assert.equal(densityRange([{ edges: [], counts: [] }]), { low: -4, high: 0, top: 1 })
  const html = histogram({ name: 'Layer 0', layer: 0, ink: 'k0', density, range: densityRange([density]), ticks: 6 })
  assert.is(html.match(/<rect/g)?.length, 2)
  assert.match(html, '50.0% never fired')
  sound(html)
})

test('an empty or damaged histogram is an empty frame', () => {
  for (const density of [{ edges: [], counts: [] }, { edges: [-10, NaN, 1], counts: [NaN, 3] }, { edges: [0], counts: [1, 2, 3] }, { edges: [-2, -3], counts: [4] }]) {
    const html = histogram({ name: 'x', layer: 0, ink: 'k0', density, range: densityRange([density]), ticks: 4 })
    assert.match(html, 'no features')
    sound(html)
  }
})

test('rows: bars start at zero, leave for the left when negative, and stay inside', () => {
  const html = rowChart('t', 'u', [0.5, -300, 9, NaN, 0].map((value, i) => ({ name: `r${i}`, layer: i, ink: 'k0', value })), String)
  const bars = [...html.matchAll(/<rect [^>]*x="([\d.]+)%" width="([\d.]+)%"/g)].map(match => [Number(match[1]), Number(match[2])])
  assert.is(bars.length, 4)
  for (const [x, width] of bars) assert.ok(x! >= 0 && x! + width! <= 100.01)
  assert.is(bars[1]![0], 0)
  assert.ok(Math.abs(bars[1]![1]! - bars[0]![0]!) < 0.02)
  sound(rowChart('t', 'u', [], String))
})

test('colours: a hue each up to eight layers, then a ramp along the depth', () => {
  assert.equal([...layerInks([3, 5]).values()], ['k0', 'k1'])
  assert.is(new Set(layerInks(Array.from({ length: HUES }, (_, i) => i)).values()).size, HUES)
  const deep = [...layerInks(Array.from({ length: 48 }, (_, i) => i)).values()]
  assert.is(deep[0], 'r0')
  assert.is(deep.at(-1), `r${RAMP - 1}`)
  assert.is(layerInks([]).size, 0)
})

test.run()
