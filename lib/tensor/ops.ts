// The five sparse verbs and the screen, one function an entry of src/op_table.h; the dense ops stand in dense.ts and
// training.ts. A function checks shapes and dtypes in words, enqueues and returns: errors of the op itself surface when
// what it should have written is read. Shape letters as everywhere: N rows, D input width, O output width, F features, K codes a row.
import { integer, invalid, oneOf } from '../native/check.ts'
import { TransweldError } from '../native/error.ts'
import { native } from '../native/load.ts'
import {
  ANY, F32, FLOAT, I8, U32, U64, absent, begin, flag, input, number, op, optional, optionalOutput, output, pattern, real, send, unfit, whole, word,
} from './call.ts'
import type { Pattern } from './codes.ts'
import { Device } from './device.ts'
import type { Tensor } from './tensor.ts'

export { embedRows, gate, matmul, scatterRows, tokenLoss } from './dense.ts'
export type { EmbedRows, Gate, Matmul, MatmulActivation, ScatterRows, TokenLoss } from './dense.ts'
export { norm, normFrozen } from './norm.ts'
export type { Norm, NormFrozen, NormKind } from './norm.ts'
export { attend, attendFrozen, attendPattern, rope } from './attention.ts'
export type { Attend, AttendFrozen, AttendOptions, AttendPattern, Rope } from './attention.ts'
export { adamStep, axpy, cast, fill, fillRandom, gatherRows, reconLoss, reduceRows, rowMoments, unitRows } from './training.ts'
export type { AdamStep, Axpy, Cast, Fill, FillRandom, GatherRows, ReconLoss, ReduceRows, RowMoments, UnitRows } from './training.ts'

/** How the big product of an encoder is done first; the result is the same bits in every mode. */
export type Screen = 'none' | 'bf16' | 'int8'

/** The scalars of an Adam step; corrections are 1 − β^t. */
export interface AdamScalars {
  readonly rate: number, readonly beta1: number, readonly beta2: number, readonly epsilon: number
  readonly correction1: number, readonly correction2: number
}

const SCREENS = ['none', 'bf16', 'int8'] as const
const RULES = ['topk', 'positive'] as const
const MODES = ['gradient', 'adam'] as const
const FEATURE_LIMIT = 0xFFFFFFFF
const ADAM_KEYS = ['rate', 'beta1', 'beta2', 'epsilon', 'correction1', 'correction2'] as const

/** Arguments of {@link sparseEncode}. */
export interface SparseEncode {
  /** f32 [N, D] */ x: Tensor
  /** f32 [F, D] */ weight: Tensor
  /** f32 [1, F] */ bias?: Tensor | undefined
  /** u32 [1, S], ascending: the only features to consider; not with a screen. */ subset?: Tensor | undefined
  /** i8 [1, screenBytes]: what `screenRows` made of weight; needed by a screen. */ shadow?: Tensor | undefined
  /** Default "none". */ screen?: Screen | undefined
  rule: 'topk' | 'positive'
  /** TopK: negative survivors become 0. Default true. */ relu?: boolean | undefined
  /** Out: fixed or, for "positive", ragged. */ codes: Pattern
  /** Out: a plane. */ z: Tensor
  /** Out, u64 [1, 4]: positions needed, candidates evaluated again, rows done plainly, nanoseconds. */ counts: Tensor
  /** Default 1. Below 1 the certificate is wrong: for tests of the tests. */ certificateScale?: number | undefined
}

const SPARSE_ENCODE = op('sparse_encode', 'x', 'weight', 'bias', 'subset', 'shadow', 'screen', 'rule', 'relu', 'codes', 'z', 'counts', 'certificateScale')

