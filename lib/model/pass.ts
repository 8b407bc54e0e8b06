// One forward pass: buffers for up to N rows, and the ops of a model enqueued block by block.
import type { Tensor } from '../tensor/tensor.ts'
import type { KeyCache } from './cache.ts'
import type { MlpHook, SiteHooks } from './site.ts'

/** Which sequences of a cache the sequences of a pass go on. */
export interface Continued {
  readonly cache: KeyCache
  /** For each sequence of the pass its number in the cache; default 0, 1, …. */
  readonly slots?: readonly number[]
}

/**
 * The buffers of a forward pass over up to `rows` token positions, and its stages. A pass may be run again and again;
 * what hooks and long sequences need more is made when it is needed first. Passes of one model do not disturb each other.
 */
export interface Pass {
  /** The most rows it holds. */
  readonly rows: number
  /** The residual stream [N, D] of the sequences begun last; may be written between blocks. */
  readonly stream: Tensor
  /**
   * Embeds packed sequences: sequence b is `ids[starts[b] … starts[b+1] − 1]`, read from position 0; or, with `after`, from the end of
   * what a cache holds of it, where its keys and values are then kept.
   */
  begin(ids: Uint32Array, starts: Uint32Array, after?: Continued): void
  /** Enqueues blocks `from` … `to` − 1 on the stream. Waits for nothing but what hooks return. */
  blocks(from: number, to: number, hooks?: MlpHook | SiteHooks): Promise<void>
  /**
   * What a block adds to the stream where its MLP's output is `output` ([N, D], or [1, D] for every row): itself, or what the norm after the
   * MLP makes of it, in a buffer that the next block uses again.
   */
  writeOf(layer: number, output: Tensor): Tensor
  /** Enqueues the logits [to − from, V] of rows `from` … `to` − 1 into `out`. */
  logits(from: number, to: number, out: Tensor): void
  /** The same with hooks at the sites after the last block; without `out` these alone, and no logits. */
  logitsWith(from: number, to: number, out: Tensor | undefined, hooks: SiteHooks): Promise<void>
  dispose(): void
  [Symbol.dispose](): void
}

/**
 * Row starts of sequences of `length` rows each, the last one possibly shorter: [0, length, …, rows].
 *
 * @example
 * import { evenStarts } from 'transweld'
 * console.log([...evenStarts(10, 4)])   // [ 0, 4, 8, 10 ]
 */
export function evenStarts(rows: number, length: number): Uint32Array {
  const starts = new Uint32Array(Math.ceil(rows / length) + 1)
  for (let b = 0; b < starts.length; b++) starts[b] = Math.min(b * length, rows)
  return starts
}

/**
 * The place of each row in its own sequence.
 *
 * @example
 * import { places } from 'transweld'
 * console.log([...places(Uint32Array.of(0, 1, 4))])   // [ 0, 0, 1, 2 ]
 */
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
