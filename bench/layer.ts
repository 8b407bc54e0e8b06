// What stands between the products of a decoder's layer: Llama 3.2 1B, 512 tokens of a prompt, then one new token.
import { embedRows, gate, norm, normFrozen, rope, scatterRows } from '../lib/tensor/ops.ts'
import type { Tensor } from '../lib/tensor/tensor.ts'
import { op } from './op.ts'
import type { Case } from './row.ts'

const D = 2048, HEADS = 32, KEY_HEADS = 8, WIDTH = 64, HIDDEN = 8192, V = 16384, PLACES = 4096, PASSES = 4

/** Rows 0, 1, 2, ... of a table. */
const ascending = (rows: number): number[] => Array.from({ length: rows }, (_, i) => i)

function at(N: number): Case[] {
  const stream = 4 * N * D
  return [
    op('embed_rows of i8', { N, D, V }, stock => {
      const table = stock.room(V, D, 'i8'), tableScales = stock.normal(1, V), ids = stock.ids(ascending(N).map(i => i * 40503 % V)), out = stock.room(N, D)
      return { call: () => embedRows({ ids, table, tableScales, scale: 2, out }), work: { bytes: 1.25 * stream } }
    }),
    op('norm, rms', { N, D }, stock => {
      const x = stock.normal(N, D), gain = stock.normal(1, D), out = stock.room(N, D)
      return { call: () => norm({ kind: 'rms', x, gain, epsilon: 1e-5, out }), work: { bytes: 2 * stream }, peer: 'rms_norm' }
    }),
    op('norm, rms of heads', { N, HEADS, WIDTH }, stock => {
      const x = stock.normal(N, D), gain = stock.normal(1, WIDTH), out = stock.room(N, D)
      return { call: () => norm({ kind: 'rms', groups: HEADS, x, gain, epsilon: 1e-5, out }), work: { bytes: 2 * stream }, peer: 'rms_norm_heads' }
    }),
    op('rope', { N, HEADS, WIDTH }, stock => {
      const product: Tensor = stock.normal(N, (HEADS + 2 * KEY_HEADS) * WIDTH), angles = stock.normal(PLACES, WIDTH), places = stock.ids(ascending(N))
      return { call: () => rope({ x: product.view(0, N, 0, D), heads: HEADS, places, angles }), work: { bytes: 2 * stream }, peer: 'rope' }
    }),
    op('gate, silu', { N, HIDDEN }, stock => {
      const both = stock.normal(N, 2 * HIDDEN), a = both.view(0, N, 0, HIDDEN), b = both.view(0, N, HIDDEN, 2 * HIDDEN), out = stock.room(N, HIDDEN)
      return { call: () => gate({ a, b, activation: 'silu', out }), work: { bytes: 12 * N * HIDDEN }, peer: 'gate' }
    }),
    op('scatter_rows', { N, C: KEY_HEADS * WIDTH, R: PLACES }, stock => {
      const source = stock.normal(N, KEY_HEADS * WIDTH), index = stock.ids(ascending(N)), out = stock.room(PLACES, KEY_HEADS * WIDTH)
      return { call: () => scatterRows({ source, index, out }), work: { bytes: 8 * N * KEY_HEADS * WIDTH }, peer: 'scatter_rows' }
    }),
  ]
}

// Attribution sends many passes through norms that were frozen on one prompt.
const frozen = op('norm_frozen', { R: PASSES * 512, P: 512, D }, stock => {
  const rows = PASSES * 512, x = stock.normal(rows, D), gain = stock.normal(1, D), inverse = stock.normal(512, 1), out = stock.room(rows, D)
  return { call: () => normFrozen({ kind: 'layer', transpose: true, x, gain, inverse, out }), work: { bytes: 8 * rows * D } }
})

export const layer: readonly Case[] = [...at(512), ...at(1), frozen]