/**
 * Dense rows to codes: p = x · weightᵀ + bias is never stored. "topk" keeps the K largest p of a row in rank order (NaN first,
 * ties to the lower feature), "positive" all p > 0 in ascending order. Where a ragged pattern is too small, counts[0] says what is needed.
 *
 * @throws TransweldError ERR_SHAPE_MISMATCH for shapes or dtypes that do not fit, ERR_INVALID_ARGUMENT (K > F, screen without shadow),
 * ERR_UNKNOWN_OPTION, ERR_DEVICE_MISMATCH, ERR_DISPOSED; what only the numbers show is thrown where an output is read.
 * @example
 * import { openDevice, patternFixed, sparseEncode } from 'transweld'
 * using device = openDevice('cpu')
 * using x = device.from(new Float32Array([1, 2]), 1, 2)
 * using weight = device.from(new Float32Array([1, 0, 0, 1, 1, 1]), 3, 2)
 * using codes = patternFixed(device, 1, 1, 3)
 * using z = codes.plane(), counts = device.tensor('u64', 1, 4)
 * sparseEncode({ x, weight, rule: 'topk', codes, z, counts })
 * console.log(await codes.index.read(), await z.read())   // Uint32Array(1) [ 2 ] Float32Array(1) [ 3 ]
 */
export function sparseEncode(args: SparseEncode): void {
  begin(SPARSE_ENCODE, args)
  const { x, weight, bias, subset, shadow, screen = 'none', rule, relu = true, codes, z, counts, certificateScale = 1 } = args
  const isTopk = word('rule', rule, RULES) === 0
  flag('relu', relu)
  const mode = word('screen', screen, SCREENS)
  input('x', x, F32, ANY, ANY)
  input('weight', weight, F32, ANY, x.columns)
  optional('bias', bias, F32, 1, weight.rows)
  optional('subset', subset, U32, 1, ANY)
  if (mode === 0) absent()
  else if (subset !== undefined) throw invalid('screen of sparseEncode with a subset', '"none"', screen)
  else input('shadow', shadow, I8, 1, ANY)
  pattern('codes', codes, true)
  if (codes.rows !== x.rows) throw unfit('codes', `a pattern of ${x.rows} rows`, codes.rows)
  if (codes.features !== weight.rows) throw unfit('codes', `a pattern of ${weight.rows} features`, codes.features)
  if (!isTopk && codes.starts === undefined) throw invalid('codes of sparseEncode with rule "positive"', 'a ragged pattern', 'a fixed one')
  const choice = subset === undefined ? weight.rows : subset.columns
  if (isTopk && codes.k === undefined) throw invalid('codes of sparseEncode with rule "topk"', 'a fixed pattern', 'a ragged one')
  if (isTopk && codes.k! > choice) throw invalid('K of sparseEncode', `at most the ${choice} features to choose from`, codes.k)
  output('z', z, F32, codes.index.rows, codes.index.columns)
  output('counts', counts, U64, 1, 4)
  real('certificateScale', certificateScale)
  send()
}

/** Arguments of {@link sparseDecode}. */
export interface SparseDecode {
  codes: Pattern
  /** A plane. */ z: Tensor
  /** f32, bf16 or f16 [F, O] */ weight: Tensor
  /** f32 [1, O] */ bias?: Tensor | undefined
  /** Out, f32 [N, O]; may be a view with a stride. */ out: Tensor
  /** Adds to what `out` holds. Default false. */ accumulate?: boolean | undefined
}

const SPARSE_DECODE = op('sparse_decode', 'codes', 'z', 'weight', 'bias', 'out', 'accumulate')

/**
 * Codes to dense rows: out[n] = Σ z · weight[feature] + bias, over the positions of row n in stored order.
 *
 * @throws TransweldError as {@link sparseEncode} does.
 * @example
 * import { openDevice, patternFixed, sparseDecode } from 'transweld'
 * using device = openDevice('cpu')
 * using codes = patternFixed(device, 1, 2, 3), z = device.from(new Float32Array([3, 1]), 1, 2)
 * codes.index.write(new Uint32Array([2, 0]))
 * using weight = device.from(new Float32Array([1, 0, 0, 1, 1, 1]), 3, 2), out = device.tensor('f32', 1, 2)
 * sparseDecode({ codes, z, weight, out })   // 3 · [1, 1] + 1 · [1, 0]
 * console.log(await out.read())             // Float32Array(2) [ 4, 3 ]
 */
