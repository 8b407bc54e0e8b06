// The linear maps that the parts of a block are once attention patterns and norm denominators are kept, each with its transpose.
// Rows are B passes over the same T positions, [B · T, columns].
import { attendFrozen, attendPattern } from '../tensor/attention.ts'
import { matmul } from '../tensor/dense.ts'
import { normFrozen } from '../tensor/norm.ts'
import { cast } from '../tensor/ops.ts'
import type { Device } from '../tensor/device.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { Matrix, ModelConfig, NormWeights } from './architecture.ts'

/** What a forward pass leaves of one layer. A norm that is not there leaves nothing. */
export interface KeptLayer {
  /** f32 [T, H · W], after norm and rotary positions. */ readonly queries: Tensor
  /** f32 [T, keyHeads · W] */ readonly keys: Tensor
  /** f32 [T, 1] */ readonly beforeAttention?: Tensor | undefined
  readonly afterAttention?: Tensor | undefined
  readonly beforeMlp?: Tensor | undefined
  readonly afterMlp?: Tensor | undefined
}

/** One map: from `from` columns to `to` columns. `out` is written; transposed, it is read with `to` columns and writes `from`. */
export interface Step {
  readonly from: number
  readonly to: number
  readonly run: (x: Tensor, out: Tensor, transpose: boolean) => void
}

/** Same columns, same numbers. */
export function identity(columns: number): Step {
  return { from: columns, to: columns, run: (source, out) => cast({ source, out }) }
}

/** A norm with its denominators kept; without `gain` where that is asked. One that is not there changes nothing. */
export function frozenNorm({ norm: kind, width }: ModelConfig, weights: NormWeights | undefined, inverse: Tensor | undefined, withGain = true): Step {
  if (weights === undefined || inverse === undefined) return identity(width)
  const gain = withGain ? weights.gain : undefined
  return { from: width, to: width, run: (x, out, transpose) => normFrozen({ kind, x, gain, inverse, transpose, out }) }
}

/** The gain alone, with `one` a tensor [1, 1] of 1. */
export function gainOf({ width }: ModelConfig, weights: NormWeights | undefined, one: Tensor): Step {
  const gain = weights?.gain
  if (gain === undefined) return identity(width)
  return { from: width, to: width, run: (x, out, transpose) => normFrozen({ kind: 'rms', x, gain, inverse: one, transpose, out }) }
}

/** x · weightᵀ for a weight [to, from]. */
export function product({ weight: b, scales: bScales }: Matrix): Step {
  return { from: b.columns, to: b.rows, run: (a, c, transpose) => matmul({ a, b, bScales, contract: transpose ? 'across' : 'columns', c }) }
}

/** Some rows of a matrix. */
export function rowsOf({ weight, scales }: Matrix, from: number, to: number): Matrix {
  return { weight: weight.view(from, to), scales: scales?.view(0, 1, from, to) }
}

const PATTERN_BYTES = 256 * 2 ** 20   // of patterns at a time; heads share the room in turns where all of them take more

/** Values mixed by the attention of a layer. Patterns are made again from queries and keys: [H, T, T] of all layers would be too much. */
export class Patterns {
  readonly #config: ModelConfig
  readonly #tokens: number
  readonly #groups: number          // key heads at a time
  readonly #room: Tensor            // [heads of a turn · T, T]
  #holds = -1                       // the layer that the room holds, where one turn is enough

  constructor(device: Device, config: ModelConfig, tokens: number) {
    this.#config = config
    this.#tokens = tokens
    const shared = config.heads / config.keyHeads
    this.#groups = Math.max(1, Math.min(config.keyHeads, Math.floor(PATTERN_BYTES / (4 * tokens * tokens * shared))))
    this.#room = device.tensor('f32', this.#groups * shared * tokens, tokens)
  }

  /** From values to what attention makes of them. */
  step(layer: number, kept: KeptLayer): Step {
    const { heads, keyHeads, headWidth } = this.#config
    return { from: keyHeads * headWidth, to: heads * headWidth, run: (x, out, transpose) => this.#mix(layer, kept, x, out, transpose) }
  }

  #mix(layer: number, { queries, keys }: KeptLayer, x: Tensor, out: Tensor, transpose: boolean): void {
    const { heads, keyHeads, headWidth: W, attention } = this.#config, shared = heads / keyHeads, isWhole = this.#groups === keyHeads
    for (let g = 0; g < keyHeads; g += this.#groups) {
      const count = Math.min(this.#groups, keyHeads - g), pattern = this.#room.view(0, count * shared * this.#tokens)
      const some = (t: Tensor, each: number): Tensor => t.view(0, t.rows, g * each * W, (g + count) * each * W)
      const { scale, window, cap } = attention[layer]!, turn = { heads: count * shared, keyHeads: count }
      if (this.#holds !== layer || !isWhole) attendPattern({ ...turn, scale, window, cap, q: some(queries, shared), k: some(keys, 1), out: pattern })
      attendFrozen({ ...turn, pattern, transpose, x: some(x, transpose ? shared : 1), out: some(out, transpose ? 1 : shared) })
    }
    this.#holds = isWhole ? layer : -1
  }

  dispose(): void { this.#room.dispose() }
}
