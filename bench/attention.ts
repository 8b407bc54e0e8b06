// Attention at the shapes of language models beside PyTorch's: a prompt, one new token on a cache of keys, and the pattern that is
// kept for attribution, as a linear map of a batch of passes and its transpose.
import { attend, attendFrozen, attendPattern } from '../lib/tensor/ops.ts'
import { op } from './op.ts'
import type { Case } from './row.ts'
import { FROZEN, HEADS } from './shapes.ts'

/** T keys, the last Q of them with queries. In a prompt q, k and v are columns of one product. */
function attention({ H, G, W }: typeof HEADS[number], Q: number, T: number): Case {
  const prompt = Q === T
  return op(prompt ? 'attend prompt' : 'attend on a cache', { H, G, W, Q, T }, stock => {
    const product = stock.normal(Q, (H + 2 * G) * W), q = product.view(0, Q, 0, H * W), out = stock.room(Q, H * W)
    const [k, v] = [H, H + G].map(head => prompt ? product.view(0, Q, head * W, (head + G) * W) : stock.normal(T, G * W))
    const cache = prompt ? {} : { keyStarts: stock.ids([0]), keyCounts: stock.ids([T]) }, starts = stock.ids([0, Q])
    const pairs = Q * T - Q * (Q - 1) / 2
    return {
      call: () => attend({ heads: H, keyHeads: G, scale: W ** -0.5, q, k: k!, v: v!, starts, ...cache, out }),
      work: { operations: 4 * pairs * H * W, bytes: 8 * (Q * H + T * G) * W }, peer: 'attention',
    }
  })
}

const pattern = ({ H, G, W }: typeof HEADS[number], T: number): Case => op('attend_pattern', { H, G, W, T }, stock => {
  const q = stock.normal(T, H * W), k = stock.normal(T, G * W), out = stock.room(H * T, T)
  return {
    call: () => attendPattern({ heads: H, keyHeads: G, scale: W ** -0.5, q, k, out }),
    work: { operations: T * (T + 1) * H * W, bytes: 4 * (T * (H + G) * W + H * T * T) }, peer: 'attention_pattern',
  }
})

const frozen = ({ H, G, W, T, B }: typeof FROZEN[number], transpose: boolean): Case => {
  const shape = { H, G, W, T, B }, [from, to] = transpose ? [H, G] : [G, H]
  return op(`attend_frozen ${transpose ? 'transposed' : 'map'}`, shape, stock => {
    const kept = stock.normal(H * T, T), x = stock.normal(B * T, from * W), out = stock.room(B * T, to * W)
    return {
      call: () => attendFrozen({ heads: H, keyHeads: G, pattern: kept, x, transpose, out }),
      work: { operations: B * T * (T + 1) * H * W, bytes: 4 * (H * T * T / 2 + B * T * (H + G) * W) },
      peer: transpose ? 'attention_transposed' : 'attention_map',
    }
  })
}

export const cases: readonly Case[] = [
  ...HEADS.flatMap(heads => [512, 2048].map(T => attention(heads, T, T))),
  ...HEADS.flatMap(heads => [512, 4096].map(T => attention(heads, 1, T))),
  ...HEADS.slice(0, 1).map(heads => pattern(heads, 512)),
  ...FROZEN.flatMap(shape => [frozen(shape, false), frozen(shape, true)]),
]