export function sparseDecode(args: SparseDecode): void {
  begin(SPARSE_DECODE, args)
  const { codes, z, weight, bias, out, accumulate = false } = args
  flag('accumulate', accumulate)
  pattern('codes', codes, false)
  input('z', z, F32, codes.index.rows, codes.index.columns)
  input('weight', weight, FLOAT, codes.features, ANY)
  optional('bias', bias, F32, 1, weight.columns)
  output('out', out, F32, codes.rows, weight.columns)
  send()
}

/** Arguments of {@link sparseSample}. */
export interface SparseSample {
  codes: Pattern
  /** f32 [N, O] */ g: Tensor
  /** f32, bf16 or f16 [F, O] */ weight: Tensor
  /** A plane: only where it is not 0; the other positions become 0. */ gate?: Tensor | undefined
  /** f32 [1, F]: ‖weight[f]‖, for the penalty. */ norms?: Tensor | undefined
  /** Factor of norms. Default 0. */ penalty?: number | undefined
  /** Out: a plane. */ out: Tensor
  /** Out, f32 [1, 1]: penalty · Σ gate · norms. */ penaltySum?: Tensor | undefined
}

const SPARSE_SAMPLE = op('sparse_sample', 'codes', 'g', 'weight', 'gate', 'norms', 'penalty', 'out', 'penaltySum')

/**
 * Dot products at code positions alone: out = g[n] · weight[feature] + penalty · norms[feature]. With the gradient
 * of what was decoded for g, it is that of z.
 *
 * @throws TransweldError as {@link sparseEncode} does; ERR_INVALID_ARGUMENT for a penalty without norms.
 * @example
 * import { openDevice, patternFixed, sparseSample } from 'transweld'
 * using device = openDevice('cpu')
 * using codes = patternFixed(device, 1, 2, 3), g = device.from(new Float32Array([10, 20]), 1, 2)
 * codes.index.write(new Uint32Array([2, 0]))
 * using weight = device.from(new Float32Array([1, 0, 0, 1, 1, 1]), 3, 2), out = codes.plane()
 * sparseSample({ codes, g, weight, out })
 * console.log(await out.read())   // Float32Array(2) [ 30, 10 ]
 */
export function sparseSample(args: SparseSample): void {
  begin(SPARSE_SAMPLE, args)
  const { codes, g, weight, gate, norms, penalty = 0, out, penaltySum } = args
  real('penalty', penalty)
  pattern('codes', codes, false)
  input('g', g, F32, codes.rows, ANY)
  input('weight', weight, FLOAT, codes.features, g.columns)
  optional('gate', gate, F32, codes.index.rows, codes.index.columns)
  optional('norms', norms, F32, 1, codes.features)
  if (penalty !== 0 && norms === undefined) throw invalid('norms of sparseSample with a penalty', 'the norms [1, F]', norms)
  output('out', out, F32, codes.index.rows, codes.index.columns)
  optionalOutput('penaltySum', penaltySum, F32, 1, 1)
  send()
}

/** Arguments of {@link featureMajor}. */
export interface FeatureMajor {
  codes: Pattern
  /** A plane; needed by fired. */ z?: Tensor | undefined
  /** N. Default: the pattern's. */ codeRows?: number | undefined
  /** F. Default: the pattern's. */ features?: number | undefined
  /** Out, u64 [1, F + 1] */ featureStarts: Tensor
  /** Out, u32 [1, capacity]: rows, ascending within a feature. */ rows: Tensor
  /** Out, u32 [1, capacity]: places in a plane. */ slots: Tensor
  /** Out, u32 [1, F]: rows on which a feature is active. */ fired?: Tensor | undefined
}

const FEATURE_MAJOR = op('feature_major', 'codes', 'z', 'codeRows', 'features', 'featureStarts', 'rows', 'slots', 'fired')

