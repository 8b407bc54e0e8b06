// How tokenizer.json cuts text into words ("pre_tokenizer"). Inside of a word the model joins pieces; over its ends it never does.
import { TransweldError } from '../native/error.ts'
import { toByteLevel } from './alphabet.ts'
import type { Fields } from './files.ts'
import type { Part } from './normalizer.ts'
import { fromOniguruma, stepPattern } from './regex.ts'
import { madeOf } from './step.ts'

/** A part to its parts. */
export type Splitter = (part: Part) => readonly Part[]

/** What becomes of the matches of a pattern. */
type Behavior = 'Removed' | 'Isolated' | 'MergedWithPrevious' | 'MergedWithNext' | 'Contiguous'
interface Span { start: number, end: number, isMatch: boolean }

/** GPT-2's pattern, which a ByteLevel step has unless it says otherwise. */
const GPT2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
const SPACE = /\p{White_Space}/gu
const PUNCTUATION = /[!-/:-@[-`{-~\p{P}]/gu
const DIGIT = /\p{N}/gu

const KINDS: Readonly<Record<string, (step: Fields) => Splitter>> = {
  Sequence: ({ pretokenizers }) => {
    const steps = (pretokenizers as readonly unknown[]).map(step => splitter(step))
    return part => steps.reduce<readonly Part[]>((parts, step) => parts.flatMap(step), [part])
  },
  ByteLevel: step => {
    const pattern = step['use_regex'] === false ? undefined : byteLevelPattern(), prefixes = step['add_prefix_space'] === true
    return part => {
      const whole = prefixes && !part.text.startsWith(' ') ? prepended(part, ' ') : part
      return (pattern === undefined ? [whole] : cut(whole, pattern, 'Isolated')).map(part => ({ ...part, text: toByteLevel(part.text) }))
    }
  },
  Split: step => {
    const pattern = stepPattern(step['pattern']), behavior = behaviorOf(step), inverts = step['invert'] === true
    return part => cut(part, pattern, behavior, inverts)
  },
  Metaspace: step => {
    const mark = String(step['replacement'] ?? '▁'), scheme = prependScheme(step), marks = stepPattern({ String: mark }), splits = step['split'] !== false
    return ({ text, first }) => {
      const marked = { text: text.replaceAll(' ', mark), first }
      const whole = !marked.text.startsWith(mark) && (scheme === 'always' || (scheme === 'first' && first > 0)) ? prepended(marked, mark) : marked
      return splits ? cut(whole, marks, 'MergedWithNext') : [whole]
    }
  },
  Digits: step => part => cut(part, DIGIT, step['individual_digits'] === true ? 'Isolated' : 'Contiguous'),
  Punctuation: step => {
    const behavior = behaviorOf(step)
    return part => cut(part, PUNCTUATION, behavior)
  },
  Whitespace: () => {
    const pattern = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]+|[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}\p{White_Space}]+/gu
    return part => cut(part, pattern, 'Removed', true)
  },
  WhitespaceSplit: () => part => cut(part, SPACE, 'Removed'),
  BertPreTokenizer: () => part => cut(part, SPACE, 'Removed').flatMap(word => cut(word, PUNCTUATION, 'Isolated')),
  CharDelimiterSplit: step => {
    const pattern = stepPattern({ String: step['delimiter'] })
    return part => cut(part, pattern, 'Removed')
  },
}

/** The pattern of a ByteLevel step. */
export function byteLevelPattern(): RegExp { return fromOniguruma(GPT2) }

/** When a Metaspace step or decoder puts its mark before a text. */
export function prependScheme(step: Fields): unknown {
  return step['prepend_scheme'] ?? (step['add_prefix_space'] === false ? 'never' : 'always') // files before 2023 know the second alone
}

/** The function of a "pre_tokenizer"; for null, a text is one word. */
export function splitter(step: unknown): Splitter {
  if (step == null) return part => [part]
  return madeOf('pre_tokenizer', KINDS, step)
}

function prepended({ text, first }: Part, mark: string): Part {
  return { text: mark + text, first: first === 0 ? 0 : mark.length + first }
}

function behaviorOf(step: Fields): Behavior {
  const { behavior = 'Isolated' } = step, known: readonly unknown[] = ['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous']
  if (!known.includes(behavior)) throw new TransweldError('ERR_FORMAT', `unknown behavior ${JSON.stringify(behavior)} of a pre_tokenizer`)
  return behavior as Behavior
}

// The parts of a text by the matches of a pattern, and by what lies between them if it `inverts`. No part is empty.
function cut({ text, first }: Part, pattern: RegExp, behavior: Behavior, inverts = false): Part[] {
  const spans = joined(spansOf(text, pattern, inverts), behavior)
  return spans.map(({ start, end }) => ({ text: text.slice(start, end), first: Math.min(end, Math.max(first, start)) - start }))
}

function spansOf(text: string, pattern: RegExp, inverts: boolean): Span[] {
  const spans: Span[] = []
  let at = 0
  for (const { 0: match, index } of text.matchAll(pattern)) {
    if (index > at) spans.push({ start: at, end: index, isMatch: inverts })
    if (match !== '') spans.push({ start: index, end: index + match.length, isMatch: !inverts })
    at = index + match.length
  }
  if (at < text.length) spans.push({ start: at, end: text.length, isMatch: inverts })
  return spans
}

function joined(spans: Span[], behavior: Behavior): Span[] {
  if (behavior === 'Isolated') return spans
  if (behavior === 'Removed') return spans.filter(span => !span.isMatch)
  const result: Span[] = [], isBackward = behavior === 'MergedWithNext'
  let wasMatch = false
  for (const span of isBackward ? spans.reverse() : spans) {
    const near = result.at(-1), joins = behavior === 'Contiguous' ? span.isMatch === wasMatch : span.isMatch && !wasMatch
    if (joins && near !== undefined) {
      if (isBackward) near.start = span.start
      else near.end = span.end
    } else result.push(span)
    wasMatch = span.isMatch
  }
  return isBackward ? result.reverse() : result
}
