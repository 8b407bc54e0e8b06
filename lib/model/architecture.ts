// What a decoder-only language model is, as data: sizes and settings from its config.json, where its weights stand in a file,
// and the weights on a device. A family says the first two; loading, running and freezing are written once, for all of them.
import type { MatmulActivation } from '../tensor/dense.ts'
import type { NormKind } from '../tensor/norm.ts'
import type { Tensor } from '../tensor/tensor.ts'

/** The families that can be read. */
export type Family = 'gpt2' | 'neox' | 'llama' | 'mistral' | 'gemma' | 'gemma2' | 'gemma3' | 'qwen2' | 'qwen3' | 'olmo' | 'olmo2'

/** How one layer attends. */
export interface AttentionPlan {
  /** Factor of the scores. */
  readonly scale: number
  /** Keys that a token sees, itself included; 0: all. */
  readonly window: number
  /** Scores become cap · tanh(score / cap); 0: they do not. */
  readonly cap: number
  /** Which of {@link ModelConfig.rotaries} turns queries and keys; undefined: none. */
  readonly rotary: number | undefined
}

/** Rotary positions: columns j and j + R of a head turn by place · frequency[j]. */
export interface Rotary {
  /** Columns of a head that turn, 2 · R. */
  readonly columns: number
  /** Multiplies cosines and sines: YaRN's; 1 elsewhere. */
  readonly factor: number
  /** R frequencies in radians a place, f32, for a sequence of `length` tokens in all. */
  readonly frequencies: (length: number) => Float32Array
  /** Up to this many tokens the frequencies do not depend on the length; Infinity but for "dynamic" scaling. */
  readonly fixedUpTo: number
}

/** The sizes and settings of a model, the same for every family. */
export interface ModelConfig {
  readonly family: Family
  readonly layers: number
  /** Width of the residual stream, D. */
  readonly width: number
  /** Query heads, H. */
  readonly heads: number
  /** Key and value heads: H, or fewer that groups of query heads share. */
  readonly keyHeads: number
  /** Columns of a head. */
  readonly headWidth: number
  /** Width of an MLP's hidden layer. */
  readonly hidden: number
  /** Longest sequence, in tokens. */
  readonly context: number
  readonly vocabulary: number
  readonly norm: NormKind
  readonly normEpsilon: number
  readonly activation: MatmulActivation
  /** hidden = activation(gate) · up in place of activation(up). */
  readonly gated: boolean
  /** The MLP reads the stream before attention, and both are added at once (GPT-NeoX). */
  readonly parallel: boolean
  /** Factor of the token embeddings: √D in Gemma, else 1. */
  readonly embeddingScale: number
  /** Logits become cap · tanh(logit / cap); 0: they do not. */
  readonly logitCap: number
  /** One a layer. */
  readonly attention: readonly AttentionPlan[]
  /** None for learned positions. */
  readonly rotaries: readonly Rotary[]
  /** Whether the unembedding is the token embedding. */
  readonly tied: boolean
}

// ---- where weights stand in a file ----------------------------------------------------------------------------------

/** Some rows of a tensor of a file, f32, bf16 or f16. */
export interface Part {
  readonly name: string
  /** Its whole shape in the file, as config.json says. */
  readonly shape: readonly number[]
  /** The rows that are taken (of the file's tensor, before it is turned); default: all. */
  readonly rows?: readonly [from: number, to: number]
  /** The file has [in, out] (GPT-2). */
  readonly turned?: boolean
}

/** A matrix [out, in]: parts below each other. */
export type MatrixSource = readonly Part[]
/** A vector [1, W]: parts one after another; with `plusOne`, 1 is added to each element (Gemma's norms). */
export interface VectorSource { readonly parts: readonly Part[], readonly plusOne?: boolean }
export interface NormSource { readonly gain?: VectorSource, readonly bias?: VectorSource }
export interface LinearSource { readonly weight: MatrixSource, readonly bias?: VectorSource }

/** Where the weights of one layer stand. What a family does not have is absent. */
export interface BlockSource {
  readonly beforeAttention?: NormSource
  /** Rows: H · W of queries, then keyHeads · W of keys, then as many of values. */
  readonly qkv: LinearSource
  /** Norms of queries and keys, of each head where the gain has headWidth elements, of the whole row else. */
  readonly queries?: NormSource
  readonly keys?: NormSource
  readonly mixed: LinearSource
  readonly afterAttention?: NormSource
  readonly beforeMlp?: NormSource
  /** Rows: `hidden` of the gate where the MLP is gated, then `hidden` of the plain ones. */
  readonly into: LinearSource
  readonly out: LinearSource
  readonly afterMlp?: NormSource
}

/** Where the weights of a model stand. */
export interface ModelSource {
  readonly tokens: MatrixSource
  readonly positions?: MatrixSource
  readonly blocks: readonly BlockSource[]
  readonly last: NormSource
  /** Absent where it is the token embedding. */
  readonly unembedding?: MatrixSource
  /** Names of tensors of the file that no forward pass over text reads: masks, frequencies, eyes. Any other that is left over is an error. */
  readonly ignored: readonly RegExp[]
}

// ---- weights on a device ----------------------------------------------------------------------------------------------

/** A matrix [out, in], f32, bf16, f16, or i8 with a scale for each row. */
export interface Matrix { readonly weight: Tensor, readonly scales?: Tensor | undefined }
/** Gain and bias of a norm, f32 [1, W]; either may be absent. */
export interface NormWeights { readonly gain?: Tensor | undefined, readonly bias?: Tensor | undefined }
/** A matrix with its bias, f32 [1, out]. */
export interface Linear extends Matrix { readonly bias?: Tensor | undefined }

/** The weights of one layer: see {@link BlockSource}. A norm that is undefined is not there; one without gain and bias still norms. */
export interface Block {
  readonly beforeAttention?: NormWeights | undefined
  readonly qkv: Linear
  readonly queries?: NormWeights | undefined
  readonly keys?: NormWeights | undefined
  readonly mixed: Linear
  readonly afterAttention?: NormWeights | undefined
  readonly beforeMlp?: NormWeights | undefined
  readonly into: Linear
  readonly out: Linear
  readonly afterMlp?: NormWeights | undefined
}

/** The weights of a model on a device. */
export interface Weights {
  readonly tokens: Matrix                     // [V, D]
  readonly positions?: Tensor | undefined     // [context, D]
  readonly blocks: readonly Block[]
  readonly last: NormWeights
  readonly unembedding: Matrix                // [V, D]: `tokens` itself where tied
}