/**
 * The positions of codes regrouped by feature, once a step; every scatter reads them. Feature f has the positions featureStarts[f] …
 * featureStarts[f + 1] − 1 of `rows` and `slots`.
 *
 * @throws TransweldError as {@link sparseEncode} does; ERR_INVALID_ARGUMENT for `fired` without z.
 * @example
 * import { featureMajor, openDevice, patternFixed } from 'transweld'
 * using device = openDevice('cpu')
 * using codes = patternFixed(device, 2, 2, 3)
 * codes.index.write(new Uint32Array([2, 0, 2, 1]))   // row 0: features 2 and 0; row 1: features 2 and 1
 * using featureStarts = device.tensor('u64', 1, 4), rows = device.tensor('u32', 1, 4), slots = device.tensor('u32', 1, 4)
 * featureMajor({ codes, featureStarts, rows, slots })
 * console.log(await featureStarts.read())               // BigUint64Array(4) [ 0n, 1n, 2n, 4n ]
 * console.log(await rows.read(), await slots.read())    // Uint32Array(4) [ 0, 1, 0, 1 ] Uint32Array(4) [ 1, 3, 0, 2 ]
 */
export function featureMajor(args: FeatureMajor): void {
  begin(FEATURE_MAJOR, args)
  const { codes, z, featureStarts, rows, slots, fired } = args
  const features = args.features ?? codes?.features, codeRows = args.codeRows ?? codes?.rows
  number(integer('features of featureMajor', features, 0, FEATURE_LIMIT))
  pattern('codes', codes, false)
  if (codeRows !== codes.rows) throw unfit('codeRows', String(codes.rows), codeRows)
  if (features < codes.features) throw unfit('features', `at least the pattern's ${codes.features}`, features)
  whole('codeRows', codeRows)
  if (z === undefined && fired !== undefined) throw invalid('z of featureMajor with fired', 'a plane', z)
  optional('z', z, F32, codes.index.rows, codes.index.columns)
  output('featureStarts', featureStarts, U64, 1, features + 1)
  output('rows', rows, U32, 1, ANY)
  if (rows.columns < codes.capacity) throw unfit('rows', `at least ${codes.capacity} columns`, rows)
  output('slots', slots, U32, 1, ANY)
  if (slots.columns < codes.capacity) throw unfit('slots', `at least ${codes.capacity} columns`, slots)
  optionalOutput('fired', fired, U32, 1, features)
  send()
}

/** One product of {@link sparseScatter}: Σ plane[slot] · dense[row] over a feature's positions. */
export interface Term {
  /** u64 [1, F + 1], of featureMajor; so are rows and slots. */ featureStarts: Tensor
  /** u32 */ rows: Tensor
  /** u32 */ slots: Tensor
  /** f32 */ plane: Tensor
  /** f32 [N, D] */ dense: Tensor
}

/** Arguments of {@link sparseScatter}. */
export interface SparseScatter {
  /** One to four, added in order. */ terms: readonly Term[]
  mode: 'gradient' | 'adam'
  /** Gradient: out, f32 [F, D]. */ gradient?: Tensor | undefined
  /** Gradient: out, f32 [1, F]. */ gradientBias?: Tensor | undefined
  /** Adam: in and out, f32 [F, D]; so are m and v. */ weight?: Tensor | undefined
  m?: Tensor | undefined
  v?: Tensor | undefined
  /** Adam: in and out, f32 [1, F], with biasM and biasV. */ bias?: Tensor | undefined
  biasM?: Tensor | undefined
  biasV?: Tensor | undefined
  /** Adam: out, f32 [1, F]: norms of the new rows. */ norms?: Tensor | undefined
  /** Adam: the low-precision copy of `screen`, made again row by row. */ shadow?: Tensor | undefined
  /** Default "none". */ screen?: Screen | undefined
  /** u32 [1, 1]: where it holds 0 nothing is written. */ ok?: Tensor | undefined
  /** Takes the part along the weight's row out of the gradient. Default false. */ project?: boolean | undefined
  /** Scales each new row to norm 1. Default false. */ unit?: boolean | undefined
  /** Penalty on ‖weight[f]‖ times the codes of the first term. Default 0. */ selfPenalty?: number | undefined
  /** Needed by mode "adam". */ adam?: AdamScalars | undefined
}

