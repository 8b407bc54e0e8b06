// The slow truth of every entry of the op table, from op_table.h alone: plain loops in float64 that one can check by eye.
// Each takes a rounding: `exact` is the truth, Math.fround makes the same loops plain float32 (see tolerance.ts).
export * from './reference/arithmetic.ts'
export * from './reference/sparse.ts'
export * from './reference/scatter.ts'
export * from './reference/train.ts'
export * from './reference/random.ts'
export * from './reference/dense.ts'
export * from './reference/norm.ts'
export * from './reference/rows.ts'
export * from './reference/attention.ts'
export * from './reference/storage.ts'
