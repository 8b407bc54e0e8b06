// The page as text: complete, inert, deterministic, sound with missing figures. How it looks: report-browser.test.ts.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createHash } from 'node:crypto'
import { shade } from '../../lib/view/card.ts'
import { reportPage } from '../../lib/view/report.ts'
import { hostileReport, sampleReport } from './sample.ts'

/** The elements of a page by name, from its own markup only (what stands in attributes and text is escaped). */
const tags = (html: string, name: string): number => html.match(new RegExp(`<${name}[\\s>]`, 'g'))?.length ?? 0

test('a whole page: every section, layer and card', () => {
  const html = reportPage(sampleReport())
  assert.ok(html.startsWith('<!doctype html>\n<html lang="en">'))
  for (const id of ['evaluation', 'training', 'density', 'features']) assert.match(html, `<section id="${id}"`)
  assert.is(tags(html, 'article'), 24)
  assert.is(html.match(/<tr data-layer/g)?.length, 4)
  assert.is(tags(html, 'path'), 16)
  for (const figure of ['0.0199', '99.00%', '0.9702', '65,536', '2.62M parameters', 'topk:16', '1 min 1 s', 'all at once', 'untouched']) assert.match(html, figure)
})

test('the same data give the same page', () => {
  assert.is(reportPage(sampleReport()), reportPage(sampleReport()))
})

test('hostile strings add no element, no attribute and no way out', () => {
  const html = reportPage(hostileReport())
  assert.is(tags(html, 'script'), 1)
  assert.is(tags(html, 'style'), 1)
  assert.is(tags(html.slice(0, html.indexOf('</head>')), 'title'), 1)
  assert.is(tags(html, 'img'), 0)
  assert.not.match(html, '<!--')
  assert.not.match(html, /<[^>]*\son\w+=/)
  assert.not.match(html, /[\u0000\u001b\u202e\u200b\ufeff\uffff\u2028]/)
  assert.not.match(html, /\p{Surrogate}/u)
  assert.match(html, '&lt;/script&gt;&lt;script&gt;')
})

test('missing figures are dashes, never NaN, null or undefined', () => {
  const body = reportPage(hostileReport()).replace(/<(style|script)>.*?<\/\1>/gs, '').replace(/data-read="[^"]*"/g, '')
  assert.not.match(body, /NaN|Infinity|undefined|null/)
  assert.match(body, '−31100%')
})

test('a report that went through JSON shows the same', () => {
  const data = hostileReport()
  assert.is(reportPage(JSON.parse(JSON.stringify(data))).length > 0, true)
  assert.is(reportPage(JSON.parse(JSON.stringify(sampleReport()))), reportPage(sampleReport()))
})

test('no training, no layer, no feature, no setting', () => {
  const { training: _, ...rest } = sampleReport({ layers: 0, cards: 0 })
  const html = reportPage({ ...rest, settings: {} })
  assert.not.match(html, 'id="training"')
  assert.not.match(html, '<nav')
  assert.match(html, 'No feature was picked')
  assert.not.match(html.replace(/<(style|script)>.*?<\/\1>/gs, ''), /NaN|Infinity|undefined/)
})

test('one step, no step, one layer', () => {
  assert.is(tags(reportPage(sampleReport({ steps: 1, cards: 0 })), 'circle'), 16)
  assert.match(reportPage(sampleReport({ steps: 0 })), 'No step was recorded')
  assert.not.match(reportPage(sampleReport({ layers: 1 })), 'class="layers"')
})

test('48 layers: one ramp, no labels at the lines, and a page that can still be mailed', () => {
  const html = reportPage(sampleReport({ layers: 48 }))
  assert.match(html, 'class="ramp"')
  assert.not.match(html, 'class="name')
  assert.ok(html.length < 2e6, `${html.length} bytes`)
})

test('long curves are thinned', () => {
  const data = sampleReport({ layers: 2, cards: 0, steps: 40_000 })
  assert.ok(reportPage(data).length < 300_000)
})

test('the policy names the style sheet and the script by their hash and allows nothing else', () => {
  const html = reportPage(sampleReport({ cards: 1 }))
  const policy = /Content-Security-Policy" content="([^"]*)"/.exec(html)![1]!
  assert.match(policy, "default-src 'none'")
  assert.not.match(policy, /unsafe|http|\*/)
  for (const name of ['style', 'script']) {
    const body = new RegExp(`<${name}>(.*?)</${name}>`, 's').exec(html)![1]!
    assert.match(policy, `${name}-src 'sha256-${createHash('sha256').update(body).digest('base64')}'`)
  }
  assert.not.match(html, /(src|href)="(?!data:,")/)
  assert.not.match(html, / style="/)
})

test('a token named in a reason keeps its white space and its harmlessness', () => {
  const card = sampleReport({ cards: 1 }).features[0]!
  const html = reportPage({ ...sampleReport({ cards: 0 }), features: [{ ...card, why: 'fires on one token: ` <b>\n`, more than on `x' }] })
  assert.match(html, 'fires on one token: <code> &lt;b&gt;↵</code>, more than on `x</p>')
})

test('shade: by share of the maximum, never lost, never beyond the last', () => {
  assert.equal([0, -1, NaN, null, 1e-9, 0.1, 0.11, 0.5, 1, 7].map(value => shade(value, 1)), [0, 0, 0, 0, 1, 1, 2, 5, 10, 10])
  assert.equal([0, NaN, -1, null as unknown as number].map(maximum => shade(2, maximum)), [10, 10, 10, 10])
})

test.run()