const SPARSE_SCATTER = op('sparse_scatter', 'terms', 'mode', 'gradient', 'gradientBias', 'weight', 'm', 'v', 'bias', 'biasM', 'biasV', 'norms', 'shadow',
  'screen', 'ok', 'project', 'unit', 'selfPenalty', 'adam')
const TERM_NAMES = [0, 1, 2, 3].map(i => ['featureStarts', 'rows', 'slots', 'plane', 'dense'].map(name => `terms[${i}].${name}`))

/**
 * codesᵀ × dense, ending in an update: the gradient of a weight [F, D] is never stored, each of its rows goes straight into
 * Adam (mode "adam"), or is written out (mode "gradient").
 *
 * @throws TransweldError as {@link sparseEncode} does; ERR_INVALID_ARGUMENT for other than 1 to 4 terms, or mode "adam" without its scalars.
 * @example
 * import { featureMajor, openDevice, patternFixed, sparseScatter } from 'transweld'
 * using device = openDevice('cpu')
 * using codes = patternFixed(device, 2, 1, 2), z = device.from(new Float32Array([2, 3]), 2, 1)
 * codes.index.write(new Uint32Array([1, 1]))   // both rows have feature 1
 * using featureStarts = device.tensor('u64', 1, 3), rows = device.tensor('u32', 1, 2), slots = device.tensor('u32', 1, 2)
 * featureMajor({ codes, featureStarts, rows, slots })
 * using dense = device.from(new Float32Array([1, 10, 100, 1000]), 2, 2), gradient = device.tensor('f32', 2, 2)
 * sparseScatter({ terms: [{ featureStarts, rows, slots, plane: z, dense }], mode: 'gradient', gradient })
 * console.log(await gradient.read())   // Float32Array(4) [ 0, 0, 302, 3020 ]
 */
export function sparseScatter(args: SparseScatter): void {
  begin(SPARSE_SCATTER, args)
  const { terms, mode, gradient, gradientBias, weight, m, v, bias, biasM, biasV, norms, shadow, screen = 'none', ok } = args
  const isAdam = word('mode', mode, MODES) === 1
  if (!Array.isArray(terms) || terms.length < 1 || terms.length > 4) throw invalid('terms of sparseScatter', 'an array of 1 to 4 terms', terms)
  number(terms.length)
  flag('project', args.project ?? false)
  flag('unit', args.unit ?? false)
  const hasShadow = word('screen', screen, SCREENS) > 0
  const target = isAdam ? weight : gradient, rows = target?.rows ?? ANY, columns = target?.columns ?? ANY
  for (let i = 0; i < 4; i++) putTerm(terms[i], TERM_NAMES[i]!, rows, columns)
  if (isAdam) { absent(); absent() } else {
    output('gradient', gradient, F32, ANY, ANY)
    optionalOutput('gradientBias', gradientBias, F32, 1, rows)
  }
  if (!isAdam) for (let i = 0; i < 8; i++) absent()
  else {
    output('weight', weight, F32, ANY, ANY)
    output('m', m, F32, rows, columns)
    output('v', v, F32, rows, columns)
    if (bias === undefined) { absent(); absent(); absent() } else {
      output('bias', bias, F32, 1, rows)
      output('biasM', biasM, F32, 1, rows)
      output('biasV', biasV, F32, 1, rows)
    }
    optionalOutput('norms', norms, F32, 1, rows)
    if (hasShadow) output('shadow', shadow, I8, 1, ANY)
    else absent()
  }
  optional('ok', ok, U32, 1, 1)
  putAdam(isAdam ? args.adam : NO_ADAM)
  real('selfPenalty', args.selfPenalty ?? 0)
  send()
}

const NO_ADAM: AdamScalars = { rate: 0, beta1: 0, beta2: 0, epsilon: 0, correction1: 1, correction2: 1 }

