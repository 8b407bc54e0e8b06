// A vocabulary of whole words: a word is its token, or the unknown one.
import { TransweldError } from '../native/error.ts'
import type { WordModel } from './bpe.ts'
import type { Fields } from './files.ts'
import type { IdBuffer } from './ids.ts'

/** The model of `type` WordLevel. */
export class WordLevel implements WordModel {
  readonly #vocab: ReadonlyMap<string, number>
  readonly #unknown: number | undefined

  constructor(model: Fields, vocab: ReadonlyMap<string, number>) {
    this.#vocab = vocab
    this.#unknown = vocab.get(String(model['unk_token']))
  }

  encode(word: string, ids: IdBuffer): void {
    const id = this.#vocab.get(word) ?? this.#unknown
    if (id === undefined) throw new TransweldError('ERR_FORMAT', `the vocabulary holds neither ${JSON.stringify(word)} nor an unknown token`)
    ids.push(id)
  }
}
