// Text from a model, token by token: prompts are read once, their keys and values are kept, and each new token costs one row. Several
// sequences go on together: a step reads the weights once for all of them.
import { closed, flag, integer, invalid, oneOf, signal as checkSignal } from '../native/check.ts'
import { TransweldError } from '../native/error.ts'
import { readModelIds } from '../tokenizer/files.ts'
import type { Tokenizer } from '../tokenizer/tokenizer.ts'
import type { LanguageModel } from './model.ts'
import { logProbability, Sampler, SAMPLING, type SamplingOptions } from './sample.ts'
import type { Sequence } from './sequences.ts'
import { Speech } from './speech.ts'
import type { Splice } from './splice.ts'
import { Steps } from './steps.ts'

/** Options of {@link LanguageModel.generate}. */
export interface GenerateOptions extends SamplingOptions {
  /** The most new tokens. Default 256. */
  readonly maxTokens?: number
  /** Texts at which generation ends; they are left out. Default none. */
  readonly stop?: string | readonly string[]
  /** Ids at which it ends. Default: those of generation_config.json, else of config.json, else the tokenizer's end of text. */
  readonly stopIds?: readonly number[]
  /**
   * What happens where the context is full. "error" (the default) refuses a longer prompt, and ends generation. "slide" forgets: of a longer
   * prompt the last tokens are read, and a full context is read again from its last half.
   */
  readonly context?: 'error' | 'slide'
  /** Adds to each token its log-probability by the model, before temperature and all else. Default false. */
  readonly logprobs?: boolean
  /** Changes of the model while it runs. Default none. */
  readonly splices?: readonly Splice[]
  /** Stops it between two tokens. */
  readonly signal?: AbortSignal
}

/** One new token. */
export interface GeneratedToken {
  /** Number of the token, from 0. */
  readonly index: number
  readonly id: number
  /**
   * What can be said after it: whole characters, and nothing that may still begin a stop string; so it may be empty, or hold text of the tokens
   * before. Empty where the folder has no tokenizer.
   */
  readonly text: string
  /** With the option `logprobs`. */
  readonly logprob?: number
}

/** One new token of one of several sequences. */
export interface BatchToken extends GeneratedToken {
  /** Number of its prompt. */
  readonly sequence: number
}

/** Why generation ended: `maxTokens` reached, a stop id or text met, or the context full. */
export type GenerationEnd = 'length' | 'stop' | 'context'

const KEYS = ['maxTokens', 'stop', 'stopIds', 'context', 'logprobs', 'splices', 'signal', ...SAMPLING] satisfies (keyof GenerateOptions)[]

/** A sequence that grows. */
interface Growing {
  readonly sequence: number
  readonly ids: number[]
  readonly speech: Speech | undefined
  /** What is to be read before the next token is known. */
  next: readonly number[]
  end: GenerationEnd | undefined
}

type Generation<Token, End> = AsyncGenerator<Token, End, undefined>

/** See {@link LanguageModel.generateBatch}. */
export async function* generateBatch(model: LanguageModel, prompts: readonly Sequence[], options: GenerateOptions): Generation<BatchToken, GenerationEnd[]> {
  closed('generate', options, KEYS)
  if (!Array.isArray(prompts)) throw invalid('prompts', 'a list of texts or lists of ids', prompts)
  const maxTokens = integer('maxTokens', options.maxTokens ?? 256), sampler = new Sampler(options), hasLogprobs = flag('logprobs', options.logprobs ?? false)
  const slides = oneOf('context', options.context ?? 'error', ['error', 'slide']) === 'slide', stops = stopTexts(options.stop), { context } = model.config
  const tokenizer = await tokenizerFor(model, prompts.some(prompt => typeof prompt === 'string') || stops.length > 0)
  if (options.stopIds !== undefined && !Array.isArray(options.stopIds)) throw invalid('stopIds', 'a list of token ids', options.stopIds)
  const ends = new Set(options.stopIds?.map(id => integer('stopIds', id)) ?? tokenizer?.stops ?? (await readModelIds(model.folder)).stops)
  const all = prompts.map((prompt: Sequence, sequence): Growing => {
    const ids = Array.from(model.checkIds(typeof prompt === 'string' ? tokenizer!.encode(prompt) : prompt, { slides }))
    return { sequence, ids, speech: tokenizer && new Speech(tokenizer, ids, stops), next: ids.slice(-context), end: maxTokens === 0 ? 'length' : undefined }
  })
  let live = all.filter(({ end }) => end === undefined)
  if (live.length > 0) {
    const capacity = Math.min(context, Math.max(...live.map(({ ids }) => ids.length)) + maxTokens - 1), { splices = [] } = options, signal = checkSignal('signal of generate', options.signal)
    using steps = new Steps(model, { splices, sequences: all.length, capacity, signal })
    for (let index = 0; live.length > 0; index++) {
      for (const one of live) {
        if (steps.left(one.sequence) >= one.next.length) continue
        if (!slides) one.end = 'context'
        else {
          steps.forget(one.sequence)
          one.next = one.ids.slice(-Math.max(1, Math.floor(context / 2)))
        }
      }
      live = live.filter(({ end }) => end === undefined)
      const rows = await steps.read(live.map(({ sequence, next }) => ({ slot: sequence, ids: next })))
      for (const [i, one] of live.entries()) {
        const logits = rows[i]!, raw = hasLogprobs && sampler.looksBack ? logits.slice() : logits
        const id = sampler.pick(logits, one.ids, index, one.sequence), isEnd = ends.has(id)
        const isLast = isEnd || index + 1 === maxTokens || (!slides && steps.left(one.sequence) === 0)
        one.ids.push(id)
        let text = isEnd ? '' : one.speech?.add(id) ?? ''
        if (isLast) text += one.speech?.end() ?? ''
        one.next = [id]
        if (isEnd || one.speech?.isStopped) one.end = 'stop'
        else if (index + 1 === maxTokens) one.end = 'length'
        yield { sequence: one.sequence, index, id, text, ...(hasLogprobs && { logprob: logProbability(raw, id) }) }
      }
      live = live.filter(({ end }) => end === undefined)
    }
  }
  return all.map(({ end }) => end!)
}

/** See {@link LanguageModel.generate}. */
export async function* generate(model: LanguageModel, prompt: Sequence, options: GenerateOptions): Generation<GeneratedToken, GenerationEnd> {
  const [end] = yield* unnumbered(generateBatch(model, [prompt], options))
  return end!
}

async function* unnumbered(tokens: Generation<BatchToken, GenerationEnd[]>): Generation<GeneratedToken, GenerationEnd[]> {
  try {
    for (;;) {
      const step = await tokens.next()
      if (step.done) return step.value
      const { sequence: _, ...token } = step.value
      yield token
    }
  } finally { await tokens.return([]) }
}

function stopTexts(stop: string | readonly string[] = []): readonly string[] {
  const list = typeof stop === 'string' ? [stop] : stop
  if (Array.isArray(list) && list.every(text => typeof text === 'string' && text !== '')) return list as string[]
  throw invalid('stop', 'a text, or a list of texts, that are not empty', stop)
}

// Ids need none, unless texts are looked for.
async function tokenizerFor(model: LanguageModel, isNeeded: boolean): Promise<Tokenizer | undefined> {
  return model.tokenizer().catch((error: unknown) => {
    if (!isNeeded && error instanceof TransweldError && (error.code === 'ERR_FILE' || error.code === 'ERR_UNSUPPORTED')) return undefined
    throw error
  })
}