function putTerm(term: Term | undefined, names: readonly string[], features: number, width: number): void {
  if (term === undefined) { for (let i = 0; i < 5; i++) absent(); return }
  input(names[0]!, term.featureStarts, U64, 1, features === ANY ? ANY : features + 1)
  input(names[1]!, term.rows, U32, 1, ANY)
  input(names[2]!, term.slots, U32, 1, ANY)
  input(names[3]!, term.plane, F32, ANY, ANY)
  input(names[4]!, term.dense, F32, ANY, width)
}

function putAdam(adam: AdamScalars | undefined): void {
  if (adam === undefined || typeof adam !== 'object') throw invalid('adam of sparseScatter', `{ ${ADAM_KEYS.join(', ')} }`, adam)
  for (const key of ADAM_KEYS) real(key, adam[key])
}

/** Arguments of {@link screenRows}. */
export interface ScreenRows {
  /** f32 [F, D] */ weight: Tensor
  screen: 'bf16' | 'int8'
  /** Out, i8 [1, screenBytes] */ shadow: Tensor
}

const SCREEN_ROWS = op('screen_rows', 'weight', 'screen', 'shadow')

/**
 * The low-precision copy of a weight with its certificate, in the device's own layout, for `sparseEncode` with the same screen.
 *
 * @throws TransweldError as {@link sparseEncode} does; ERR_UNSUPPORTED, where `shadow` is read, if the device has no such screen.
 * @example
 * import { fillRandom, openDevice, patternFixed, screenBytes, screenRows, sparseEncode } from 'transweld'
 * using device = openDevice('cpu')
 * using weight = device.tensor('f32', 512, 64), x = device.tensor('f32', 4, 64)
 * for (const [seed, out] of [weight, x].entries()) fillRandom({ out, distribution: 'normal', seed, low: 0, high: 1 })
 * const screen = screenBytes(device, 'int8', 512, 64) > 0 ? 'int8' : 'none'   // an x86 processor before AVX2 has none
 * using shadow = device.tensor('i8', 1, screenBytes(device, screen, 512, 64))
 * if (screen === 'int8') screenRows({ weight, screen, shadow })
 * using codes = patternFixed(device, 4, 8, 512), z = codes.plane(), counts = device.tensor('u64', 1, 4)
 * sparseEncode({ x, weight, screen, shadow, rule: 'topk', codes, z, counts })
 * const [needed, evaluatedAgain] = await counts.read()   // of 4 · 512 products
 * console.log(needed, evaluatedAgain! < 512n)            // 32n true
 */
export function screenRows(args: ScreenRows): void {
  begin(SCREEN_ROWS, args)
  word('screen', args.screen, SCREENS)
  input('weight', args.weight, F32, ANY, ANY)
  output('shadow', args.shadow, I8, 1, ANY)
  send()
}

/**
 * Bytes of the low-precision copy of a weight [rows, columns]; 0 for "none" and where the device has no such screen.
 *
 * @throws TransweldError ERR_INVALID_ARGUMENT for another screen, or rows or columns that are no integers of at least 0; ERR_DISPOSED.
 * @example
 * import { openDevice, screenBytes } from 'transweld'
 * using device = openDevice('cpu')
 * // What this processor has: no screen before AVX2, both with AVX-512 BF16.
 * console.log((['bf16', 'int8'] as const).filter(screen => screenBytes(device, screen, 2048, 192) > 0))
 */
export function screenBytes(device: Device, screen: Screen, rows: number, columns: number): number {
  if (!(device instanceof Device)) throw invalid('device of screenBytes', 'a Device', device)
  if (device.isDisposed) throw new TransweldError('ERR_DISPOSED', 'expected an open device for screenBytes but received one that was disposed')
  oneOf('screen of screenBytes', screen, SCREENS)
  return screen === 'none' ? 0 : native().screenBytes(device.id, SCREENS.indexOf(screen), integer('rows', rows), integer('columns', columns))
}
