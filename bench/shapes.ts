// The shapes that are measured, in one place. N rows, D width, F features, K codes a row; M, K, N of a product [M, K]·[N, K]ᵀ.

/** A training step or one of its verbs. */
export interface Coder { readonly N: number, readonly D: number, readonly F: number, readonly K: number }

/** A layer of a small public model (D 768, 32 features a dimension), and a smaller one with larger batches. */
export const CODERS: readonly Coder[] = [{ N: 1024, D: 768, F: 24576, K: 32 }, { N: 2048, D: 256, F: 8192, K: 32 }]

/** A layer of the demo. */
export const DEMO: Coder = { N: 4096, D: 192, F: 2048, K: 16 }

/** A dense product. */
export interface Dense { readonly M: number, readonly K: number, readonly N: number }

/** The encoders' products. */
export const PRODUCTS: readonly Dense[] = [{ M: 1024, K: 768, N: 24576 }, { M: 2048, K: 256, N: 8192 }]

/** The demo's products: its encoder, then attention's input, MLP up, MLP down, logits, and the skip. */
export const DEMO_PRODUCTS: readonly Dense[] = [
  { M: 4096, K: 192, N: 2048 }, { M: 2048, K: 192, N: 576 }, { M: 2048, K: 192, N: 768 }, { M: 2048, K: 768, N: 192 },
  { M: 2048, K: 192, N: 4096 }, { M: 4096, K: 192, N: 192 },
]

/** MLPs of models of width 768, 1024 and 2048 for one token and for 512, and the logits of GPT-2 small for one. */
export const MODEL_PRODUCTS: readonly Dense[] = [
  { M: 1, K: 768, N: 3072 }, { M: 1, K: 2048, N: 8192 }, { M: 1, K: 768, N: 50257 }, { M: 8, K: 2048, N: 8192 },
  { M: 512, K: 768, N: 3072 }, { M: 512, K: 1024, N: 4096 }, { M: 512, K: 2048, N: 8192 },
]

/** Attention of GPT-2 small, Llama 3.2 1B and Gemma 2 2B: H heads, G key heads, W columns a head. */
export const HEADS = [{ H: 12, G: 12, W: 64 }, { H: 32, G: 8, W: 64 }, { H: 8, G: 4, W: 256 }] as const

/** Kept patterns of T positions and a batch of B passes: short and long prompts, and shared key heads. */
export const FROZEN = [
  { H: 12, G: 12, W: 64, T: 10, B: 512 }, { H: 12, G: 12, W: 64, T: 64, B: 128 }, { H: 12, G: 12, W: 64, T: 256, B: 64 },
  { H: 12, G: 12, W: 64, T: 1000, B: 8 }, { H: 8, G: 4, W: 256, T: 256, B: 32 },
] as const

/** "N 1024, D 768, F 24576, K 32" */
export function words(shape: object): string {
  return Object.entries(shape).map(([letter, size]) => `${letter} ${size}`).join(', ')
}
