// What tokenizer.json does to text before it is cut: Unicode's forms, replacements, and the tables of SentencePiece.
import { toByteLevel } from './alphabet.ts'
import { isObject, type Fields } from './files.ts'
import { charsmap } from './precompiled.ts'
import { stepPattern } from './regex.ts'
import { madeOf } from './step.ts'

/** A part of a text, and how many UTF-16 units at its front come from the first character that the user gave: 0 in the midst of a text. */
export interface Part { readonly text: string, readonly first: number }
/** A part to what it stands for. */
export type Normalizer = (part: Part) => Part

const NMT_DROPPED = /[\x01-\x08\x0b\x0e-\x1f\x7f\x8f\x9f]/g
const NMT_SPACES = /[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]/g

/** The kinds of steps; a step's fields come from the file. */
const KINDS: Readonly<Record<string, (step: Fields) => (text: string) => string>> = {
  NFC: () => text => text.normalize('NFC'),
  NFD: () => text => text.normalize('NFD'),
  NFKC: () => text => text.normalize('NFKC'),
  NFKD: () => text => text.normalize('NFKD'),
  Nmt: () => text => text.replace(NMT_DROPPED, '').replace(NMT_SPACES, ' '),
  // Character by character: of a whole word JavaScript makes the Greek final sigma.
  Lowercase: () => text => text.replace(/\p{Changes_When_Lowercased}/gu, character => character.toLowerCase()),
  StripAccents: () => text => text.replace(/\p{M}/gu, ''),
  ByteLevel: () => toByteLevel,
  Strip: ({ strip_left: left = true, strip_right: right = true }) => text => {
    if (left === true) text = text.replace(/^\p{White_Space}+/u, '')
    return right === true ? trimEnd(text) : text
  },
  Prepend: ({ prepend }) => text => text === '' ? '' : String(prepend) + text,
  Replace: ({ pattern: searched, content }) => {
    const pattern = stepPattern(searched), replacement = String(content)
    return text => text.replace(pattern, () => replacement)
  },
  Precompiled: ({ precompiled_charsmap: map }) => charsmap(map),
}

/** The function of a "normalizer"; undefined for null. */
export function normalizer(step: unknown): Normalizer | undefined {
  if (step == null) return undefined
  if (isObject(step) && step['type'] === 'Sequence') {
    const steps = (step['normalizers'] as readonly unknown[]).map(normalizer)
    return part => steps.reduce((result, next) => next?.(result) ?? result, part)
  }
  // The front of a part is changed alone, to see what becomes of it; an end that is stripped is not that of the front. Where a character map
  // removes the first character, `tokenizers` counts the next one as the first.
  const change = madeOf('normalizer', KINDS, step), { type } = step as Fields, least = type === 'Precompiled' ? 1 : 0
  const changeFront = type === 'Strip' ? madeOf('normalizer', KINDS, { ...step as Fields, strip_right: false }) : change
  return ({ text, first }) => ({ text: change(text), first: first === 0 ? 0 : Math.max(least, changeFront(text.slice(0, first)).length) })
}

// Not by /\s+$/, which takes quadratic time on runs of spaces inside of a text.
function trimEnd(text: string): string {
  let end = text.length
  while (end > 0 && /\p{White_Space}/u.test(text[end - 1]!)) end--
  return text.slice(0, end)
}
