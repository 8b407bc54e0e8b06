// The one door to @huggingface/tokenizers. Its type files (0.2.0) import without file endings, which a strict compile for Node refuses,
// so it is loaded by `require` and the few members that are used are typed here.
import { createRequire } from 'node:module'

/** The part of a tokenizer that turns pre-tokens into tokens. */
export interface LibraryModel {
  /** Token by id; ids that are not used are holes. */
  readonly vocab: readonly (string | undefined)[]
  readonly tokens_to_ids: ReadonlyMap<string, number>
  /** Tokens of pre-tokens. */
  encode(preTokens: readonly string[]): string[]
}

/** A tokenizer of the library. */
export interface LibraryTokenizer {
  readonly model: LibraryModel
  encode(text: string, options: { add_special_tokens: boolean }): { ids: (number | undefined)[] }
  decode(ids: readonly number[], options: { skip_special_tokens: boolean, clean_up_tokenization_spaces: boolean }): string
  get_added_tokens_decoder(): ReadonlyMap<number, { readonly content: string }>
}

interface Library {
  readonly Tokenizer: new (tokenizer: object, config: object) => LibraryTokenizer
  readonly ByteLevelPreTokenizer: new (step: object) => { readonly pattern: RegExp }
  readonly SplitPreTokenizer: new (step: object) => { readonly pattern: RegExp | null }
}

/** The library's classes. */
export const library = createRequire(import.meta.url)('@huggingface/tokenizers') as Library
