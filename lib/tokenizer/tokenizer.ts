// Text to token ids and back, as tokenizer.json says and as Python's `tokenizers` does it: added tokens are cut out, the rest is normalised
// (normalizer.ts), cut into words (split.ts), and each word becomes pieces of the vocabulary (bpe.ts, unigram.ts); template.ts says what stands
// around a text, decoder.ts how ids become text again.
import { closed, flag, invalid, text as nonEmpty } from '../native/check.ts'
import { TransweldError } from '../native/error.ts'
import { AddedMatcher, type AddedToken, addedTokens } from './added.ts'
import { byteLevelBytes, showBytes, toByteLevel } from './alphabet.ts'
import { Bpe, type WordModel } from './bpe.ts'
import { type ChatMessage, type ChatOptions, ChatTemplates } from './chat.ts'
import { type Decoder, decoder } from './decoder.ts'
import { type Fields, isObject, readTokenizerFiles, type TokenizerFiles } from './files.ts'
import { IdBuffer } from './ids.ts'
import { type Normalizer, normalizer, type Part } from './normalizer.ts'
import { cutBy, Pieces } from './pieces.ts'
import { looksAhead, wordPattern } from './plan.ts'
import { splitter } from './split.ts'
import { type Surround, surround } from './template.ts'
import { Unigram } from './unigram.ts'
import { WordLevel } from './words.ts'

const MARK = '▁' // SentencePiece's space
const MARKED_WORDS = /▁*[^▁]+|▁+/g

/** A tokenizer in memory. Open one with {@link openTokenizer}. */
export class Tokenizer {
  /** One more than the largest token id. A model's own vocabulary may be larger (padding). */
  readonly size: number
  /** The id that begins a text, by the files; undefined where they name none. Whether `encode` adds it is tokenizer.json's word, not this one's. */
  readonly beginOfText: number | undefined
  /** The id that ends a document, by the tokenizer's files; undefined where they name none. */
  readonly endOfText: number | undefined
  /** The id that fills rows of unequal length; undefined where the files name none. */
  readonly padding: number | undefined
  /** The ids at which generation ends: the list in generation_config.json, else that in config.json, else `endOfText` alone. */
  readonly stops: readonly number[]
  /** The ids of all special tokens, ascending: what `decode` leaves out with `special: false`. */
  readonly specials: readonly number[]
  /** How a document may be encoded while it is read; undefined where this tokenizer must see the whole text. */
  readonly stream: { readonly added: AddedMatcher, readonly pieces: Pieces } | undefined
  readonly #vocabulary: readonly (string | undefined)[]
  readonly #added: ReadonlyMap<number, AddedToken>
  readonly #raw: AddedMatcher
  readonly #normalized: AddedMatcher
  readonly #normalize: Normalizer | undefined
  readonly #pieces: Pieces
  readonly #surround: Surround
  readonly #decode: Decoder
  readonly #isByteLevel: boolean
  readonly #specialTexts: ReadonlySet<string>
  readonly #chat: ChatTemplates

