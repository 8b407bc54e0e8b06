// matmul beside PyTorch's product into an output that exists already. Weights of bf16, f16 and i8 are stored so and computed in
// f32 here; PyTorch has no such product, its counterpart rounds both sides and the result, as ours does where it is "rounded". An i8
// weight stands beside PyTorch's bf16.
import { matmul } from '../lib/tensor/ops.ts'
import type { Tensor } from '../lib/tensor/tensor.ts'
import { ours, race } from './clock.ts'
import { Stock } from './data.ts'
import type { Case } from './row.ts'
import { type Dense, DEMO_PRODUCTS, MODEL_PRODUCTS, PRODUCTS, words } from './shapes.ts'

const ELEMENT = { f32: 4, bf16: 2, f16: 2, i8: 1 } as const
const MODEL_WEIGHTS = [['f32', 'exact'], ['bf16', 'exact'], ['bf16', 'rounded'], ['f16', 'exact'], ['i8', 'exact']] as const

function product(shape: Dense, dtype: keyof typeof ELEMENT, arithmetic: 'exact' | 'rounded' = 'exact'): Case {
  return {
    name: `matmul ${dtype}${arithmetic === 'rounded' ? ', rounded' : ''}`, shape: words(shape),
    async measure({ device, peers, limits }) {
      const { M, K, N } = shape, operations = 2 * M * K * N, theirDtype = dtype === 'i8' ? 'bf16' : dtype
      using stock = new Stock(device)
      const a = stock.normal(M, K), c = stock.room(M, N)
      const weight: { b: Tensor, bScales?: Tensor } = dtype === 'i8'
        ? { b: stock.integers(N, K), bScales: stock.normal(1, N) }
        : { b: stock.normalOf(dtype, N, K) }
      const peer = await peers?.make('product', { ...shape, dtype: theirDtype })
      const call = (): void => matmul({ a, ...weight, arithmetic, c })
      const [milliseconds, theirs] = await race([await ours(device, call), ...(peer ? [peer.run] : [])])
      limits.saw(arithmetic === 'rounded' ? 'bf16' : 'f32', operations, milliseconds!)
      if (peer && theirDtype !== 'f16') limits.saw(theirDtype, operations, theirs!)
      return {
        milliseconds: milliseconds!, peers: peer ? [{ name: peer.name, milliseconds: theirs! }] : [],
        work: { operations, dtype: arithmetic === 'rounded' ? 'bf16' : 'f32', bytes: 4 * M * K + ELEMENT[dtype] * N * K + 4 * M * N },
        figures: { gigaflopsPerSecond: operations / milliseconds! / 1e6 },
      }
    },
  }
}

// Contraction over rows: the gradient of a skip, [4096, 192]ᵀ·[4096, 192].
const byRows: Case = {
  name: 'matmul f32, by rows', shape: 'M 192, K 4096, N 192',
  async measure({ device, peers }) {
    const shape = { M: 192, K: 4096, N: 192 }, { M, K, N } = shape
    using stock = new Stock(device)
    const a = stock.normal(K, M), b = stock.normal(K, N), c = stock.room(M, N)
    const peer = await peers?.make('product', { ...shape, dtype: 'f32', contract: 'rows' })
    const [milliseconds, theirs] = await race([await ours(device, () => matmul({ a, b, c, contract: 'rows' })), ...(peer ? [peer.run] : [])])
    return {
      milliseconds: milliseconds!, peers: peer ? [{ name: peer.name, milliseconds: theirs! }] : [],
      work: { operations: 2 * M * K * N, dtype: 'f32', bytes: 4 * (M * K + N * K + M * N) },
    }
  },
}

// What the chip's matrix units give in int8, as far as PyTorch reaches it: a rate for floors, nothing of ours to compare.
function int8(shape: Dense): Case {
  return {
    name: 'int8 rate', shape: words(shape),
    async measure({ peers, limits }) {
      const peer = await peers?.make('product', { ...shape, dtype: 'int8' })
      if (!peer) return { milliseconds: null }
      const [milliseconds] = await race([peer.run])
      limits.saw('int8', 2 * shape.M * shape.K * shape.N, milliseconds!)
      return { milliseconds: null, peers: [{ name: peer.name, milliseconds: milliseconds! }] }
    },
  }
}

export const cases: readonly Case[] = [
  ...PRODUCTS.flatMap(shape => (['f32', 'bf16', 'f16'] as const).map(dtype => product(shape, dtype))), ...PRODUCTS.map(int8),
  ...MODEL_PRODUCTS.flatMap(shape => MODEL_WEIGHTS.map(([dtype, arithmetic]) => product(shape, dtype, arithmetic))),
  ...DEMO_PRODUCTS.map(shape => product(shape, 'f32')), byRows,
]
