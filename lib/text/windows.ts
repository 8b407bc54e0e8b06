// Text in its own order as windows of a fixed length: what evaluation reads.
import { integer } from '../native/check.ts'
import { TransweldError } from '../native/error.ts'
import { IdReader } from './reader.ts'

/**
 * Cuts a stream of ids into windows of `length`, each an array of its own. Ids at the end that fill no window are left out.
 *
 * @throws TransweldError ERR_EMPTY_TEXT if there are fewer ids than one window takes.
 * @example
 * import { listTexts, tokenStream, windows } from 'transweld'
 * const stream = tokenStream({ files: await listTexts('examples/codelm/text/held-out.txt.gz'), tokenizer: 'examples/codelm' })
 * for await (const ids of windows(stream, 256)) { console.log(ids[0]); break }
 */
export async function* windows(stream: AsyncIterableIterator<Uint32Array, unknown, undefined>, length: number): AsyncGenerator<Uint32Array, void, undefined> {
  integer('length', length, 1)
  const reader = new IdReader(stream)
  try {
    for (let count = 0; ; count++) {
      const ids = new Uint32Array(length), got = await reader.read(ids)
      if (got === length) yield ids
      else if (count === 0) throw tooShort(got, length)
      else return
    }
  } finally {
    await stream.return?.()
  }
}

/** The error for text of `count` ids that fill no window of `length`. */
export function tooShort(count: number, length: number): TransweldError {
  return new TransweldError('ERR_EMPTY_TEXT', `the text holds ${count} tokens, fewer than one window of ${length}`)
}