  /** `files` as read and checked by `readTokenizerFiles`. */
  constructor(files: TokenizerFiles) {
    const { tokenizer } = files, vocab = vocabulary(tokenizer['model'] as Fields)
    this.#added = addedTokens(files, vocab)
    const tokens = [...this.#added.values()]
    try {
      this.#normalize = normalizer(tokenizer['normalizer'])
      this.#raw = new AddedMatcher(tokens.filter(token => !token.isNormalized))
      this.#normalized = new AddedMatcher(tokens.filter(token => token.isNormalized), this.#normalize)
      const pattern = wordPattern(tokenizer), model = wordModel(tokenizer['model'] as Fields, vocab)
      this.#pieces = pattern ? new Pieces(model, cutBy(pattern), toByteLevel) : new Pieces(model, wordsOf(tokenizer, model))
      this.#surround = surround(tokenizer['post_processor'])
      this.#decode = decoder(tokenizer['decoder'])
      const isPlain = this.#normalize === undefined && (this.#raw.longest === 0 || this.#normalized.longest === 0)
      const added = this.#raw.longest === 0 ? this.#normalized : this.#raw
      this.stream = pattern && looksAhead(pattern) && isPlain && added.isPlain ? { added, pieces: this.#pieces } : undefined
    } catch (error) {
      const code = error instanceof TransweldError ? error.code : 'ERR_FORMAT', why = error instanceof Error ? error.message : String(error)
      throw new TransweldError(code, `${files.folder}/tokenizer.json cannot be used: ${why}`, { cause: error })
    }
    const list: (string | undefined)[] = []
    for (const [token, id] of vocab) list[id] = token
    for (const { id, content, isNormalized } of tokens) list[id] = isNormalized ? this.#normalized.textOf(content) : content // as in Python
    this.#vocabulary = list
    this.size = list.length
    this.#isByteLevel = mentionsByteLevel(tokenizer['decoder']) || mentionsByteLevel(tokenizer['pre_tokenizer'])
    const ids = new Map([...vocab, ...tokens.map(token => [token.content, token.id] as const)])
    const role = (name: string, fallback: number | undefined): number | undefined => files.named.has(name) ? ids.get(files.named.get(name)!) : fallback
    this.beginOfText = role('bos_token', files.ids.bos)
    this.endOfText = role('eos_token', files.ids.eos)
    this.padding = role('pad_token', files.ids.pad)
    this.stops = files.ids.stops.length > 0 ? files.ids.stops : this.endOfText === undefined ? [] : [this.endOfText]
    const specials = tokens.filter(token => token.isSpecial)
    this.specials = specials.map(token => token.id).sort((a, b) => a - b)
    this.#specialTexts = new Set(specials.map(token => token.content))
    const end = files.named.get('eos_token') ?? files.ids.eos
    if (end !== undefined && (this.endOfText === undefined || this.endOfText >= this.size)) {
      throw new TransweldError('ERR_FORMAT', `the files in ${files.folder} name the end-of-text token ${JSON.stringify(end)}, \
which the vocabulary does not hold`)
    }
    this.#chat = new ChatTemplates(files)
  }

  /**
   * Ids of `text`. With `special` (default true, as in the Hugging Face libraries) the tokens that the tokenizer puts around a text (a beginning-of-text
   * token …) are added; text that spells a special token is that token in any case.
   *
   * @example
   * import { openTokenizer } from 'transweld'
   * const tokenizer = await openTokenizer('examples/codelm')
   * console.log(tokenizer.encode('The war lasted from the year 1732'))
   */
  encode(text: string, options: { special?: boolean } = {}): Uint32Array {
    if (typeof text !== 'string') throw invalid('text', 'a string', text)
    const special = specialOption(options, true), ids = new IdBuffer(64)
    if (special) for (const id of this.#surround.before) ids.push(id)
    this.encodeInto(text, ids)
    if (special) for (const id of this.#surround.after) ids.push(id)
    return ids.take()
  }

  /** Adds the ids of a whole text to `ids`, without the tokens that are put around a text. */
  encodeInto(text: string, ids: IdBuffer): void {
    const whole = text.toWellFormed() // half a surrogate pair is U+FFFD, as everywhere where text turns into UTF-8
    for (const part of this.#raw.segments({ text: whole, first: whole.codePointAt(0)! > 0xffff ? 2 : 1 })) {
      if (typeof part === 'number') {
        ids.push(part)
        continue
      }
      for (const item of this.#normalized.segments(this.#normalize?.(part) ?? part)) {
        if (typeof item === 'number') ids.push(item)
        else this.#pieces.encode(item, ids)
      }
    }
  }

  /** The text of ids; with `special: false` (default true) without the special tokens. Bytes that are no valid UTF-8 become U+FFFD. */
  decode(ids: ArrayLike<number>, options: { special?: boolean } = {}): string {
    const special = specialOption(options, true), tokens: string[] = []
    for (let i = 0; i < ids.length; i++) {
      const id = this.#check(`ids[${i}]`, ids[i]!), token = this.#vocabulary[id]
      if (token !== undefined && (special || !this.#specialTexts.has(token))) tokens.push(token)
    }
    return this.#decode(tokens)
  }

  /**
   * The text of a conversation, by the folder's chat template. It holds the special tokens that the model expects, so encode it with
   * `special: false`, or use {@link encodeChat}.
   *
   * @throws ERR_UNSUPPORTED where the folder has no chat template; ERR_INVALID_ARGUMENT where the template refuses the messages.
   */
  chat(messages: readonly ChatMessage[], options: ChatOptions = {}): string {
    return this.#chat.render(messages, options)
  }

  /** The ids of a conversation: those of {@link chat}'s text, with no token put around it a second time. */
  encodeChat(messages: readonly ChatMessage[], options: ChatOptions = {}): Uint32Array {
    return this.encode(this.chat(messages, options), { special: false })
  }

  /** One token as readable text, for displays: `" war"`, `"\n"`, `"<0xE2><0x80>"` for a part of a character. */
  piece(id: number): string {
    this.#check('id', id)
    const added = this.#added.get(id), token = this.#vocabulary[id]
    if (added !== undefined) return added.content
    if (token === undefined) return `<unused ${id}>`
    return this.#isByteLevel ? showBytes(byteLevelBytes(token)) : token.replaceAll(MARK, ' ')
  }

  #check(what: string, id: number): number {
    if (Number.isInteger(id) && id >= 0 && id < this.size) return id
    throw new TransweldError('ERR_TOKEN_RANGE', `expected a token id from 0 to ${this.size - 1} for ${what} but received ${String(id)}`)
  }
}

function specialOption(options: { special?: boolean }, usual: boolean): boolean {
  closed('options', options, ['special'])
  return options.special === undefined ? usual : flag('special', options.special)
}

function vocabulary(model: Fields): Map<string, number> {
  const { vocab } = model
  return new Map(Array.isArray(vocab) ? vocab.map((item: readonly [string], id) => [item[0], id]) : Object.entries(vocab as Readonly<Record<string, number>>))
}

function wordModel(model: Fields, vocab: ReadonlyMap<string, number>): WordModel {
  if (Array.isArray(model['vocab'])) return new Unigram(model, vocab)
  return model['type'] === 'WordLevel' ? new WordLevel(model, vocab) : new Bpe(model, vocab)
}

// Where a tokenizer takes whole texts as one word, they are cut before each mark that no merge reaches over: short words can be remembered.
function wordsOf(tokenizer: Fields, model: WordModel): (part: Part) => readonly string[] {
  const split = splitter(tokenizer['pre_tokenizer']), cuts = model instanceof Bpe && model.cutsBefore(MARK)
  return whole => split(whole).flatMap(part => cuts ? part.text.match(MARKED_WORDS) ?? [] : [part.text])
}

function mentionsByteLevel(step: unknown): boolean {
  if (!isObject(step)) return false
  const inner = (step['pretokenizers'] ?? step['decoders']) as readonly Fields[] | undefined
  return step['type'] === 'ByteLevel' || (Array.isArray(inner) && inner.some(mentionsByteLevel))
}

/**
 * Opens the tokenizer of a model's folder (tokenizer.json; tokenizer_config.json and special_tokens_map.json if they are there).
 *
 * @throws TransweldError ERR_FILE if there is no tokenizer.json, ERR_FORMAT if a file is damaged, ERR_UNSUPPORTED for steps that transweld does not know.
 * @example
 * import { openTokenizer } from 'transweld'
 * const tokenizer = await openTokenizer('examples/codelm')
 * console.log(tokenizer.size, tokenizer.endOfText)
 */
export async function openTokenizer(folder: string): Promise<Tokenizer> {
  return new Tokenizer(await readTokenizerFiles(nonEmpty('folder', folder)))
}
