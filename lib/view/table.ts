// The table of an evaluation: one row a layer, then all layers at once, then the untouched model.
import type { AllLayersEvaluation, Evaluation, LayerEvaluation } from '../evaluate/result.ts'
import { escapeHtml } from './escape.ts'
import { count, fixed, isFigure, MISSING, percent, type Figure } from './number.ts'
import { tag } from './tag.ts'

/** A column: its head, what it means (shown on hover and read aloud), and its figure of a row. */
interface Column<R> { readonly head: string, readonly meaning: string, readonly cell: (row: R) => string }

const RECONSTRUCTION: readonly Column<LayerEvaluation>[] = [
  { head: 'FVU', meaning: 'fraction of variance unexplained', cell: row => fixed(row.fvu, 4) },
  { head: 'cosine', meaning: 'mean cosine between the transcoder’s output and the MLP’s', cell: row => fixed(row.cosine, 4) },
  { head: 'L0', meaning: 'mean count of active features a token', cell: row => fixed(row.l0, 1) },
  { head: 'dead', meaning: 'share of features that never fired on this text', cell: row => percent(row.dead) },
]

const LOSS: readonly Column<AllLayersEvaluation>[] = [
  { head: 'spliced', meaning: 'next-token loss with the transcoder in place of the MLP, nats a token', cell: row => fixed(row.spliced, 4) },
  { head: 'mean', meaning: 'next-token loss with the MLP’s output set to its mean, nats a token', cell: row => fixed(row.mean, 4) },
  { head: 'zero', meaning: 'next-token loss with the MLP’s output set to zero, nats a token', cell: row => fixed(row.zero, 4) },
  { head: 'KL', meaning: 'divergence of the predictions from the untouched model’s, nats a token', cell: row => fixed(row.kl, 4) },
]

const RECOVERED: readonly Column<AllLayersEvaluation>[] = [
  { head: 'by mean', meaning: '(mean − spliced) / (mean − clean)', cell: row => recovered(row.recoveredMean) },
  { head: 'by zero', meaning: '(zero − spliced) / (zero − clean)', cell: row => recovered(row.recoveredZero) },
]

/** A recovered share; decimals mean nothing once the ablation hardly hurts and the share leaves all bounds. */
export function recovered(value: Figure): string {
  return percent(value, isFigure(value) && Math.abs(value) >= 10 ? 0 : 2)
}

/** The whole table in a container that scrolls by itself where the window is narrow, and a note below. */
export function evaluationTable(evaluation: Evaluation): string {
  const row = (name: string, layer: number | undefined, ...rest: (string | string[])[]) =>
    tag('tr', { 'data-layer': layer }, tag('th', { scope: 'row' }, name), ...rest)
  const layers = evaluation.layers.map(one =>
    row(`layer ${one.layer}`, one.layer, cells(RECONSTRUCTION, one), cells(LOSS, one), cells(RECOVERED, one)))
  const all = row('all at once', undefined, blanks(RECONSTRUCTION.length), cells(LOSS, evaluation.all), cells(RECOVERED, evaluation.all))
  const clean = row('untouched', undefined, blanks(RECONSTRUCTION.length),
    tag('td', { class: 'first' }, fixed(evaluation.clean, 4)), blanks(LOSS.length).slice(1), blanks(RECOVERED.length))
  const groups = [['reconstruction', RECONSTRUCTION.length], ['next-token loss', LOSS.length], ['recovered', RECOVERED.length]] as const
  const head = tag('tr', {}, tag('td', {}), groups.map(([name, span]) => tag('th', { scope: 'colgroup', colspan: span }, name))) +
    tag('tr', {}, tag('th', { scope: 'col' }, 'layer'), heads(RECONSTRUCTION), heads(LOSS), heads(RECOVERED))
  const columns = tag('colgroup', {}) + groups.map(([, span]) => tag('colgroup', { span })).join('')
  const table = tag('table', { 'aria-describedby': 'evaluation-note' }, columns,
    tag('thead', {}, head), tag('tbody', {}, layers), tag('tfoot', {}, all, clean))
  return tag('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Evaluation of each layer' }, table) +
    tag('p', { class: 'note', id: 'evaluation-note' }, `Held-out text, ${count(evaluation.tokens)} tokens. Losses and KL in nats a token.`)
}

// Cells of a group in which this row has no figure.
function blanks(cells: number): string[] {
  return Array.from({ length: cells }, (_, i) => tag('td', { class: i === 0 ? 'none first' : 'none' }, MISSING))
}

// The first column of each group carries the rule that sets it apart.
const rule = (i: number) => i === 0 ? 'first' : undefined

function heads<R>(columns: readonly Column<R>[]): string {
  return columns.map((column, i) => tag('th', { scope: 'col', class: rule(i) }, tag('abbr', { title: column.meaning }, column.head))).join('')
}

function cells<R>(columns: readonly Column<R>[], row: R): string {
  return columns.map((column, i) => tag('td', { class: rule(i) }, escapeHtml(column.cell(row)))).join('')
}
