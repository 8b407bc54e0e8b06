// What goes between the tokeniser's thread and its reader. To the thread goes one kind of message without content: "a block was taken".
import type { ErrorCode } from '../native/error.ts'

/** What the thread is started with. */
export interface ThreadWork {
  readonly files: readonly string[]
  /** Folder of the tokenizer. */
  readonly tokenizer: string
  readonly endOfText: number | undefined
  /** Ids a block. */
  readonly blockSize: number
  /** Blocks that may wait for the reader. */
  readonly ahead: number
}

/** What the thread says. */
export type FromThread =
  | { readonly kind: 'ids', readonly ids: Uint32Array<ArrayBuffer> }
  | { readonly kind: 'end' }
  | { readonly kind: 'error', readonly code: ErrorCode, readonly message: string }
