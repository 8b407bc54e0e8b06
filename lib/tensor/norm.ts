// Layer norm and RMS norm, and the linear map that one of them is once its denominator is kept.
import { integer, invalid } from '../native/check.ts'
import { ANY, F32, begin, flag, input, number, op, optional, optionalOutput, output, real, send, unfit, word } from './call.ts'
import type { Tensor } from './tensor.ts'

/** Subtracts the mean and divides by the deviation ("layer"), or divides by the root of the mean square ("rms"). */
export type NormKind = typeof KINDS[number]

const KINDS = ['layer', 'rms'] as const

/** Arguments of {@link norm}. */
export interface Norm {
  /** f32 [N, groups · W] */ x: Tensor
  /** Default "layer". */ kind?: NormKind | undefined
  /** Groups of columns that are normed each by itself, such as the heads of queries. Default 1. */ groups?: number | undefined
  /** f32 [1, W] */ gain?: Tensor | undefined
  /** f32 [1, W]; needs a gain. */ bias?: Tensor | undefined
  /** Added to the variance, or to the mean square: 1e-5 in GPT-2. No default. */ epsilon: number
  /** Out, as x: before gain and bias. */ normalised?: Tensor | undefined
  /** Out, f32 [N, groups]: what each group was multiplied by, for `normFrozen`. */ inverse?: Tensor | undefined
  /** Out, as x; may be x. */ out: Tensor
}

const NORM = op('norm', 'x', 'kind', 'groups', 'gain', 'bias', 'epsilon', 'normalised', 'inverse', 'out')

/**
 * Layer norm: out[n] = (x[n] − mean) / √(variance + epsilon) · gain + bias, mean and variance over the W columns of a group;
 * RMS norm: out[n] = x[n] / √(mean square + epsilon) · gain.
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
  const { x, kind = 'layer', groups = 1, gain, bias, epsilon, normalised, inverse, out } = args
  word('kind', kind, KINDS)
  number(integer('groups of norm', groups, 1, 0xFFFFFFFF))
  real('epsilon', epsilon)
  input('x', x, F32, ANY, ANY)
  if (x.columns % groups !== 0) throw unfit('x', `a number of columns that ${groups} groups divide`, x)
  if (bias !== undefined && gain === undefined) throw invalid('gain of norm with a bias', 'a tensor', gain)
  optional('gain', gain, F32, 1, x.columns / groups)
  optional('bias', bias, F32, 1, x.columns / groups)
  optionalOutput('normalised', normalised, F32, x.rows, x.columns)
  optionalOutput('inverse', inverse, F32, x.rows, groups)
  output('out', out, F32, x.rows, x.columns)
  send()
}

/** Arguments of {@link normFrozen}. */
export interface NormFrozen {
  /** f32 [B · P, groups · W]: B passes over the same P positions. */ x: Tensor
  /** Default "layer". */ kind?: NormKind | undefined
  /** Default 1. */ groups?: number | undefined
  /** f32 [1, W] */ gain?: Tensor | undefined
  /** f32 [P, groups]: as `norm` wrote it. */ inverse: Tensor
  /** The transposed map: gradients in place of vectors. Default false. */ transpose?: boolean | undefined
  /** Adds what `out` held. Default false. */ accumulate?: boolean | undefined
  /** Out, as x; may be x. */ out: Tensor
}

const NORM_FROZEN = op('norm_frozen', 'x', 'kind', 'groups', 'gain', 'inverse', 'transpose', 'accumulate', 'out')

/**
 * A norm whose denominators are kept from a forward pass: a linear map, out = (x − mean) · inverse · gain ("layer") or
 * x · inverse · gain ("rms"), or its transpose. Row r takes row r mod P of `inverse`.
 *
 * @throws TransweldError as `sparseEncode` does.
 * @example
 * import { normFrozen, openDevice } from 'transweld'
 * using device = openDevice('cpu')
 * using x = device.from(new Float32Array([1, 2, 3, 4]), 2, 2), inverse = device.from(new Float32Array([10]), 1, 1)
 * normFrozen({ x, kind: 'rms', inverse, out: x })
 * console.log(await x.read())   // Float32Array(4) [ 10, 20, 30, 40 ]
 */
export function normFrozen(args: NormFrozen): void {
  begin(NORM_FROZEN, args)
  const { x, kind = 'layer', groups = 1, gain, inverse, transpose = false, accumulate = false, out } = args
  word('kind', kind, KINDS)
  number(integer('groups of normFrozen', groups, 1, 0xFFFFFFFF))
  flag('transpose', transpose)
  flag('accumulate', accumulate)
  input('x', x, F32, ANY, ANY)
  if (x.columns % groups !== 0) throw unfit('x', `a number of columns that ${groups} groups divide`, x)
  optional('gain', gain, F32, 1, x.columns / groups)
  input('inverse', inverse, F32, ANY, groups)
  if (inverse.rows === 0 ? x.rows !== 0 : x.rows % inverse.rows !== 0) throw unfit('inverse', `a number of rows that divides the ${x.rows} of x`, inverse)
  output('out', out, F32, x.rows, x.columns)
  send()
}
