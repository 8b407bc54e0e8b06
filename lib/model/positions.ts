// The rotary positions that a config.json asks for: `rope_parameters` of transformers 5, or `rope_theta` and `rope_scaling` of before.
import type { Rotary } from './architecture.ts'
import type { Fields } from './fields.ts'
import { magnitudeOf, rotary, type Scaling } from './rotary.ts'

const KINDS = ['default', 'linear', 'dynamic', 'llama3', 'yarn'] as const
// Every field that one of the kinds reads. transformers passes over those of the other kinds, and so do we.
const KNOWN = ['rope_type', 'type', 'rope_theta', 'partial_rotary_factor', 'factor', 'original_max_position_embeddings', 'low_freq_factor',
  'high_freq_factor', 'attention_factor', 'beta_fast', 'beta_slow', 'mscale', 'mscale_all_dim', 'truncate'] as const

/** What rotary positions depend on besides their own fields. */
export interface Turning {
  /** What errors are told by. */
  readonly fields: Fields
  /** Columns of a head. */
  readonly headWidth: number
  /** max_position_embeddings. */
  readonly context: number
  /** Base where no field says one. */
  readonly theta: number
  /** Share of a head that turns where no field says one. Default 1: all, and any other share is refused. */
  readonly share?: number
  /** original_max_position_embeddings of the whole config, which goes before that of the scaling. */
  readonly original?: number | undefined
  /** Fields of one type of layer: their `truncate` is not read, as in transformers. */
  readonly isNested?: boolean
}

/** Rotary positions, and the longest sequence that they are made for: context, or more where they stretch it. */
export interface Positions { readonly rotary: Rotary, readonly context: number }

/**
 * The positions of a model whose layers all turn alike.
 * @throws TransweldError ERR_UNSUPPORTED for a kind or a field that is not known, ERR_FORMAT for a value that cannot be.
 */
export function readPositions(fields: Fields, headWidth: number, context: number): Positions {
  fields.only('partial_rotary_factor', 1)
  return readAlike({ fields, headWidth, context, theta: fields.positive('rope_theta', 10_000) })
}

/** The same where a family has other fields for base and share. `rope_scaling` goes before `rope_parameters`. */
export function readAlike(turning: Turning): Positions {
  const { fields } = turning, newer = fields.object('rope_parameters'), older = fields.object('rope_scaling')
  const original = fields.has('original_max_position_embeddings') ? fields.size('original_max_position_embeddings', 0) : undefined
  return readScaling(older ?? newer, { ...turning, original })
}

/** The positions that one object of rotary fields asks for; undefined: the plain ones. */
export function readScaling(rope: Fields | undefined, turning: Turning): Positions {
  const { headWidth, context, theta: otherwise, share: usual = 1 } = turning
  const theta = rope?.has('rope_theta') ? rope.positive('rope_theta') : otherwise
  const share = rope?.has('partial_rotary_factor') ? rope.positive('partial_rotary_factor') : usual
  if (rope !== undefined && turning.share === undefined && share !== 1) throw rope.unsupported('partial_rotary_factor')
  const columns = Math.trunc(headWidth * share)
  if (2 * Math.ceil(columns / 2) > headWidth) {
    throw turning.fields.wrong('head_dim', 'heads of an even number of columns, or a share of them that turns', headWidth)
  }
  const scaling = rope === undefined ? { kind: 'default' } as const : scalingOf(rope, turning, columns)
  rope?.end()
  return { rotary: rotary(theta, columns, scaling), context: reach(context, scaling) }
}

function scalingOf(rope: Fields, { context, original: outer, isNested = false }: Turning, columns: number): Scaling {
  for (const name of KNOWN) rope.any(name)
  const name = rope.has('rope_type') ? 'rope_type' : 'type', kind = rope.any(name) ?? 'default'
  if (!KINDS.includes(kind as Scaling['kind'])) throw rope.unsupported(name, `known: ${KINDS.join(', ')}`)
  const original = (): number => outer ?? rope.size('original_max_position_embeddings', context)
  switch (kind as Scaling['kind']) {
    case 'default': return { kind: 'default' }
    case 'linear': return { kind: 'linear', factor: rope.positive('factor') }
    case 'dynamic':
      if (columns <= 2) throw rope.unsupported(name, 'it needs heads of more than 2 columns that turn')
      return { kind: 'dynamic', factor: rope.positive('factor'), context }
    case 'llama3':
      return {
        kind: 'llama3', factor: rope.positive('factor'), low: rope.positive('low_freq_factor'), high: rope.positive('high_freq_factor'),
        original: original(),
      }
    case 'yarn': {
      if (columns % 2) throw rope.unsupported(name, 'it needs an even number of columns that turn')
      const factor = rope.has('factor') ? rope.positive('factor') : context / original()
      return {
        kind: 'yarn', factor, original: original(), fast: orUsual(rope, 'beta_fast', 32), slow: orUsual(rope, 'beta_slow', 1),
        truncate: isNested || !rope.has('truncate') || rope.flag('truncate', true), magnitude: magnitude(rope, factor),
      }
    }
  }
}

// Null and 0 mean the usual.
function orUsual(rope: Fields, name: string, usual: number): number { return rope.has(name) ? rope.number(name) || usual : usual }

function magnitude(rope: Fields, factor: number): number {
  if (rope.has('attention_factor')) return rope.number('attention_factor')
  const one = orUsual(rope, 'mscale', 0), all = orUsual(rope, 'mscale_all_dim', 0)
  return one && all ? magnitudeOf(factor, one) / magnitudeOf(factor, all) : magnitudeOf(factor)
}

// max_position_embeddings is what a model was trained on before linear, dynamic and YaRN scaling, in most configs; with llama3 it is the end.
function reach(context: number, scaling: Scaling): number {
  if (scaling.kind === 'yarn') return Math.max(context, Math.floor(scaling.original * scaling.factor))
  return scaling.kind === 'linear' || scaling.kind === 'dynamic' ? Math.max(context, Math.floor(context * scaling.factor)) : context
}
