// How far from the truth a GPU's attention may be, whose sums are its own: as test/ops/attend*.test.ts hold it.
import { createHash } from 'node:crypto'
import { attend, attendFrozen, attendPattern, matrix } from '../ops/reference.ts'
import type { Matrix, Scores } from '../ops/reference.ts'
import { expected, type Expected } from '../ops/tolerance.ts'
import { scalar, values, viewOf } from './record.ts'
import type { Call } from './record.ts'

const STEMS: readonly string[] = ['attend', 'attend_pattern', 'attend_frozen']
/** By what goes in: tests make most calls more than once, and the truth is slow. */
const known = new Map<string, Expected>()

/** The truth of a call of attention, and what is allowed; undefined for any other op. */
export function attention(call: Call): Expected | undefined {
  if (!STEMS.includes(call.stem)) return undefined
  const key = createHash('sha1').update(call.stem)
  for (const view of call.views) key.update(`${view.name} ${view.rows} ${view.columns} `).update(view.before)
  for (const name of NUMBERS[call.stem as keyof typeof NUMBERS]) key.update(`${name} ${scalar(call, name)} `)
  const digest = key.digest('hex'), found = known.get(digest) ?? truthOf(call)
  known.set(digest, found)
  return found
}

const NUMBERS = {
  attend: ['heads', 'key_heads', 'window', 'scale', 'cap'], attend_pattern: ['heads', 'key_heads', 'window', 'scale', 'cap'],
  attend_frozen: ['heads', 'key_heads', 'transpose', 'accumulate'],
} as const

function truthOf(call: Call): Expected {
  const operand = (name: string): Matrix => { const view = viewOf(call, name)!; return matrix(view.rows, view.columns, values(view.before, view.dtype)) }
  const list = (name: string): number[] => { const view = viewOf(call, name); return view === undefined ? [] : [...values(view.before, view.dtype)] }
  const heads = scalar(call, 'heads'), keyHeads = scalar(call, 'key_heads')
  if (call.stem === 'attend_frozen') {
    const out = operand('out'), old = scalar(call, 'accumulate') !== 0 ? { old: out } : {}, transpose = scalar(call, 'transpose') !== 0
    return expected(r => attendFrozen({ pattern: operand('pattern'), x: operand('x'), heads, keyHeads, transpose, ...old }, r).data)
  }
  const scores: Scores = {
    q: operand('q'), k: operand('k'), heads, keyHeads, scale: Math.fround(scalar(call, 'scale')), window: scalar(call, 'window'), cap: Math.fround(scalar(call, 'cap')),
  }
  if (call.stem === 'attend_pattern') return expected(r => attendPattern(scores, r).data)
  const cache = viewOf(call, 'key_starts') && { starts: list('key_starts'), counts: list('key_counts') }
  return expected(r => attend({ ...scores, v: operand('v'), starts: list('starts'), ...(cache && { cache }) }, r).data, scores.q.columns)
}
