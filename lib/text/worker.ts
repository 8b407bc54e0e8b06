// The tokeniser's thread: reads and encodes while the main thread computes. It stays a few blocks ahead of its reader and then waits.
import { parentPort, workerData } from 'node:worker_threads'
import { TransweldError } from '../native/error.ts'
import { openTokenizer } from '../tokenizer/tokenizer.ts'
import { encodeFiles } from './documents.ts'
import type { FromThread, ThreadWork } from './thread.ts'

const port = parentPort!
const work = workerData as ThreadWork
let credit = work.ahead
let wake = (): void => {}

port.on('message', () => { // each message: one block was taken
  credit++
  wake()
})

const send = (message: FromThread, move: ArrayBuffer[] = []): void => port.postMessage(message, move)

async function run(): Promise<void> {
  const tokenizer = await openTokenizer(work.tokenizer), endOfText = work.endOfText ?? tokenizer.endOfText
  if (endOfText === undefined) {
    throw new TransweldError('ERR_UNSUPPORTED', `the tokenizer in ${work.tokenizer} names no end-of-text token to put between documents. Give the option endOfText`)
  }
  if (endOfText >= tokenizer.size) throw new TransweldError('ERR_TOKEN_RANGE', `expected endOfText from 0 to ${tokenizer.size - 1} but received ${endOfText}`)
  let total = 0
  for await (const ids of encodeFiles(work.files, tokenizer, endOfText, work.blockSize)) {
    while (credit === 0) await new Promise<void>(resolve => { wake = resolve })
    credit--
    total += ids.length
    send({ kind: 'ids', ids }, [ids.buffer])
  }
  if (total === 0) throw new TransweldError('ERR_EMPTY_TEXT', `the text holds nothing but white space: ${work.files[0] ?? 'no file'}${work.files.length > 1 ? ` and ${work.files.length - 1} more` : ''}`)
}

run().then(() => send({ kind: 'end' }), (error: unknown) => {
  if (error instanceof TransweldError) send({ kind: 'error', code: error.code, message: error.message })
  else send({ kind: 'error', code: 'ERR_INTERNAL', message: `the tokeniser's thread failed: ${error instanceof Error ? error.message : String(error)}` })
}).finally(() => port.close())
