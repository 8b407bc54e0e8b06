// The dense ops of which models are composed. One function an entry of src/op_table.h.
import { integer, invalid } from '../native/check.ts'
import { ANY, F32, FLOAT, U32, begin, flag, input, number, op, optional, optionalOutput, output, real, send, unfit, word } from './call.ts'
import type { Tensor } from './tensor.ts'

/** The functions that a product may end in. */
export type MatmulActivation = 'linear' | 'relu' | 'geluTanh' | 'geluErf'

const CONTRACTIONS = ['columns', 'rows'] as const
const ACTIVATIONS = ['linear', 'relu', 'geluTanh', 'geluErf'] as const

/** Arguments of {@link matmul}. */
export interface Matmul {
  /** f32, bf16 or f16: [M, K], or [K, M] where rows are contracted. */ a: Tensor
  /** f32, bf16 or f16: [N, K], or [K, N] where rows are contracted. */ b: Tensor
  /** f32 [1, N] */ bias?: Tensor | undefined
  /** What is summed over: the columns of both (a · bᵀ) or the rows of both (aᵀ · b). Default "columns". */ contract?: 'columns' | 'rows' | undefined
  /** Default "linear". */ activation?: MatmulActivation | undefined
  /** Out, f32 [M, N]. */ c: Tensor
  /** Adds what `c` held, after the activation. Default false. */ accumulate?: boolean | undefined
}

const MATMUL = op('matmul', 'a', 'b', 'bias', 'contract', 'activation', 'c', 'accumulate')

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
  const { a, b, bias, contract = 'columns', activation = 'linear', c, accumulate = false } = args
  const byRows = word('contract', contract, CONTRACTIONS) === 1
  word('activation', activation, ACTIVATIONS)
  flag('accumulate', accumulate)
  input('a', a, FLOAT, ANY, ANY)
  input('b', b, FLOAT, byRows ? a.rows : ANY, byRows ? ANY : a.columns)
  const rows = byRows ? a.columns : a.rows, columns = byRows ? b.columns : b.rows
  optional('bias', bias, F32, 1, columns)
  output('c', c, F32, rows, columns)
  send()
}

/** Arguments of {@link embedRows}. */
export interface EmbedRows {
  /** u32 [1, N], each below V. */ ids: Tensor
  /** f32, bf16 or f16 [V, D]. */ table: Tensor
  /** u32 [1, N]: rows of positions. */ places?: Tensor | undefined
  /** f32, bf16 or f16 [P, D]. */ positions?: Tensor | undefined
  /** Out, f32 [N, D]. */ out: Tensor
}

const EMBED_ROWS = op('embed_rows', 'ids', 'table', 'places', 'positions', 'out')

/**
 * out[n] = table[ids[n]] + positions[places[n]]. An id or a place beyond its table is found when `out` is read.
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
  const { ids, table, places, positions, out } = args
  if ((places === undefined) !== (positions === undefined)) throw invalid('places and positions of embedRows', 'both or neither', places ?? positions)
  input('ids', ids, U32, 1, ANY)
  input('table', table, FLOAT, ANY, ANY)
  optional('places', places, U32, 1, ids.columns)
  optional('positions', positions, FLOAT, ANY, table.columns)
  output('out', out, F32, ids.columns, table.columns)
  send()
}

/** Arguments of {@link norm}. */
export interface Norm {
  /** f32 [N, D] */ x: Tensor
  /** f32 [1, D] */ gain: Tensor
  /** f32 [1, D] */ bias?: Tensor | undefined
  /** Added to the variance: 1e-5 in GPT-2. No default. */ epsilon: number
  /** Out, f32 [N, D]: before gain and bias. */ normalised?: Tensor | undefined
  /** Out, f32 [N, D]. */ out: Tensor
}

const NORM = op('norm', 'x', 'gain', 'bias', 'epsilon', 'normalised', 'out')

/**
 * Layer norm: out[n] = (x[n] − mean) / √(variance + epsilon) · gain + bias, mean and variance over the D columns of a row.
 *
 * @throws TransweldError as `sparseEncode` does.
 * @example
 * import { norm, openDevice } from 'transweld'
 * using device = openDevice('cpu')
 * using x = device.from(new Float32Array([1, 3]), 1, 2)
 * using gain = device.from(new Float32Array([2, 2]), 1, 2), bias = device.from(new Float32Array([10, 10]), 1, 2)
 * using out = device.tensor('f32', 1, 2)
 * norm({ x, gain, bias, epsilon: 0, out })
 * console.log(await out.read())   // Float32Array(2) [ 8, 12 ]
 */
export function norm(args: Norm): void {
  begin(NORM, args)
  const { x, gain, bias, epsilon, normalised, out } = args
  real('epsilon', epsilon)
  input('x', x, F32, ANY, ANY)
  input('gain', gain, F32, 1, x.columns)
  optional('bias', bias, F32, 1, x.columns)
  optionalOutput('normalised', normalised, F32, x.rows, x.columns)
  output('out', out, F32, x.rows, x.columns)
  send()
}

/** Arguments of {@link attend}. */
export interface Attend {
  /** f32 [N, H · width]; so are k and v. Strided views of one product as a rule. */ q: Tensor
  k: Tensor
  v: Tensor
  /** u32 [1, B + 1], from 0 to N: rows starts[b] … starts[b + 1] − 1 are one sequence. */ starts: Tensor
  /** H */ heads: number
  /** Factor of the scores: 1/√width as a rule. No default. */ scale: number
  /** Out, f32 [N, H · width]. */ out: Tensor
}

const ATTEND = op('attend', 'q', 'k', 'v', 'starts', 'heads', 'scale', 'out')

/**
 * Causal attention of packed sequences: a row sees itself and the rows before it in its sequence. No [T, T] matrix is kept.
 *
 * @throws TransweldError as `sparseEncode` does.
 * @example
 * import { attend, openDevice } from 'transweld'
 * using device = openDevice('cpu')
 * using q = device.from(new Float32Array(3), 3, 1), k = device.from(new Float32Array(3), 3, 1)   // equal scores: means
 * using v = device.from(new Float32Array([1, 3, 10]), 3, 1)
 * using starts = device.from(new Uint32Array([0, 2, 3]), 1, 3), out = device.tensor('f32', 3, 1)   // rows 0 and 1; row 2
 * attend({ q, k, v, starts, heads: 1, scale: 1, out })
 * console.log(await out.read())   // Float32Array(3) [ 1, 2, 10 ]
 */
export function attend(args: Attend): void {
  begin(ATTEND, args)
  const { q, k, v, starts, heads, scale, out } = args
  number(integer('heads of attend', heads, 1, 0xFFFFFFFF))
  real('scale', scale)
  input('q', q, F32, ANY, ANY)
  if (q.columns % heads !== 0) throw unfit('q', `a number of columns that ${heads} heads divide`, q)
  input('k', k, F32, q.rows, q.columns)
  input('v', v, F32, q.rows, q.columns)
  input('starts', starts, U32, 1, ANY)
  if (starts.columns < 1) throw unfit('starts', 'at least one column', starts)
  output('out', out, F32, q.rows, q.columns)
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
