// The activations of a transcoder: which features a row keeps, and what is paid for them.
import { closed, finite, integer, invalid } from '../native/check.ts'

/** The `k` largest pre-activations of a row; z = max(p, 0), or p itself where `signed` (as some libraries keep it). */
export interface TopK { readonly kind: 'topk', readonly k: number, readonly signed: boolean }

/** All positive pre-activations. `l1` is the weight of the decoder-norm-weighted L1 penalty (l1/N)·Σ z‖d_f‖ in training. */
export interface Relu { readonly kind: 'relu', readonly l1: number }

/** How a transcoder turns pre-activations into codes. */
export type Activation = TopK | Relu

/**
 * TopK (Gao et al., 2406.04093). Negative survivors become 0, as in that paper; `signed: true` keeps them.
 * @throws ERR_INVALID_ARGUMENT for k < 1; ERR_UNKNOWN_OPTION
 * @example
 * import { topK } from 'transweld'
 * console.log(topK(16)) // { kind: 'topk', k: 16, signed: false }
 */
export function topK(k: number, options: { readonly signed?: boolean } = {}): TopK {
  closed('topK', options, ['signed'])
  return { kind: 'topk', k: integer('k', k, 1), signed: options.signed ?? false }
}

/**
 * ReLU, trained with L1. Default 5e-3: a start to tune from, for it depends on the scale of the activations.
 * @throws ERR_INVALID_ARGUMENT for a negative l1; ERR_UNKNOWN_OPTION
 * @example
 * import { relu } from 'transweld'
 * console.log(relu({ l1: 1e-2 })) // { kind: 'relu', l1: 0.01 }
 */
export function relu(options: { readonly l1?: number } = {}): Relu {
  closed('relu', options, ['l1'])
  return { kind: 'relu', l1: finite('l1', options.l1 ?? 5e-3, 0) }
}

/**
 * Reads `topk:16` or `relu:l1=5e-3` (or `relu`, with the default of {@link relu}).
 *
 * @throws TransweldError ERR_INVALID_ARGUMENT for other words.
 * @example
 * import { parseActivation } from 'transweld'
 * console.log(parseActivation('topk:16'))   // { kind: 'topk', k: 16, signed: false }
 * console.log(parseActivation('relu'))      // { kind: 'relu', l1: 0.005 }
 */
export function parseActivation(words: string): Activation {
  const top = /^topk:(\d+)$/.exec(words)
  if (top) return topK(Number(top[1]))
  const l1 = /^relu(?::l1=(.+))?$/.exec(words)
  if (l1?.[1] !== undefined && Number.isNaN(Number(l1[1]))) throw invalid('l1 of relu', 'a number such as 5e-3', l1[1])
  if (l1) return relu(l1[1] === undefined ? {} : { l1: Number(l1[1]) })
  throw invalid('activation', 'topk:K or relu:l1=WEIGHT', words)
}

/**
 * The inverse of {@link parseActivation}; `signed` has no word and is left out.
 *
 * @example
 * import { formatActivation, relu, topK } from 'transweld'
 * console.log(formatActivation(topK(16)), formatActivation(relu({ l1: 0.01 })))   // topk:16 relu:l1=0.01
 */
export function formatActivation(a: Activation): string {
  return a.kind === 'topk' ? `topk:${a.k}` : `relu:l1=${a.l1}`
}
