// The training report, section by section in the order in which one asks: does it work, how did it get there, how
// often do its features fire, what do they mean.
import { densityRange, histogram, rowChart, type Row } from './bars.ts'
import { featureCard, SHADES } from './card.ts'
import type { FeatureCard, ReportData, TrainingCurves } from './data.ts'
import { escapeHtml } from './escape.ts'
import { lineChart, type LineChart, type Series } from './line.ts'
import { compact, count, duration, fixed, isFigure, type Figure } from './number.ts'
import { page } from './page.ts'
import { HUES, layerInks, RAMP } from './palette.ts'
import { evaluationTable, recovered } from './table.ts'
import { tag } from './tag.ts'

type Inks = ReadonlyMap<number, string>

/**
 * A report as one self-contained HTML page: evaluation table, training curves, density histograms and feature cards. It
 * asks for nothing from the network, follows the reader's light or dark setting, and is complete without a script.
 * Strings of the data are shown as text, whatever they hold; figures that are NaN, infinite or null are shown as "–".
 *
 * @param data what to show; `training` may be absent, `features` empty.
 * @returns the document, to be written as UTF-8.
 *
 * @example
 * import { reportPage } from 'transweld'
 * const html = reportPage({
 *   title: 'Transcoders of a toy', created: '2025-01-01T00:00:00Z', settings: { activation: 'topk:16' }, features: [],
 *   model: { name: 'toy', parameters: 1000, layers: 1, width: 8, vocabulary: 16 },
 *   evaluation: { tokens: 64, clean: 1, layers: [], all: { spliced: 1.1, zero: 2, mean: 1.5, kl: 0.1, recoveredZero: 0.9, recoveredMean: 0.8 } },
 * })
 * console.log(html.startsWith('<!doctype html>'))
 */
export function reportPage(data: ReportData): string {
  const inks = layerInks(layersOf(data))
  return page(data.title, banner(data) + tools(data, inks) + '<main>' + results(data, inks) + training(data.training, inks) +
    densities(data, inks) + features(data.features, inks) + '</main>')
}

// Every layer that occurs anywhere, in the order of depth: one layer has one colour on the whole page.
function layersOf(data: ReportData): number[] {
  const layers = [...data.evaluation.layers, ...data.training?.layers ?? [], ...data.features].map(one => one.layer)
  return [...new Set(layers)].sort((a, b) => a - b)
}

function banner(data: ReportData): string {
  const { model } = data
  const facts = [`${compact(model.parameters)} parameters`, `${count(model.layers)} layers`, `width ${count(model.width)}`,
    `vocabulary ${count(model.vocabulary)}`, `made ${when(data.created)}`].join(' · ')
  const pair = (name: string, content: string) => tag('div', {}, tag('dt', {}, escapeHtml(name)), tag('dd', {}, content))
  const tiles = highlights(data).map(([name, figure, note]) => pair(name, `${escapeHtml(figure)} ${tag('small', {}, escapeHtml(note))}`))
  const settings = Object.entries(data.settings).map(([name, value]) => pair(name, escapeHtml(value)))
  return tag('header', { class: 'banner' }, tag('h1', {}, escapeHtml(data.title)),
    tag('p', { class: 'model' }, tag('b', {}, escapeHtml(model.name)), ' · ', escapeHtml(facts)), tag('dl', { class: 'tiles' }, tiles),
    settings.length > 0 ? tag('dl', { class: 'settings', 'aria-label': 'Settings' }, settings) : '')
}

// The few figures that one would quote: label, figure, note.
function highlights({ evaluation, training }: ReportData): [string, string, string][] {
  const range = (values: readonly Figure[], digits: number) => {
    const there = values.filter(isFigure)
    const low = fixed(Math.min(...there), digits), high = fixed(Math.max(...there), digits)
    return low === high ? low : `${low}–${high}`
  }
  const tiles: [string, string, string][] = [
    ['Loss recovered', recovered(evaluation.all.recoveredZero), 'all layers at once, against zero ablation'],
    ['Next-token loss', fixed(evaluation.all.spliced, 3), `all layers at once; untouched model ${fixed(evaluation.clean, 3)}`],
    ['Variance unexplained', range(evaluation.layers.map(layer => layer.fvu), 3), 'best to worst layer'],
    ['Active features', range(evaluation.layers.map(layer => layer.l0), 1), 'mean a token (L0)'],
  ]
  if (!training) return tiles
  const amount = `${compact(training.tokens.at(-1))} tokens, ${compact(training.tokensPerSecond)} a second`
  return [...tiles, ['Trained in', duration(training.seconds), amount]]
}

// An ISO time without its fraction and its T; anything else as it is.
function when(created: string): string {
  const parts = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(?::[\d.]+)?Z$/.exec(created)
  return parts ? `${parts[1]} ${parts[2]} UTC` : created
}

