// The dense ops of training: losses, updates, filling and moving rows. One function an entry of src/op_table.h.
import { invalid } from '../native/check.ts'
import {
  ANY, ANY_DTYPE, F32, FLOAT, U32, absent, begin, input, number, op, optional, optionalOutput, output, real, send, unfit, whole, word,
} from './call.ts'
import { Tensor } from './tensor.ts'

const LOSSES = ['fvu', 'sumMse'] as const
const DISTRIBUTIONS = ['uniform', 'normal'] as const
/** One bit a dtype code: the set that holds only this tensor's. */
const only = (tensor: Tensor) => tensor instanceof Tensor ? 1 << tensor.code : ANY_DTYPE

/** Arguments of {@link reconLoss}. */
export interface ReconLoss {
  /** f32 [N, O] */ y: Tensor
  /** f32 [N, O] */ yHat: Tensor
  /** weight · S/V, or weight · S/N. */ loss: 'fvu' | 'sumMse'
  /** Default 1. */ weight?: number | undefined
  /** f32 [1, 8]: stats of an earlier call, whose V is used. */ varianceOf?: Tensor | undefined
  /** Out, f32 [N, O]: the gradient by yHat. */ dy?: Tensor | undefined
  /** Out, f32 [1, 8]: {loss, S = Σ (yHat − y)², V = Σ (y − mean)², N, 0 …}. */ stats: Tensor
  /** In and out, u32 [1, 1]: becomes 0 where the loss is not finite. */ ok?: Tensor | undefined
}

const RECON_LOSS = op('recon_loss', 'y', 'yHat', 'loss', 'weight', 'varianceOf', 'dy', 'stats', 'ok')

/** How far a reconstruction is off, and its gradient. Throws what `sparseEncode` throws. */
export function reconLoss(args: ReconLoss): void {
  begin(RECON_LOSS, args)
  const { y, yHat, loss, weight = 1, varianceOf, dy, stats, ok } = args
  word('loss', loss, LOSSES)
  real('weight', weight)
  input('y', y, F32, ANY, ANY)
  input('yHat', yHat, F32, y.rows, y.columns)
  optional('varianceOf', varianceOf, F32, 1, 8)
  optionalOutput('dy', dy, F32, y.rows, y.columns)
  output('stats', stats, F32, 1, 8)
  optionalOutput('ok', ok, U32, 1, 1)
  send()
}

/** Arguments of {@link adamStep}. */
export interface AdamStep {
  /** In and out, f32 [R, C]; so are m and v. */ weight: Tensor
  m: Tensor
  v: Tensor
  /** f32 [R, C] */ gradient: Tensor
  /** u32 [1, 1]: where it holds 0 nothing is written. */ ok?: Tensor | undefined
  rate: number
  beta1: number
  beta2: number
  epsilon: number
  /** 1 − β1^t */ correction1: number
  /** 1 − β2^t */ correction2: number
}

const ADAM_STEP = op('adam_step', 'weight', 'm', 'v', 'gradient', 'ok', 'rate', 'beta1', 'beta2', 'epsilon', 'correction1', 'correction2')

/** The Adam step of a tensor whose gradient exists. Throws what `sparseEncode` throws. */
export function adamStep(args: AdamStep): void {
  begin(ADAM_STEP, args)
  const { weight, m, v, gradient, ok, rate, beta1, beta2, epsilon, correction1, correction2 } = args
  real('rate', rate)
  real('beta1', beta1)
  real('beta2', beta2)
  real('epsilon', epsilon)
  real('correction1', correction1)
  real('correction2', correction2)
  output('weight', weight, F32, ANY, ANY)
  output('m', m, F32, weight.rows, weight.columns)
  output('v', v, F32, weight.rows, weight.columns)
  input('gradient', gradient, F32, weight.rows, weight.columns)
  optional('ok', ok, U32, 1, 1)
  send()
}

/** Arguments of {@link unitRows}. */
export interface UnitRows {
  /** f32 [F, D]; written where target > 0. */ weight: Tensor
  /** Norm to scale each row to; 0 only measures. Default 0. */ target?: number | undefined
  /** Out, f32 [1, F]: the norms after scaling. */ norms?: Tensor | undefined
}

const UNIT_ROWS = op('unit_rows', 'weight', 'target', 'norms')

/** Norms of rows, and rows scaled to a norm (a zero row stays). Throws what `sparseEncode` throws. */
export function unitRows(args: UnitRows): void {
  begin(UNIT_ROWS, args)
  const { weight, target = 0, norms } = args
  if (!(target >= 0)) throw invalid('target of unitRows', 'a norm of at least 0', target)
  real('target', target)
  if (target > 0) output('weight', weight, F32, ANY, ANY)
  else input('weight', weight, F32, ANY, ANY)
  optionalOutput('norms', norms, F32, 1, weight.rows)
  send()
}

/** Arguments of {@link fillRandom}. */
export interface FillRandom {
  /** Out, f32. */ out: Tensor
  distribution: 'uniform' | 'normal'
  /** Key of Philox 4×32-10: an integer of at least 0. */ seed: number
  /** Counter of the first element. Default 0. */ offset?: number | undefined
  /** Uniform: the low end; normal: the mean. */ low: number
  /** Uniform: the high end, not reached; normal: the deviation. */ high: number
}

const FILL_RANDOM = op('fill_random', 'out', 'distribution', 'seed', 'offset', 'low', 'high')

