// Codes: sparse activations as a pattern (where) and planes (what), the one sparse type of the library.
import { integer } from '../native/check.ts'
import type { Device } from './device.ts'
import type { Tensor } from './tensor.ts'

/**
 * Where codes lie: features of N rows.
 * - fixed: `index` [N, K], row n has the positions n·K … n·K + K − 1;
 * - ragged: `starts` [1, N + 1] and `index` [1, capacity], row n has the positions starts[n] … starts[n + 1] − 1.
 *
 * A plane is an f32 tensor of index's shape. A position may hold an explicit zero; it is active where its value is not 0.
 */
export class Pattern {
  /** u64 [1, N + 1]; fixed patterns have none. */
  readonly starts: Tensor<'u64'> | undefined
  /** u32, each below `features`. */
  readonly index: Tensor<'u32'>
  /** N. */
  readonly rows: number
  /** F. */
  readonly features: number
  /** Positions that there is room for: N · K, or the ragged capacity. */
  readonly capacity: number

  /** Tensors of the shapes above; usually made by {@link patternFixed} or {@link patternRagged}. */
  constructor(index: Tensor<'u32'>, rows: number, features: number, starts?: Tensor<'u64'>) {
    this.index = index
    this.rows = integer('rows of a pattern', rows)
    this.features = integer('features of a pattern', features, 0, 0xFFFFFFFF)
    this.starts = starts
    this.capacity = index.rows * index.columns
  }

  /** K of a fixed pattern; undefined for a ragged one. */
  get k(): number | undefined {
    return this.starts ? undefined : this.index.columns
  }

  /** A plane, not set yet: f32 of index's shape. */
  plane(): Tensor<'f32'> {
    return this.index.device.tensor('f32', this.index.rows, this.index.columns)
  }

  dispose(): void {
    this.index.dispose()
    this.starts?.dispose()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }
}

/** A pattern and its values. */
export interface Codes {
  readonly pattern: Pattern
  /** f32, of the shape of the pattern's index. */
  readonly z: Tensor<'f32'>
}

/**
 * Room for K positions in each of `rows` rows.
 *
 * @example
 * import { openDevice, patternFixed } from 'transweld'
 * using device = openDevice('cpu')
 * using codes = patternFixed(device, 4096, 16, 2048)
 * using z = codes.plane()   // [4096, 16] f32
 */
export function patternFixed(device: Device, rows: number, k: number, features: number): Pattern {
  integer('k of a pattern', k, 0, features)
  return new Pattern(device.tensor('u32', rows, k), rows, features)
}

/** Room for `capacity` positions over `rows` rows of any length. */
export function patternRagged(device: Device, rows: number, capacity: number, features: number): Pattern {
  integer('capacity of a pattern', capacity)
  const starts = device.tensor('u64', 1, rows + 1)
  return new Pattern(device.tensor('u32', 1, capacity), rows, features, starts)
}
