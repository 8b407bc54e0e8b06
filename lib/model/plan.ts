// What a family makes of a config.json: the sizes of the model, and where its weights stand in a file with given names.
import type { ModelConfig, ModelSource } from './architecture.ts'
import type { Fields } from './fields.ts'

/** The names of the tensors of a file. */
export interface TensorNames { readonly names: readonly string[], has(name: string): boolean }

/** A model that can be loaded. */
export interface ModelPlan {
  readonly config: ModelConfig
  /** Where the weights stand: published files of one family differ in prefixes, and in what they leave out. */
  readonly source: (file: TensorNames) => ModelSource
}

/** Reads the fields of a family. */
export type ReadFamily = (fields: Fields) => ModelPlan
