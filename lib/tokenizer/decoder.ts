// Tokens back to text, as tokenizer.json says ("decoder"). Steps work on the list of tokens; in the end the list is joined.
import { byteLevelText } from './alphabet.ts'
import type { Fields } from './files.ts'
import { stepPattern } from './regex.ts'
import { prependScheme } from './split.ts'
import { madeOf } from './step.ts'

/** Tokens to text. */
export type Decoder = (tokens: readonly string[]) => string
type Step = (tokens: readonly string[]) => readonly string[]

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

const KINDS: Readonly<Record<string, (step: Fields) => Step>> = {
  Sequence: ({ decoders }) => {
    const steps = (decoders as readonly unknown[]).map(stepOf)
    return tokens => steps.reduce((result, step) => step(result), tokens)
  },
  ByteLevel: () => tokens => [byteLevelText(tokens)],
  ByteFallback: () => byteFallback,
  Fuse: () => tokens => [tokens.join('')],
  Replace: ({ pattern: searched, content }) => {
    const pattern = stepPattern(searched), replacement = String(content)
    return tokens => tokens.map(token => token.replace(pattern, () => replacement))
  },
  Strip: ({ content, start, stop }) => tokens => tokens.map(token => strip(token, String(content), Number(start), Number(stop))),
  Metaspace: step => {
    const mark = String(step['replacement'] ?? '▁'), drops = prependScheme(step) !== 'never'
    return tokens => tokens.map((token, i) => token.replaceAll(mark, i === 0 && drops ? '' : ' '))
  },
  BPEDecoder: ({ suffix }) => tokens => tokens.map((token, i) => token.replaceAll(String(suffix), i === tokens.length - 1 ? '' : ' ')),
}

/** The function of a "decoder"; without one, tokens are joined by spaces. */
export function decoder(step: unknown): Decoder {
  if (step == null) return tokens => tokens.join(' ')
  const decode = stepOf(step)
  return tokens => decode(tokens).join('')
}

function stepOf(step: unknown): Step {
  return madeOf('decoder', KINDS, step)
}

// Runs of <0xNN> become text; a run that is not valid UTF-8 becomes one U+FFFD a byte, the valid characters in it too.
function byteFallback(tokens: readonly string[]): readonly string[] {
  const result: string[] = []
  let run: number[] = []
  const flush = (): void => {
    if (run.length === 0) return
    try {
      result.push(utf8.decode(Uint8Array.from(run)))
    } catch {
      for (let i = 0; i < run.length; i++) result.push('\ufffd')
    }
    run = []
  }
  for (const token of tokens) {
    if (/^<0x[0-9A-Fa-f]{2}>$/.test(token)) run.push(parseInt(token.slice(3, 5), 16))
    else {
      flush()
      result.push(token)
    }
  }
  flush()
  return result
}

// Takes up to `start` and `stop` characters `content` off the ends.
function strip(token: string, content: string, start: number, stop: number): string {
  let from = 0, to = token.length
  while (from < start && token[from] === content) from++
  while (token.length - to < stop && to > from && token[to - 1] === content) to--
  return token.slice(from, to)
}
