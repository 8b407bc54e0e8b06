// Files to token ids: documents are files, or the parts of a file between <|endoftext|>; blank ones are dropped, each other one is followed by the
// end-of-text id. Runs in the tokeniser's thread, on a part of about 64 KiB at a time.
import { DocumentEncoder } from '../tokenizer/document.ts'
import type { Tokenizer } from '../tokenizer/tokenizer.ts'
import { readText } from './read.ts'

/** What separates documents in a file, whatever the tokenizer's own end-of-text token is. */
export const SEPARATOR = '<|endoftext|>'

/** The ids of all documents in blocks of `blockSize`; the last block may be shorter. */
export async function* encodeFiles(files: readonly string[], tokenizer: Tokenizer, endOfText: number, blockSize: number): AsyncGenerator<Uint32Array<ArrayBuffer>, void, undefined> {
  const encoder = new DocumentEncoder(tokenizer), { ids } = encoder
  const finish = (): void => { if (encoder.end()) ids.push(endOfText) }
  for (const path of files) {
    let rest = '' // what may be the start of a separator
    for await (const part of readText(path)) {
      const pieces = (rest + part).split(SEPARATOR), last = pieces.pop()!
      for (const piece of pieces) {
        encoder.push(piece)
        finish()
      }
      rest = separatorStart(last)
      encoder.push(last.slice(0, last.length - rest.length))
      while (ids.length >= blockSize) yield ids.take(blockSize)
    }
    encoder.push(rest)
    finish()
  }
  while (ids.length > 0) yield ids.take(Math.min(blockSize, ids.length))
}

// The longest end of `text` that begins a separator.
function separatorStart(text: string): string {
  for (let length = Math.min(text.length, SEPARATOR.length - 1); length > 0; length--) {
    if (SEPARATOR.startsWith(text.slice(-length))) return text.slice(-length)
  }
  return ''
}
