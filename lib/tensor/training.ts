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

/**
 * How far a reconstruction is off, and its gradient: for "fvu" S/V, the fraction of variance unexplained, for "sumMse" S/N.
 *
 * @throws TransweldError as `sparseEncode` does.
 * @example
 * import { openDevice, reconLoss } from 'transweld'
 * using device = openDevice('cpu')
 * using y = device.from(new Float32Array([0, 2]), 2, 1), yHat = device.from(new Float32Array([0, 1]), 2, 1)
 * using dy = device.tensor('f32', 2, 1), stats = device.tensor('f32', 1, 8)
 * reconLoss({ y, yHat, loss: 'fvu', dy, stats })
 * console.log((await stats.read()).slice(0, 4), await dy.read())   // Float32Array(4) [ 0.5, 1, 2, 2 ] Float32Array(2) [ 0, -1 ]
 */
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

/**
 * The Adam step of a tensor whose gradient exists. {@link adamScalars} gives the scalars with their usual values.
 *
 * @throws TransweldError as `sparseEncode` does.
 * @example
 * import { adamScalars, adamStep, openDevice } from 'transweld'
 * using device = openDevice('cpu')
 * using weight = device.from(new Float32Array([1]), 1, 1), gradient = device.from(new Float32Array([0.5]), 1, 1)
 * using m = device.from(new Float32Array(1), 1, 1), v = device.from(new Float32Array(1), 1, 1)
 * adamStep({ weight, m, v, gradient, ...adamScalars(0.1, 1) })
 * console.log((await weight.read())[0]!.toFixed(4))   // 0.9000
 */
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

/**
 * Norms of rows, and rows scaled to a norm (a zero row stays).
 *
 * @throws TransweldError as `sparseEncode` does; ERR_INVALID_ARGUMENT for a negative target.
 * @example
 * import { openDevice, unitRows } from 'transweld'
 * using device = openDevice('cpu')
 * using weight = device.from(new Float32Array([3, 4, 0, 0]), 2, 2), norms = device.tensor('f32', 1, 2)
 * unitRows({ weight, norms })               // measures
 * console.log(await norms.read())           // Float32Array(2) [ 5, 0 ]
 * unitRows({ weight, target: 10, norms })   // scales
 * console.log(await weight.read())          // Float32Array(4) [ 6, 8, 0, 0 ]
 */
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

/**
 * Random elements, the same on every backend: element i of a row-major `out` takes draw offset + i of the seed.
 *
 * @throws TransweldError as `sparseEncode` does.
 * @example
 * import { fillRandom, openDevice } from 'transweld'
 * using device = openDevice('cpu')
 * using out = device.tensor('f32', 1, 4), tail = device.tensor('f32', 1, 2)
 * fillRandom({ out, distribution: 'uniform', seed: 0, low: 0, high: 1 })
 * fillRandom({ out: tail, distribution: 'uniform', seed: 0, offset: 2, low: 0, high: 1 })
 * console.log([...await out.read()].map(x => x.toFixed(2)).join())    // 0.40,0.88,0.74,0.61
 * console.log([...await tail.read()].map(x => x.toFixed(2)).join())   // 0.74,0.61
 */
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

/**
 * One value everywhere: `value` for f32, `bits` for the other dtypes.
 *
 * @throws TransweldError as `sparseEncode` does; ERR_INVALID_ARGUMENT for `value` where the dtype wants `bits`, or the reverse.
 * @example
 * import { fill, openDevice } from 'transweld'
 * using device = openDevice('cpu')
 * using x = device.tensor('f32', 1, 2), targets = device.tensor('u32', 1, 2)
 * fill({ out: x, value: -Infinity })
 * fill({ out: targets, bits: 7 })
 * console.log(await x.read(), await targets.read())   // Float32Array(2) [ -Infinity, -Infinity ] Uint32Array(2) [ 7, 7 ]
 */
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

/**
 * out[i] = source[index[i]]. An index beyond the source is found when `out` is read.
 *
 * @throws TransweldError as `sparseEncode` does.
 * @example
 * import { gatherRows, openDevice } from 'transweld'
 * using device = openDevice('cpu')
 * using source = device.from(new Float32Array([1, 2, 3, 4, 5, 6]), 3, 2), index = device.from(new Uint32Array([2, 0]), 1, 2)
 * using out = device.tensor('f32', 2, 2)
 * gatherRows({ source, index, out })
 * console.log(await out.read())   // Float32Array(4) [ 5, 6, 1, 2 ]
 */
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

/**
 * Elements in another float dtype, rounded to nearest even; between equal dtypes the strided copy.
 *
 * @throws TransweldError as `sparseEncode` does.
 * @example
 * import { cast, openDevice } from 'transweld'
 * using device = openDevice('cpu')
 * using x = device.from(new Float32Array([1, 3.14159]), 1, 2), short = device.tensor('bf16', 1, 2)
 * cast({ source: x, out: short })
 * cast({ source: short, out: x })   // what 8 bits of significand keep
 * console.log(await x.read())       // Float32Array(2) [ 1, 3.140625 ]
 */
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

/**
 * Four dot products a row: what cosines and errors are made of.
 *
 * @throws TransweldError as `sparseEncode` does.
 * @example
 * import { openDevice, rowMoments } from 'transweld'
 * using device = openDevice('cpu')
 * using a = device.from(new Float32Array([1, 2]), 1, 2), b = device.from(new Float32Array([3, 4]), 1, 2)
 * using out = device.tensor('f32', 1, 4)
 * rowMoments({ a, b, out })
 * console.log(await out.read())   // Float32Array(4) [ 5, 11, 25, 8 ]
 */
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

/**
 * out = alpha · x + beta · y, a single row of x or y counting for every row.
 *
 * @throws TransweldError as `sparseEncode` does.
 * @example
 * import { axpy, openDevice } from 'transweld'
 * using device = openDevice('cpu')
 * using x = device.from(new Float32Array([1, 2, 3, 4]), 2, 2), y = device.from(new Float32Array([10, 20]), 1, 2)
 * axpy({ alpha: 2, x, y, out: x })
 * console.log(await x.read())   // Float32Array(4) [ 12, 24, 16, 28 ]
 */
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

/**
 * out[c] = scale · Σ over rows of x[:, c]: column sums, or with a scale of 1/N means.
 *
 * @throws TransweldError as `sparseEncode` does.
 * @example
 * import { openDevice, reduceRows } from 'transweld'
 * using device = openDevice('cpu')
 * using x = device.from(new Float32Array([1, 2, 3, 4]), 2, 2), out = device.tensor('f32', 1, 2)
 * reduceRows({ x, scale: 1 / 2, out })
 * console.log(await out.read())   // Float32Array(2) [ 2, 3 ]
 */
export function reduceRows(args: ReduceRows): void {
  begin(REDUCE_ROWS, args)
  const { x, scale = 1, out } = args
  real('scale', scale)
  input('x', x, F32, ANY, ANY)
  output('out', out, F32, 1, x.columns)
  send()
}
