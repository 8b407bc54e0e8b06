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
 * A pattern owns its tensors: dispose of it, or declare it with `using`.
 *
 * @example
 * import { openDevice, Pattern } from 'transweld'
 * using device = openDevice('cpu')
 * using codes = new Pattern(device.from(new Uint32Array([4, 17, 4, 99]), 2, 2), 2, 100)   // features 4 and 17, 4 and 99
 * console.log(codes.k, codes.capacity)   // 2 4
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

  /**
   * Tensors of the shapes above, which become the pattern's; usually made by {@link patternFixed} or {@link patternRagged}.
   * @throws TransweldError ERR_INVALID_ARGUMENT for rows or features that are no integers of at least 0.
   */
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

  /** A plane, not set yet: f32 of index's shape, owned by the caller. */
  plane(): Tensor<'f32'> {
    return this.index.device.tensor('f32', this.index.rows, this.index.columns)
  }

  /** Frees `index` and `starts`; planes are their makers' to free. */
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
 * Room for K positions in each of `rows` rows, not set yet: `index` u32 [rows, K].
 *
 * @throws TransweldError ERR_INVALID_ARGUMENT for k above `features`; ERR_OUT_OF_MEMORY, ERR_DISPOSED.
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

/**
 * Room for `capacity` positions over `rows` rows of any length, not set yet: `starts` u64 [1, rows + 1], `index` u32 [1, capacity].
 *
 * @throws TransweldError ERR_INVALID_ARGUMENT for a capacity that is no integer of at least 0; ERR_OUT_OF_MEMORY, ERR_DISPOSED.
 * @example
 * import { openDevice, patternRagged, sparseEncode } from 'transweld'
 * using device = openDevice('cpu')
 * using x = device.from(new Float32Array([1, -1, 1, 2]), 2, 2)
 * using weight = device.from(new Float32Array([1, 0, 0, 1, 1, 1]), 3, 2)
 * using codes = patternRagged(device, 2, 4, 3), z = codes.plane(), counts = device.tensor('u64', 1, 4)
 * sparseEncode({ x, weight, rule: 'positive', codes, z, counts })
 * console.log(await codes.starts!.read())   // BigUint64Array(3) [ 0n, 1n, 4n ]
 * console.log(await codes.index.read())     // Uint32Array(4) [ 0, 0, 1, 2 ]
 */
export function patternRagged(device: Device, rows: number, capacity: number, features: number): Pattern {
  integer('capacity of a pattern', capacity)
  const starts = device.tensor('u64', 1, rows + 1)
  return new Pattern(device.tensor('u32', 1, capacity), rows, features, starts)
}
