// Every op once, at the shape at which training or the demo's model calls it, beside PyTorch's counterpart where there is a
// fair one: the same work into memory that exists already. matmul and sparse_encode have pages of their own.
import {
  adamStep, attend, axpy, cast, embedRows, featureMajor, fill, fillRandom, gatherRows, norm, reconLoss, reduceRows, rowMoments, screenBytes, screenRows,
  sparseDecode, sparseSample, sparseScatter, tokenLoss, unitRows,
} from '../lib/tensor/ops.ts'
import { adamScalars } from '../lib/optim/adam.ts'
import type { Stock } from './data.ts'
import { layer } from './layer.ts'
import { op } from './op.ts'
import type { Case } from './row.ts'
import { CODERS, type Coder } from './shapes.ts'

const adam = adamScalars(2e-4, 100)

// A verb moves N·K rows; its floor counts each row of the weight once, for the others come from a cache.
function verbs(shape: Coder): Case[] {
  const { N, D, F, K } = shape, operations = 2 * N * K * D, dense = 4 * N * D, weights = 4 * F * D
  const scatter = (stock: Stock) => {
    const { pattern, z } = stock.codes(N, K, F)
    return { terms: [{ ...stock.byFeature(pattern), plane: z, dense: stock.normal(N, D) }], weight: stock.normal(F, D), m: stock.zeros(F, D), v: stock.zeros(F, D) }
  }
  return [
    op('sparse_decode', { ...shape }, stock => {
      const { pattern: codes, z } = stock.codes(N, K, F), weight = stock.normal(F, D), out = stock.room(N, D)
      return { call: () => sparseDecode({ codes, z, weight, out }), work: { operations, bytes: weights + dense }, peer: 'sparse_decode' }
    }),
    op('sparse_sample', { ...shape }, stock => {
      const { pattern: codes, z: gate } = stock.codes(N, K, F), weight = stock.normal(F, D), g = stock.normal(N, D), out = stock.room(N, K)
      return { call: () => sparseSample({ codes, g, weight, gate, out }), work: { operations, bytes: weights + dense }, peer: 'sparse_sample' }
    }),
    op('feature_major', { ...shape }, stock => {
      const { pattern: codes, z } = stock.codes(N, K, F), term = stock.byFeature(codes), fired = stock.room(1, F, 'u32')
      return { call: () => featureMajor({ codes, z, ...term, fired }), work: { bytes: 16 * N * K + 12 * F }, peer: 'feature_major' }
    }),
    op('sparse_scatter gradient', { ...shape }, stock => {
      const { terms } = scatter(stock), gradient = stock.room(F, D)
      return { call: () => sparseScatter({ mode: 'gradient', terms, gradient }), work: { operations, bytes: weights + dense }, peer: 'sparse_scatter' }
    }),
    op('sparse_scatter adam', { ...shape }, stock => {
      const { terms, weight, m, v } = scatter(stock)
      return { call: () => sparseScatter({ mode: 'adam', terms, weight, m, v, adam }), work: { operations, bytes: 6 * weights + dense }, peer: 'sparse_scatter_adam' }
    }),
    op('sparse_scatter adam, int8 copy', { ...shape }, stock => {
      const bytes = screenBytes(stock.device, 'int8', F, D)
      if (bytes === 0) return undefined
      const { terms, weight, m, v } = scatter(stock), shadow = stock.room(1, bytes, 'i8')
      return { call: () => sparseScatter({ mode: 'adam', terms, weight, m, v, adam, screen: 'int8', shadow }), work: { operations, bytes: 6 * weights + dense + bytes } }
    }),
    ...(['bf16', 'int8'] as const).map(screen => op(`screen_rows ${screen}`, { ...shape }, stock => {
      const bytes = screenBytes(stock.device, screen, F, D)
      if (bytes === 0) return undefined
      const weight = stock.normal(F, D), shadow = stock.room(1, bytes, 'i8')
      return { call: () => screenRows({ weight, screen, shadow }), work: { bytes: weights + bytes } }
    })),
  ]
}

const BATCH = { N: 1024, D: 768 }, WEIGHT = { R: 24576, C: 768 }, TOKENS = { T: 256, B: 8, H: 6, width: 32, V: 4096 }
const rows = TOKENS.T * TOKENS.B, width = TOKENS.H * TOKENS.width
const batch = 4 * BATCH.N * BATCH.D, weight = 4 * WEIGHT.R * WEIGHT.C, stream = 4 * rows * width

