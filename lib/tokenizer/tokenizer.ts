// Text to token ids and back, as tokenizer.json says. The library @huggingface/tokenizers defines every result; where a tokenizer works pre-token by
// pre-token (plan.ts) its answers are remembered, which changes the speed and nothing else.
import { invalid, text as nonEmpty } from '../native/check.ts'
import { TransweldError } from '../native/error.ts'
import { byteLevelBytes, showBytes } from './alphabet.ts'
import { isObject, readTokenizerFiles, type Fields, type TokenizerFiles } from './files.ts'
import { IdBuffer } from './ids.ts'
import { library, type LibraryTokenizer } from './library.ts'
import { Pieces } from './pieces.ts'
import { splitPlan, type SplitPlan } from './plan.ts'

/** A tokenizer in memory. Open one with {@link openTokenizer}. */
export class Tokenizer {
  /** One more than the largest token id. A model's own vocabulary may be larger (padding). */
  readonly size: number
  /** The id that ends a document, by the tokenizer's files; undefined where they name none. */
  readonly endOfText: number | undefined
  /** How to work pre-token by pre-token; undefined where this tokenizer cannot. */
  readonly plan: SplitPlan | undefined
  readonly pieces: Pieces | undefined
  readonly #library: LibraryTokenizer
  readonly #vocabulary: readonly (string | undefined)[]
  readonly #added: ReadonlyMap<number, string>
  readonly #isByteLevel: boolean
  readonly #addsNothing: boolean

  /** `files` as read and checked by `readTokenizerFiles`. */
  constructor(files: TokenizerFiles) {
    const { tokenizer, config } = files, path = `${files.folder}/tokenizer.json`
    try {
      this.#library = new library.Tokenizer({ added_tokens: [], normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null, ...tokenizer }, config)
      this.plan = splitPlan(tokenizer, config)
    } catch (error) {
      throw new TransweldError('ERR_FORMAT', `${path} cannot be used: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
    }
    const model = this.#library.model
    this.pieces = this.plan && new Pieces(model, this.plan)
    this.#vocabulary = model.vocab
    this.size = model.vocab.length
    this.#added = new Map([...this.#library.get_added_tokens_decoder()].map(([id, token]) => [id, token.content]))
    this.#isByteLevel = mentionsByteLevel(tokenizer['decoder']) || mentionsByteLevel(tokenizer['pre_tokenizer'])
    const after = tokenizer['post_processor']
    this.#addsNothing = after == null || (isObject(after) && after['type'] === 'ByteLevel')
    this.endOfText = typeof files.endOfText === 'string' ? model.tokens_to_ids.get(files.endOfText) : files.endOfText
    if (files.endOfText !== undefined && (this.endOfText === undefined || this.endOfText >= this.size)) {
      throw new TransweldError('ERR_FORMAT', `the files in ${files.folder} name the end-of-text token ${JSON.stringify(files.endOfText)}, which the vocabulary does not hold`)
    }
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
    const special = options.special ?? true, ids = new IdBuffer(64)
    if (special && !this.#addsNothing) this.#encodeByLibrary(text, true, ids)
    else this.encodeInto(text, ids)
    return ids.take()
  }

  /** Adds the ids of a whole text to `ids`, without the tokens that are put around a text. */
  encodeInto(text: string, ids: IdBuffer): void {
    const { plan, pieces } = this
    if (plan === undefined || pieces === undefined) return this.#encodeByLibrary(text, false, ids)
    let start = 0
    if (plan.addedPattern !== null) {
      for (const { 0: match, index } of text.matchAll(plan.addedPattern)) {
        pieces.encode(text.slice(start, index), index - start, ids)
        ids.push(plan.added.get(match)!)
        start = index + match.length
      }
    }
    pieces.encode(start === 0 ? text : text.slice(start), text.length - start, ids)
  }

  #encodeByLibrary(text: string, special: boolean, ids: IdBuffer): void {
    if (text === '' && !special) return
    const found: readonly (number | undefined)[] = this.#library.encode(text, { add_special_tokens: special }).ids
    for (const id of found) {
      if (id === undefined) throw new TransweldError('ERR_FORMAT', 'the tokenizer made a token that its vocabulary does not hold, and it names no unknown token')
      ids.push(id)
    }
  }

  /** The text of ids, special tokens included. Bytes that are no valid UTF-8 become U+FFFD. */
  decode(ids: ArrayLike<number>): string {
    const list = Array.from(ids, (id, i) => this.#check(`ids[${i}]`, id))
    if (list.length === 0) return ''
    if (!this.#isByteLevel) return this.#library.decode(list, { skip_special_tokens: false, clean_up_tokenization_spaces: false })
    const bytes: number[] = []
    for (const id of list) for (const byte of this.#bytes(id)) bytes.push(byte)
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(bytes))
  }

  /** One token as readable text, for displays: `" war"`, `"\n"`, `"<0xE2><0x80>"` for a part of a character. */
  piece(id: number): string {
    this.#check('id', id)
    const added = this.#added.get(id), token = this.#vocabulary[id]
    if (added !== undefined) return added
    if (token === undefined) return `<unused ${id}>`
    return this.#isByteLevel ? showBytes(byteLevelBytes(token)) : token.replaceAll('\u2581', ' ')
  }

  #bytes(id: number): Iterable<number> {
    const added = this.#added.get(id)
    return added === undefined ? byteLevelBytes(this.#vocabulary[id] ?? '') : new TextEncoder().encode(added)
  }

  #check(what: string, id: number): number {
    if (Number.isInteger(id) && id >= 0 && id < this.size) return id
    throw new TransweldError('ERR_TOKEN_RANGE', `expected a token id from 0 to ${this.size - 1} for ${what} but received ${String(id)}`)
  }
}

function mentionsByteLevel(step: unknown): boolean {
  if (!isObject(step)) return false
  const inner = (step['pretokenizers'] ?? step['decoders']) as readonly Fields[] | undefined
  return step['type'] === 'ByteLevel' || (Array.isArray(inner) && inner.some(mentionsByteLevel))
}

/**
 * Opens the tokenizer of a model's folder (tokenizer.json; tokenizer_config.json and special_tokens_map.json if they are there).
 *
 * @throws TransweldError ERR_FILE if there is no tokenizer.json, ERR_FORMAT if a file is damaged.
 * @example
 * import { openTokenizer } from 'transweld'
 * const tokenizer = await openTokenizer('examples/codelm')
 * console.log(tokenizer.size, tokenizer.endOfText)
 */
export async function openTokenizer(folder: string): Promise<Tokenizer> {
  return new Tokenizer(await readTokenizerFiles(nonEmpty('folder', folder)))
}
