// The tokens that an evaluation reads: the first of a text in its own order, cut into windows of the model's context. Each
// window is read alone, and all of them are held in memory (4 bytes a token), for they are read more than once.
import { TransweldError } from '../native/error.ts'
import type { LanguageModel } from '../model/model.ts'
import { evenStarts, passRows } from '../model/pass.ts'
import { listTexts } from '../text/list.ts'
import { tokenStream } from '../text/stream.ts'
import { windows } from '../text/windows.ts'

/** Stands for "no target" in token_loss. */
const NONE = 0xFFFFFFFF

/** The first `tokens` ids of a text, rounded down to whole windows but at least one; fewer where the text is shorter. */
export async function heldOutIds(model: LanguageModel, text: string | readonly string[], tokens: number,
  signal?: AbortSignal): Promise<Uint32Array> {
  const { context } = model.config, most = Math.max(1, Math.floor(tokens / context))
  const ids = new Uint32Array(most * context)
  let count = 0
  for await (const window of windows(tokenStream({ files: await listTexts(text), tokenizer: model.folder }), context)) {
    checkAborted(signal)
    model.checkVocabulary(window)
    ids.set(window, count++ * context)
    if (count === most) break
  }
  return ids.subarray(0, count * context)
}

/** Consecutive whole windows that go through the model together. */
export interface Batch {
  /** Place of its first token in the text. */
  readonly at: number
  readonly ids: Uint32Array
  /** Row starts of its windows, [windows + 1]. */
  readonly starts: Uint32Array
  /** The next token of each row; 4294967295 (none) for the last of each window. */
  readonly targets: Uint32Array
}

/** Rows of the batches that {@link batches} makes; the last one may have fewer. */
export function batchRows(model: LanguageModel, ids: Uint32Array): number {
  return passRows(model.config.context, ids.length)
}

/** The text in batches. */
export function* batches(model: LanguageModel, ids: Uint32Array): Generator<Batch> {
  const { context } = model.config, rows = batchRows(model, ids)
  for (let at = 0; at < ids.length; at += rows) {
    const some = ids.subarray(at, at + rows), targets = new Uint32Array(some.length)
    for (let n = 0; n < some.length; n++) targets[n] = (n + 1) % context ? some[n + 1]! : NONE
    yield { at, ids: some, starts: evenStarts(some.length, context), targets }
  }
}

/** Throws where the work was called off. */
export function checkAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new TransweldError('ERR_ABORTED', 'the evaluation was stopped by its signal')
}
