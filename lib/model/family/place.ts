// Where tensors stand in a file: the small sources that those of the families are put together of.
import type { LinearSource, MatrixSource, ModelSource, NormSource, VectorSource } from '../architecture.ts'
import type { TensorNames } from '../plan.ts'

/** A whole matrix [rows, columns] of the file. */
export function matrixAt(name: string, rows: number, columns: number): MatrixSource { return [{ name, shape: [rows, columns] }] }

/** A whole vector. */
export function vectorAt(name: string, width: number): VectorSource { return { parts: [{ name, shape: [width] }] } }

/** `name.weight` [rows, columns] and, if there is one, `name.bias`. */
export function linearAt(name: string, rows: number, columns: number, hasBias = true): LinearSource {
  return { weight: matrixAt(`${name}.weight`, rows, columns), ...(hasBias && { bias: vectorAt(`${name}.bias`, rows) }) }
}

/** Several such below each other. */
export function stacked(layers: readonly LinearSource[]): LinearSource {
  const biases = layers.flatMap(({ bias }) => bias?.parts ?? [])
  return { weight: layers.flatMap(({ weight }) => weight), ...(biases.length > 0 && { bias: { parts: biases } }) }
}

/** A layer norm: `name.weight` and `name.bias`. */
export function layerNormAt(name: string, width: number): NormSource {
  return { gain: vectorAt(`${name}.weight`, width), bias: vectorAt(`${name}.bias`, width) }
}

/**
 * Token embedding and unembedding, [vocabulary, width]; `heads` are the names that the second may have. Of a tied pair a file has one or,
 * against its config, both: then both count, as in transformers.
 */
export function embeddingsAt(
  names: TensorNames, tied: boolean, tokens: string, heads: readonly [string, ...string[]], vocabulary: number, width: number,
): Pick<ModelSource, 'tokens' | 'unembedding'> {
  const head = heads.find(name => names.has(name)), at = (name: string): MatrixSource => matrixAt(name, vocabulary, width)
  if (tied && head !== undefined && !names.has(tokens)) return { tokens: at(head) }
  return tied && head === undefined ? { tokens: at(tokens) } : { tokens: at(tokens), unembedding: at(head ?? heads[0]) }
}
