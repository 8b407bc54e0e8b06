// One forward pass: buffers for up to N rows, and the ops of a family enqueued block by block.
import type { Tensor } from '../tensor/tensor.ts'
import type { MlpHook } from './site.ts'

/**
 * The buffers of a forward pass over up to `rows` token positions, and its stages. A pass may be run again and again;
 * nothing is allocated after it was made. Two passes of one model may not be mixed block by block.
 */
export interface Pass {
  /** The most rows it holds. */
  readonly rows: number
  /** The residual stream [N, D] of the sequences begun last; may be written between blocks. */
  readonly stream: Tensor
  /** Embeds packed sequences: sequence b is `ids[starts[b] … starts[b+1] − 1]`, read from position 0. */
  begin(ids: Uint32Array, starts: Uint32Array): void
  /** Enqueues blocks `from` … `to` − 1 on the stream. Awaits nothing but what `mlp` returns. */
  blocks(from: number, to: number, mlp?: MlpHook): Promise<void>
  /** Enqueues the logits [to − from, V] of rows `from` … `to` − 1 into `out`. */
  logits(from: number, to: number, out: Tensor): void
  dispose(): void
}

/** Row starts of sequences of `length` rows each, the last one possibly shorter: [0, length, …, rows]. */
export function evenStarts(rows: number, length: number): Uint32Array {
  const starts = new Uint32Array(Math.ceil(rows / length) + 1)
  for (let b = 0; b < starts.length; b++) starts[b] = Math.min(b * length, rows)
  return starts
}

/** The place of each row in its own sequence. */
export function places(starts: Uint32Array): Uint32Array {
  const out = new Uint32Array(starts[starts.length - 1] ?? 0)
  for (let b = 0; b + 1 < starts.length; b++) for (let n = starts[b]!; n < starts[b + 1]!; n++) out[n] = n - starts[b]!
  return out
}

const PASS_ROWS = 2048       // its buffers stay near the cores' caches

/** Rows of a pass over whole windows of `length` rows: about 2048, at most `most`. */
export function passRows(length: number, most: number): number {
  return Math.min(most, Math.max(1, Math.floor(PASS_ROWS / length)) * length)
}
