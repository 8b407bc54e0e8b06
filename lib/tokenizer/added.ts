// Added tokens: texts that are one token wherever they stand, cut out before anything else looks at the text. Of several that begin at one place
// the longest wins. Some take the white space around them with them, some stand only where a word begins and ends.
import type { Fields, TokenizerFiles } from './files.ts'
import { isObject } from './files.ts'
import type { Normalizer, Part } from './normalizer.ts'
import { literal } from './regex.ts'

/** One entry of `added_tokens`. */
export interface AddedToken {
  readonly id: number
  readonly content: string
  /** Left out when a text is decoded without special tokens. */
  readonly isSpecial: boolean
  /** Looked for in the normalised text, by its own normalised text. */
  readonly isNormalized: boolean
  readonly stripsLeft: boolean
  readonly stripsRight: boolean
  readonly isSingleWord: boolean
}

/** Where an added token is: from `start` to `end`, with the white space that it takes. */
export interface Found { readonly start: number, readonly end: number, readonly id: number }

const SPACE = /\p{White_Space}/u
const WORD_AFTER = /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u
const WORD_BEFORE = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]$/u

/**
 * The added tokens of a folder by id: those of tokenizer.json, those that tokenizer_config.json adds (`added_tokens_decoder`), and tokens that it names
 * (`eos_token` …) and the vocabulary holds.
 */
export function addedTokens(files: TokenizerFiles, vocab: ReadonlyMap<string, number>): Map<number, AddedToken> {
  const tokens = new Map<number, AddedToken>(), contents = new Set<string>()
  const add = (fields: Fields, given: number | undefined): void => {
    const content = fields['content'] as string, id = vocab.get(content) ?? given
    if (id === undefined || contents.has(content)) return
    contents.add(content)
    tokens.set(id, {
      id, content, isSpecial: fields['special'] === true, isNormalized: fields['normalized'] === true,
      stripsLeft: fields['lstrip'] === true, stripsRight: fields['rstrip'] === true, isSingleWord: fields['single_word'] === true,
    })
  }
  for (const token of (files.tokenizer['added_tokens'] ?? []) as readonly Fields[]) add(token, token['id'] as number)
  const more = files.config['added_tokens_decoder']
  for (const [id, token] of Object.entries(isObject(more) ? more : {})) if (isObject(token) && typeof token['content'] === 'string') add(token, Number(id))
  for (const content of files.named.values()) add({ content, special: true }, undefined)
  return tokens
}

/** Finds added tokens in texts. */
export class AddedMatcher {
  /** No token takes white space or looks at its neighbours: what is found depends on the text of the token alone. */
  readonly isPlain: boolean
  /** Length of the longest text that is looked for. */
  readonly longest: number
  readonly #tokens = new Map<string, AddedToken>()
  readonly #pattern: RegExp | undefined
  readonly #normalize: Normalizer | undefined

  /** `normalize` makes the texts that are looked for. */
  constructor(tokens: readonly AddedToken[], normalize?: Normalizer) {
    this.#normalize = normalize
    for (const token of [...tokens.filter(token => token.isSpecial), ...tokens.filter(token => !token.isSpecial)]) {
      const text = this.textOf(token.content)
      if (text !== '' && !this.#tokens.has(text)) this.#tokens.set(text, token)
    }
    const texts = [...this.#tokens.keys()].sort((a, b) => b.length - a.length)
    this.#pattern = texts.length === 0 ? undefined : new RegExp(texts.map(literal).join('|'), 'g')
    this.longest = texts[0]?.length ?? 0
    this.isPlain = tokens.every(token => !token.stripsLeft && !token.stripsRight && !token.isSingleWord)
  }

  /** What is looked for in place of a token's content. */
  textOf(content: string): string { return this.#normalize?.({ text: content, first: 0 }).text ?? content }

  /** The tokens of `text` from left to right. */
  find(text: string): readonly Found[] {
    if (this.#pattern === undefined) return []
    const found: Found[] = []
    let taken = 0
    for (const { 0: match, index } of text.matchAll(this.#pattern)) {
      const token = this.#tokens.get(match)!
      let start = index, end = index + match.length
      if (token.isSingleWord && (WORD_BEFORE.test(text.slice(Math.max(0, start - 2), start)) || WORD_AFTER.test(text.slice(end, end + 2)))) continue
      if (token.stripsLeft) while (start > taken && SPACE.test(text[start - 1]!)) start--
      if (token.stripsRight) while (end < text.length && SPACE.test(text[end]!)) end++
      found.push({ start, end, id: token.id })
      taken = end
    }
    return found
  }

  /** A part as what lies between the tokens, and the tokens' ids, in order. */
  segments(part: Part): readonly (Part | number)[] {
    const found = this.find(part.text), { text, first } = part
    if (found.length === 0) return text === '' ? [] : [part]
    const result: (Part | number)[] = []
    let at = 0
    for (const { start, end, id } of [...found, { start: text.length, end: text.length, id: -1 }]) {
      if (at < start) result.push({ text: text.slice(at, start), first: Math.max(0, Math.min(first, start) - at) })
      if (id >= 0) result.push(id)
      at = end
    }
    return result
  }
}
