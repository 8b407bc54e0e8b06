// The dense ops of which models are composed. One function an entry of src/op_table.h.
import { invalid } from '../native/check.ts'
import {
  ANY, ANY_DTYPE, BF16, F32, FLOAT, I8, U32, absent, begin, flag, input, op, optional, optionalOutput, output, real, send, unfit, word,
} from './call.ts'
import type { Tensor } from './tensor.ts'

/** The functions that a product may end in, and a gate may open by. */
export type MatmulActivation = typeof ACTIVATIONS[number]

const CONTRACTIONS = ['columns', 'rows', 'across'] as const
const ACTIVATIONS = ['linear', 'relu', 'geluTanh', 'geluErf', 'silu', 'quickGelu'] as const
const ARITHMETICS = ['exact', 'rounded'] as const

/** Arguments of {@link matmul}. */
export interface Matmul {
  /** f32, bf16 or f16: [M, K], or [K, M] where rows are contracted. */ a: Tensor
  /** f32, bf16, f16 or i8: [N, K], or [K, N] where rows are contracted or "across". */ b: Tensor
  /** f32 [1, rows of b]: the scale of each row of an i8 `b`, which needs it. */ bScales?: Tensor | undefined
  /** f32 [1, N] */ bias?: Tensor | undefined
  /** What is summed over: the columns of both (a · bᵀ), the columns of a and the rows of b (a · b, "across"), or the rows of both (aᵀ · b). Default "columns". */
  contract?: 'columns' | 'rows' | 'across' | undefined
  /** Default "linear". */ activation?: MatmulActivation | undefined
  /** c = cap · tanh(c / cap) after the activation. Default 0: none. */ cap?: number | undefined
  /** "rounded" rounds `a` to bf16 too, for a bf16 `b` with "columns": what a bf16 model computes, at the machine's bf16 rate. Default "exact". */
  arithmetic?: 'exact' | 'rounded' | undefined
  /** Out, f32 [M, N]. */ c: Tensor
  /** Adds what `c` held, after the activation. Default false. */ accumulate?: boolean | undefined
}

const MATMUL = op('matmul', 'a', 'b', 'bScales', 'bias', 'contract', 'activation', 'cap', 'arithmetic', 'c', 'accumulate')

/**
 * The dense product with bias and activation: c = activation(a · bᵀ + bias).
 *
 * @throws TransweldError as `sparseEncode` does.
 * @example
 * import { matmul, openDevice } from 'transweld'
 * using device = openDevice('cpu')
 * using a = device.from(new Float32Array([1, 2]), 1, 2)
 * using b = device.from(new Float32Array([3, 4, 5, 6]), 2, 2)
 * using c = device.tensor('f32', 1, 2)
 * matmul({ a, b, c })
 * console.log(await c.read())   // Float32Array(2) [ 11, 17 ]
 */
export function matmul(args: Matmul): void {
  begin(MATMUL, args)
  const { a, b, bScales, bias, contract = 'columns', activation = 'linear', cap = 0, arithmetic = 'exact', c, accumulate = false } = args
  const way = word('contract', contract, CONTRACTIONS)
  word('activation', activation, ACTIVATIONS)
  flag('accumulate', accumulate)
  const isRounded = word('arithmetic', arithmetic, ARITHMETICS) === 1
  positive('cap', cap)
  if (isRounded && way !== 0) throw invalid('arithmetic of matmul', '"exact" but for contract "columns"', arithmetic)
  input('a', a, FLOAT, ANY, ANY)
  input('b', b, isRounded ? BF16 : way === 1 ? FLOAT : FLOAT | I8, way === 0 ? ANY : way === 1 ? a.rows : a.columns, way === 0 ? a.columns : ANY)
  scales('bScales', bScales, b)
  const columns = way === 0 ? b.rows : b.columns
  optional('bias', bias, F32, 1, columns)
  output('c', c, F32, way === 1 ? a.columns : a.rows, columns)
  send()
}

// The scales of the rows of an i8 matrix, which needs them; nothing else has any.
function scales(argument: string, given: Tensor | undefined, of: Tensor): void {
  if (of.dtype !== 'i8' && given !== undefined) throw unfit(argument, 'no scales but with an i8 matrix', given)
  if (of.dtype === 'i8') input(argument, given, F32, 1, of.rows)
  else absent()
}

// A number of at least 0, of which 0 means none.
function positive(argument: string, value: number): void {
  if (value < 0) throw invalid(`${argument} of matmul`, 'a number of at least 0', value)
  real(argument, value)
}

/** Arguments of {@link gate}. */
export interface Gate {
  /** f32 [N, D] */ a: Tensor
  /** f32 [N, D] */ b: Tensor
  activation: MatmulActivation
  /** Out, f32 [N, D]; may be `a` or `b`. */ out: Tensor
}

const GATE = op('gate', 'a', 'b', 'activation', 'out')

/**
 * out = activation(a) · b, element by element: the gated linear units of Llama (silu) and Gemma (geluTanh).
 *
 * @throws TransweldError as `sparseEncode` does.
 * @example
 * import { gate, openDevice } from 'transweld'
 * using device = openDevice('cpu')
 * using a = device.from(new Float32Array([-1, 2]), 1, 2), b = device.from(new Float32Array([5, 7]), 1, 2)
 * gate({ a, b, activation: 'relu', out: a })
 * console.log(await a.read())   // Float32Array(2) [ 0, 14 ]
 */
export function gate(args: Gate): void {
  begin(GATE, args)
  const { a, b, activation, out } = args
  word('activation', activation, ACTIVATIONS)
  input('a', a, F32, ANY, ANY)
  input('b', b, F32, a.rows, a.columns)
  output('out', out, F32, a.rows, a.columns)
  send()
}