const training: readonly Case[] = [
  op('recon_loss', BATCH, stock => {
    const y = stock.normal(BATCH.N, BATCH.D), yHat = stock.normal(BATCH.N, BATCH.D), dy = stock.room(BATCH.N, BATCH.D), stats = stock.room(1, 8)
    return { call: () => reconLoss({ y, yHat, loss: 'fvu', dy, stats }), work: { bytes: 3 * batch }, peer: 'recon_loss' }
  }),
  op('adam_step', WEIGHT, stock => {
    const { R, C } = WEIGHT, w = stock.normal(R, C), m = stock.zeros(R, C), v = stock.zeros(R, C), gradient = stock.normal(R, C)
    return { call: () => adamStep({ weight: w, m, v, gradient, ...adam }), work: { bytes: 7 * weight }, peer: 'adam_step' }
  }),
  op('unit_rows', WEIGHT, stock => {
    const w = stock.normal(WEIGHT.R, WEIGHT.C), norms = stock.room(1, WEIGHT.R)
    return { call: () => unitRows({ weight: w, norms }), work: { bytes: weight }, peer: 'unit_rows' }
  }),
  op('fill_random uniform', WEIGHT, stock => {
    const out = stock.room(WEIGHT.R, WEIGHT.C)
    return { call: () => fillRandom({ out, distribution: 'uniform', seed: 1, low: -1, high: 1 }), work: { bytes: weight }, peer: 'fill_random' }
  }),
  op('fill', WEIGHT, stock => {
    const out = stock.room(WEIGHT.R, WEIGHT.C)
    return { call: () => fill({ out, value: 1 }), work: { bytes: weight }, peer: 'fill' }
  }),
  op('gather_rows', { R: 16384, M: 4096, C: 192 }, stock => {
    const source = stock.normal(16384, 192), out = stock.room(4096, 192), index = stock.ids(Array.from({ length: 4096 }, (_, i) => i * 40503 % 16384))
    return { call: () => gatherRows({ source, index, out }), work: { bytes: 2 * 4 * 4096 * 192 }, peer: 'gather_rows' }
  }),
  op('cast to bf16', WEIGHT, stock => {
    const source = stock.normal(WEIGHT.R, WEIGHT.C), out = stock.room(WEIGHT.R, WEIGHT.C, 'bf16')
    return { call: () => cast({ source, out }), work: { bytes: 1.5 * weight }, peer: 'cast' }
  }),
  op('row_moments', BATCH, stock => {
    const a = stock.normal(BATCH.N, BATCH.D), b = stock.normal(BATCH.N, BATCH.D), out = stock.room(BATCH.N, 4)
    return { call: () => rowMoments({ a, b, out }), work: { bytes: 2 * batch } }
  }),
  op('axpy', BATCH, stock => {
    const x = stock.normal(BATCH.N, BATCH.D), y = stock.normal(BATCH.N, BATCH.D), out = stock.room(BATCH.N, BATCH.D)
    return { call: () => axpy({ x, beta: -1, y, out }), work: { bytes: 3 * batch }, peer: 'axpy' }
  }),
  op('reduce_rows', BATCH, stock => {
    const x = stock.normal(BATCH.N, BATCH.D), out = stock.room(1, BATCH.D)
    return { call: () => reduceRows({ x, out }), work: { bytes: batch }, peer: 'reduce_rows' }
  }),
]

// A forward pass of the demo's model: 8 sequences of 256 tokens.
const model: readonly Case[] = [
  op('embed_rows', TOKENS, stock => {
    const table = stock.normal(TOKENS.V, width), positions = stock.normal(TOKENS.T, width), out = stock.room(rows, width)
    const ids = stock.ids(Array.from({ length: rows }, (_, i) => i * 40503 % TOKENS.V)), places = stock.ids(Array.from({ length: rows }, (_, i) => i % TOKENS.T))
    return { call: () => embedRows({ ids, table, places, positions, out }), work: { bytes: 2 * stream }, peer: 'embed_rows' }
  }),
  op('norm', TOKENS, stock => {
    const x = stock.normal(rows, width), gain = stock.normal(1, width), bias = stock.normal(1, width), out = stock.room(rows, width)
    return { call: () => norm({ x, gain, bias, epsilon: 1e-5, out }), work: { bytes: 2 * stream }, peer: 'norm' }
  }),
  op('attend', TOKENS, stock => {
    const { T, B, H } = TOKENS, all = stock.normal(rows, 3 * width), [q, k, v] = [0, 1, 2].map(i => all.view(0, rows, i * width, (i + 1) * width))
    const starts = stock.ids(Array.from({ length: B + 1 }, (_, b) => b * T)), out = stock.room(rows, width)
    const operations = 2 * B * T * (T + 1) * width         // half of the scores are masked: q·k and p·v over T(T + 1)/2 pairs
    return { call: () => attend({ q: q!, k: k!, v: v!, starts, heads: H, scale: TOKENS.width ** -0.5, out }), work: { operations, bytes: 4 * stream }, peer: 'attend' }
  }),
  op('token_loss', TOKENS, stock => {
    const logits = stock.normal(rows, TOKENS.V), targets = stock.ids(Array.from({ length: rows }, (_, i) => i % TOKENS.V)), loss = stock.room(1, rows)
    return { call: () => tokenLoss({ logits, targets, loss }), work: { bytes: 4 * rows * TOKENS.V }, peer: 'token_loss' }
  }),
]

export const cases: readonly Case[] = [...CODERS.flatMap(verbs), ...training, ...model, ...layer]