/** Random elements, the same on every backend. Throws what `sparseEncode` throws. */
export function fillRandom(args: FillRandom): void {
  begin(FILL_RANDOM, args)
  const { out, distribution, seed, offset = 0, low, high } = args
  word('distribution', distribution, DISTRIBUTIONS)
  whole('seed', seed)
  whole('offset', offset)
  real('low', low)
  real('high', high)
  output('out', out, F32, ANY, ANY)
  send()
}

/** Arguments of {@link fill}. */
export interface Fill {
  /** Out, any dtype. */ out: Tensor
  /** Of an f32 tensor; NaN and infinities too. Default 0. */ value?: number | undefined
  /** Of any other dtype: its bits. Default 0. */ bits?: number | undefined
}

const FILL = op('fill', 'out', 'value', 'bits')

/** One value everywhere: `value` for f32, `bits` for the other dtypes. Throws what `sparseEncode` throws. */
export function fill(args: Fill): void {
  begin(FILL, args)
  const { out, value = 0, bits = 0 } = args
  if (typeof value !== 'number') throw invalid('value of fill', 'a number', value)
  number(value)
  whole('bits', bits)
  output('out', out, ANY_DTYPE, ANY, ANY)
  const [wanted, other] = out.dtype === 'f32' ? ['value', 'bits'] as const : ['bits', 'value'] as const
  if (args[other] !== undefined) throw invalid(`fill of a tensor of ${out.dtype}`, `"${wanted}"`, `"${other}"`)
  send()
}

/** Arguments of {@link gatherRows}. */
export interface GatherRows {
  /** [R, D], any dtype. */ source: Tensor
  /** u32 [1, M], each below R. */ index: Tensor
  /** Out, [M, D] of source's dtype. */ out: Tensor
}

const GATHER_ROWS = op('gather_rows', 'source', 'index', 'out')

/** out[i] = source[index[i]]. Throws what `sparseEncode` throws. */
export function gatherRows(args: GatherRows): void {
  begin(GATHER_ROWS, args)
  const { source, index, out } = args
  input('source', source, ANY_DTYPE, ANY, ANY)
  input('index', index, U32, 1, ANY)
  output('out', out, only(source), index.columns, source.columns)
  send()
}

/** Arguments of {@link cast}. */
export interface Cast {
  /** f32, bf16 or f16 [R, C]. */ source: Tensor
  /** Out, f32, bf16 or f16 [R, C]. */ out: Tensor
}

const CAST = op('cast', 'source', 'out')

/** Elements in another float dtype, rounded to nearest even; between equal dtypes the strided copy. Throws what `sparseEncode` throws. */
export function cast(args: Cast): void {
  begin(CAST, args)
  const { source, out } = args
  input('source', source, FLOAT, ANY, ANY)
  output('out', out, FLOAT, source.rows, source.columns)
  send()
}

/** Arguments of {@link rowMoments}. */
export interface RowMoments {
  /** f32 [N, D] */ a: Tensor
  /** f32 [N, D] */ b: Tensor
  /** Out, f32 [N, 4]: {a·a, a·b, b·b, (a − b)·(a − b)}. */ out: Tensor
}

const ROW_MOMENTS = op('row_moments', 'a', 'b', 'out')

/** Four dot products a row: what cosines and errors are made of. Throws what `sparseEncode` throws. */
export function rowMoments(args: RowMoments): void {
  begin(ROW_MOMENTS, args)
  const { a, b, out } = args
  input('a', a, F32, ANY, ANY)
  input('b', b, F32, a.rows, a.columns)
  output('out', out, F32, a.rows, 4)
  send()
}

/** Arguments of {@link axpy}. */
export interface Axpy {
  /** Default 1. */ alpha?: number | undefined
  /** Default 1. */ beta?: number | undefined
  /** f32 [N, D], or [1, D] for every row. */ x: Tensor
  /** f32 [N, D], or [1, D] for every row; absent counts as 0. */ y?: Tensor | undefined
  /** Out, f32 [N, D]; may be x or y itself. */ out: Tensor
}

const AXPY = op('axpy', 'alpha', 'beta', 'x', 'y', 'out')

/** out = alpha · x + beta · y. Throws what `sparseEncode` throws. */
export function axpy(args: Axpy): void {
  begin(AXPY, args)
  const { alpha = 1, beta = 1, x, y, out } = args
  real('alpha', alpha)
  real('beta', beta)
  input('x', x, F32, ANY, ANY)
  if (y === undefined) absent()
  else input('y', y, F32, ANY, x.columns)
  output('out', out, F32, ANY, x.columns)
  if (x.rows !== 1 && x.rows !== out.rows) throw unfit('x', `1 or ${out.rows} rows`, x)
  if (y !== undefined && y.rows !== 1 && y.rows !== out.rows) throw unfit('y', `1 or ${out.rows} rows`, y)
  send()
}

/** Arguments of {@link reduceRows}. */
export interface ReduceRows {
  /** f32 [N, D] */ x: Tensor
  /** Default 1. */ scale?: number | undefined
  /** Out, f32 [1, D]. */ out: Tensor
}

const REDUCE_ROWS = op('reduce_rows', 'x', 'scale', 'out')

/** out[c] = scale · Σ over rows of x[:, c]. Throws what `sparseEncode` throws. */
export function reduceRows(args: ReduceRows): void {
  begin(REDUCE_ROWS, args)
  const { x, scale = 1, out } = args
  real('scale', scale)
  input('x', x, F32, ANY, ANY)
  output('out', out, F32, 1, x.columns)
  send()
}