/** Arguments of {@link embedRows}. */
export interface EmbedRows {
  /** u32 [1, N], each below V. */ ids: Tensor
  /** f32, bf16, f16 or i8 [V, D]. */ table: Tensor
  /** f32 [1, V]: the scale of each row of an i8 table, which needs it. */ tableScales?: Tensor | undefined
  /** u32 [1, N]: rows of positions. */ places?: Tensor | undefined
  /** f32, bf16 or f16 [P, D]. */ positions?: Tensor | undefined
  /** Factor of the table's rows: √D in Gemma. Default 1. */ scale?: number | undefined
  /** Out, f32 [N, D]. */ out: Tensor
}

const EMBED_ROWS = op('embed_rows', 'ids', 'table', 'tableScales', 'places', 'positions', 'scale', 'out')

/**
 * out[n] = scale · table[ids[n]] + positions[places[n]]. An id or a place beyond its table is found when `out` is read.
 *
 * @throws TransweldError as `sparseEncode` does.
 * @example
 * import { embedRows, openDevice } from 'transweld'
 * using device = openDevice('cpu')
 * using table = device.from(new Float32Array([1, 2, 3, 4, 5, 6]), 3, 2)
 * using positions = device.from(new Float32Array([10, 10, 20, 20]), 2, 2)
 * using ids = device.from(new Uint32Array([2, 0]), 1, 2), places = device.from(new Uint32Array([0, 1]), 1, 2)
 * using out = device.tensor('f32', 2, 2)
 * embedRows({ ids, table, places, positions, out })
 * console.log(await out.read())   // Float32Array(4) [ 15, 16, 21, 22 ]
 */
export function embedRows(args: EmbedRows): void {
  begin(EMBED_ROWS, args)
  const { ids, table, tableScales, places, positions, scale = 1, out } = args
  real('scale', scale)
  if ((places === undefined) !== (positions === undefined)) throw invalid('places and positions of embedRows', 'both or neither', places ?? positions)
  input('ids', ids, U32, 1, ANY)
  input('table', table, FLOAT | I8, ANY, ANY)
  scales('tableScales', tableScales, table)
  optional('places', places, U32, 1, ids.columns)
  optional('positions', positions, FLOAT, ANY, table.columns)
  output('out', out, F32, ids.columns, table.columns)
  send()
}

/** Arguments of {@link scatterRows}. */
export interface ScatterRows {
  /** [M, D], any dtype. */ source: Tensor
  /** u32 [1, M], each below R. Of one that comes twice the last row stays. */ index: Tensor
  /** In and out, [R, D] of the same dtype: other rows stay. */ out: Tensor
}

const SCATTER_ROWS = op('scatter_rows', 'source', 'index', 'out')

/**
 * out[index[i]] = source[i]: new keys into their places in a cache. An index beyond the rows is found when `out` is read.
 *
 * @throws TransweldError as `sparseEncode` does.
 * @example
 * import { openDevice, scatterRows } from 'transweld'
 * using device = openDevice('cpu')
 * using source = device.from(new Float32Array([1, 2]), 2, 1), index = device.from(new Uint32Array([2, 0]), 1, 2)
 * using out = device.from(new Float32Array(3), 3, 1)
 * scatterRows({ source, index, out })
 * console.log(await out.read())   // Float32Array(3) [ 2, 0, 1 ]
 */
export function scatterRows(args: ScatterRows): void {
  begin(SCATTER_ROWS, args)
  const { source, index, out } = args
  input('source', source, ANY_DTYPE, ANY, ANY)
  input('index', index, U32, 1, source.rows)
  output('out', out, 1 << source.code, ANY, source.columns)
  send()
}

/** Arguments of {@link tokenLoss}. */
export interface TokenLoss {
  /** f32 [N, V] */ logits: Tensor
  /** u32 [1, N], each below V, or 0xFFFFFFFF for none: its loss is 0. */ targets: Tensor
  /** f32 [N, V]: logits that kl compares with. */ reference?: Tensor | undefined
  /** Out, f32 [1, N]: −log p of the target, in nats. */ loss: Tensor
  /** Out, f32 [1, N]: Σ q (log q − log p), q of the reference. */ kl?: Tensor | undefined
}

const TOKEN_LOSS = op('token_loss', 'logits', 'targets', 'reference', 'loss', 'kl')

/**
 * Next-token loss of each row, and the divergence from reference logits; both in nats.
 *
 * @throws TransweldError as `sparseEncode` does; ERR_INVALID_ARGUMENT for `kl` without `reference`.
 * @example
 * import { openDevice, tokenLoss } from 'transweld'
 * using device = openDevice('cpu')
 * using logits = device.from(new Float32Array([0, Math.log(3)]), 1, 2)   // p = 1/4 and 3/4
 * using reference = device.from(new Float32Array([0, 0]), 1, 2), targets = device.from(new Uint32Array([1]), 1, 1)
 * using loss = device.tensor('f32', 1, 1), kl = device.tensor('f32', 1, 1)
 * tokenLoss({ logits, targets, reference, loss, kl })
 * console.log((await loss.read())[0]!.toFixed(4), (await kl.read())[0]!.toFixed(4))   // 0.2877 0.1438
 */
export function tokenLoss(args: TokenLoss): void {
  begin(TOKEN_LOSS, args)
  const { logits, targets, reference, loss, kl } = args
  if (kl !== undefined && reference === undefined) throw invalid('reference of tokenLoss with kl', 'a tensor of logits', reference)
  input('logits', logits, F32, ANY, ANY)
  input('targets', targets, U32, 1, logits.rows)
  optional('reference', reference, F32, logits.rows, logits.columns)
  output('loss', loss, F32, 1, logits.rows)
  optionalOutput('kl', kl, F32, 1, logits.rows)
  send()
}