// Hidden until the script shows it: a control that does nothing would be worse than none.
function tools(data: ReportData, inks: Inks): string {
  const button = (layer: number, ink: string) =>
    tag('button', { type: 'button', class: ink, 'data-choose': layer, 'aria-pressed': 'false', 'aria-label': `layer ${layer}` }, String(layer))
  const all = tag('button', { type: 'button', 'data-choose': '', 'aria-pressed': 'true' }, 'all')
  const layers = inks.size < 2 ? '' : tag('div', { class: 'layers', role: 'group', 'aria-label': 'Show layers' },
    tag('span', {}, 'Layer'), all, [...inks].map(([layer, ink]) => button(layer, ink)))
  const find = data.features.length === 0 ? '' : tag('label', { class: 'find' }, tag('span', {}, 'Features'),
    '<input type="search" placeholder="token, word or number" aria-label="Search features">')
  return layers || find ? tag('nav', { class: 'tools', 'aria-label': 'Filter', hidden: true }, tag('div', {}, layers, find)) : ''
}

function results({ evaluation }: ReportData, inks: Inks): string {
  const rows = (pick: 'recoveredZero' | 'recoveredMean'): Row[] => [
    ...evaluation.layers.map(({ layer, [pick]: value }) => ({ name: `layer ${layer}`, layer, ink: inks.get(layer)!, value })),
    { name: 'all', ink: 'all', value: evaluation.all[pick] },
  ]
  const charts = [
    rowChart('Recovered against zero ablation', '(zero − spliced) / (zero − clean)', rows('recoveredZero'), recovered),
    rowChart('Recovered against mean ablation', '(mean − spliced) / (mean − clean)', rows('recoveredMean'), recovered),
  ]
  const lead = 'How well each transcoder stands in for its MLP: what it misses of the output, and what the model loses when it ' +
    'takes the MLP’s place.'
  return section('evaluation', 'Evaluation', lead, evaluationTable(evaluation), tag('div', { class: 'grid-2' }, charts))
}

function training(curves: TrainingCurves | undefined, inks: Inks): string {
  if (!curves) return ''
  const series = (pick: 'fvu' | 'loss' | 'l0' | 'dead'): Series[] =>
    curves.layers.map(({ layer, [pick]: values }) => ({ name: `layer ${layer}`, layer, ink: inks.get(layer)!, values }))
  const shared = { x: curves.tokens, xName: 'training tokens' }
  const charts: LineChart[] = [
    { ...shared, title: 'Variance unexplained', unit: 'FVU of the batch', series: series('fvu'), kind: 'log', show: 'number' },
    { ...shared, title: 'Training loss', unit: 'auxiliary terms included', series: series('loss'), kind: 'auto', show: 'number' },
    { ...shared, title: 'Active features', unit: 'mean a token (L0)', series: series('l0'), kind: 'auto', show: 'number' },
    { ...shared, title: 'Dead features', unit: 'share of all', series: series('dead'), kind: 'linear', show: 'percent' },
  ]
  const lead = curves.tokens.length === 0 ? 'No step was recorded.' :
    'Each line is one layer’s transcoder; all were trained in one pass over the model.'
  const key = inks.size > HUES ? ramp([...inks.keys()]) : ''
  return section('training', 'Training', lead, key, tag('div', { class: 'grid-2' }, charts.map(lineChart)))
}

// The key to the colours where lines carry no name.
function ramp(layers: readonly number[]): string {
  const steps = Array.from({ length: RAMP }, (_, i) => tag('i', { class: `r${i}` }))
  return tag('p', { class: 'ramp' }, tag('span', {}, `layer ${layers[0]}`), steps, tag('span', {}, `layer ${layers.at(-1)}`))
}

function densities({ evaluation }: ReportData, inks: Inks): string {
  if (evaluation.layers.length === 0) return ''
  const range = densityRange(evaluation.layers.map(layer => layer.density)), many = evaluation.layers.length > 4
  const panels = evaluation.layers.map(({ layer, density }) =>
    histogram({ name: `Layer ${layer}`, layer, ink: inks.get(layer)!, density, range, ticks: many ? 4 : 6 }))
  const lead = 'How many features (upwards) fire on which share of tokens (across, log₁₀ scale). All panels have the same axes.'
  return section('density', 'Feature density', lead, tag('div', { class: many ? 'grid-n many' : 'grid-n' }, panels))
}

function features(cards: readonly FeatureCard[], inks: Inks): string {
  if (cards.length === 0) return section('features', 'Features', 'No feature was picked for a closer look.')
  const steps = Array.from({ length: SHADES }, (_, i) => tag('i', { class: `a${i + 1}` }))
  const key = 'The texts on which each feature fires most. Shade: activation as a share of the feature’s maximum (' +
    tag('span', { class: 'scale', 'aria-hidden': 'true' }, steps) +
    '). The token with the largest is underlined; ↵ is a line break, ⇥ a tab. ' + tag('output', { class: 'found' })
  const all = cards.map(card => featureCard(card, inks.get(card.layer)!))
  return section('features', 'Features', key, tag('div', { class: 'cards' }, all))
}

// `lead` is HTML.
function section(id: string, title: string, lead: string, ...body: string[]): string {
  const name = `${id}-title`
  return tag('section', { id, 'aria-labelledby': name }, tag('h2', { id: name }, title), tag('p', { class: 'lead' }, lead), body)
}
