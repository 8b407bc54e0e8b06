// Attention and rotary positions: as a forward pass runs them, and as the linear map that attention is once its pattern is kept.
import { integer, invalid } from '../native/check.ts'
import { ANY, F32, U32, absent, begin, flag, input, number, op, output, real, send, unfit } from './call.ts'
import type { Tensor } from './tensor.ts'

/** What makes a pattern of attention, in {@link attend} and {@link attendPattern}. */
export interface AttendOptions {
  /** Query heads, H. */ heads: number
  /** Key and value heads: H is a multiple; query head h reads key head ⌊h / (H / keyHeads)⌋. Default: heads. */ keyHeads?: number | undefined
  /** Factor of the scores: 1/√W as a rule. No default. */ scale: number
  /** Keys that a row sees, itself included: those less than `window` before it. Default 0: all. */ window?: number | undefined
  /** Scores become cap · tanh(score / cap). Default 0: they do not. */ cap?: number | undefined
}

/** Arguments of {@link attend}. */
export interface Attend extends AttendOptions {
  /** f32 [N, H · W]. A strided view of one product as a rule. */ q: Tensor
  /** f32 [N, keyHeads · W], or [M, …] of a cache; so is v. */ k: Tensor
  v: Tensor
  /** u32 [1, B + 1], from 0 to N: rows starts[b] … starts[b + 1] − 1 of q are one sequence. */ starts: Tensor
  /** u32 [1, B]: the first row of each sequence's keys in a cache. Without it k and v have q's rows. */ keyStarts?: Tensor | undefined
  /** u32 [1, B], with keyStarts: how many keys, those of the queries included, which are the last. */ keyCounts?: Tensor | undefined
  /** Out, f32 [N, H · W]. */ out: Tensor
}

const OPTIONS = ['heads', 'keyHeads', 'scale', 'window', 'cap'] as const
const ATTEND = op('attend', ...OPTIONS, 'q', 'k', 'v', 'starts', 'keyStarts', 'keyCounts', 'out')

/**
 * Causal attention of packed sequences: a row sees itself and the rows before it in its sequence. No [T, T] matrix is kept. A row
 * has the same bits whether its keys came with it or lie in a cache.
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
  const { q, k, v, starts, keyStarts, keyCounts, out } = args
  const keyColumns = options('attend', args, q)
  if ((keyStarts === undefined) !== (keyCounts === undefined)) throw invalid('keyStarts and keyCounts of attend', 'both or neither', keyStarts ?? keyCounts)
  input('q', q, F32, ANY, ANY)
  input('k', k, F32, keyStarts === undefined ? q.rows : ANY, keyColumns)
  input('v', v, F32, k.rows, keyColumns)
  input('starts', starts, U32, 1, ANY)
  if (starts.columns < 1) throw unfit('starts', 'at least one column', starts)
  if (keyStarts === undefined) { absent(); absent() }
  else for (const [name, view] of [['keyStarts', keyStarts], ['keyCounts', keyCounts]] as const) input(name, view, U32, 1, starts.columns - 1)
  output('out', out, F32, q.rows, q.columns)
  send()
}

// Lays out the options; returns how many columns keys have.
function options(name: string, args: AttendOptions, q: Tensor | undefined): number {
  const { heads, keyHeads = heads, scale, window = 0, cap = 0 } = args
  number(integer(`heads of ${name}`, heads, 1, 0xFFFFFFFF))
  number(integer(`keyHeads of ${name}`, keyHeads, 1, heads))
  if (heads % keyHeads !== 0) throw invalid(`keyHeads of ${name}`, `a divisor of the ${heads} heads`, keyHeads)
  number(integer(`window of ${name}`, window, 0, 0xFFFFFFFF))
  real('scale', scale)
  if (cap < 0) throw invalid(`cap of ${name}`, 'a number of at least 0', cap)
  real('cap', cap)
  const columns = q?.columns ?? 0
  if (q !== undefined && columns % heads !== 0) throw unfit('q', `a number of columns that ${heads} heads divide`, q)
  return columns / heads * keyHeads
}

/** Arguments of {@link attendPattern}. */
export interface AttendPattern extends AttendOptions {
  /** f32 [T, H · W] */ q: Tensor
  /** f32 [T, keyHeads · W] */ k: Tensor
  /** Out, f32 [H · T, T]: row h · T + i holds what row i gives to each key in head h. */ out: Tensor
}

const ATTEND_PATTERN = op('attend_pattern', ...OPTIONS, 'q', 'k', 'out')

/**
 * The pattern of attention of one sequence, 0 where a row does not see a key.
 *
 * @throws TransweldError as `sparseEncode` does.
 * @example
 * import { attendPattern, openDevice } from 'transweld'
 * using device = openDevice('cpu')
 * using q = device.from(new Float32Array(2), 2, 1), k = device.from(new Float32Array(2), 2, 1), out = device.tensor('f32', 2, 2)
 * attendPattern({ q, k, heads: 1, scale: 1, out })
 * console.log(await out.read())   // Float32Array(4) [ 1, 0, 0.5, 0.5 ]
 */
export function attendPattern(args: AttendPattern): void {
  begin(ATTEND_PATTERN, args)
  const { q, k, out } = args, keyColumns = options('attendPattern', args, q)
  input('q', q, F32, ANY, ANY)
  input('k', k, F32, q.rows, keyColumns)
  output('out', out, F32, args.heads * q.rows, q.rows)
  send()
}

/** Arguments of {@link attendFrozen}. */
export interface AttendFrozen {
  /** H */ heads: number
  /** Default: heads. */ keyHeads?: number | undefined
  /** f32 [H · T, T]: as `attendPattern` wrote it. */ pattern: Tensor
  /** f32: values of B passes [B · T, keyHeads · W]; transposed, gradients [B · T, H · W]. */ x: Tensor
  /** From gradients of the result to gradients of the values. Default false. */ transpose?: boolean | undefined
  /** Adds what `out` held. Default false. */ accumulate?: boolean | undefined
  /** Out, f32 [B · T, H · W]; transposed, [B · T, keyHeads · W]. */ out: Tensor
}

const ATTEND_FROZEN = op('attend_frozen', 'heads', 'keyHeads', 'pattern', 'x', 'transpose', 'accumulate', 'out')

/**
 * Attention whose pattern is kept: a linear map of values, or its transpose, for a batch of passes over the same positions.
 *
 * @throws TransweldError as `sparseEncode` does.
 * @example
 * import { attendFrozen, openDevice } from 'transweld'
 * using device = openDevice('cpu')
 * using pattern = device.from(new Float32Array([1, 0, 0.5, 0.5]), 2, 2), x = device.from(new Float32Array([4, 2]), 2, 1)
 * using out = device.tensor('f32', 2, 1)
 * attendFrozen({ heads: 1, pattern, x, out })
 * console.log(await out.read())   // Float32Array(2) [ 4, 3 ]
 */
export function attendFrozen(args: AttendFrozen): void {
  begin(ATTEND_FROZEN, args)
  const { heads, keyHeads = heads, pattern, x, transpose = false, accumulate = false, out } = args
  number(integer('heads of attendFrozen', heads, 1, 0xFFFFFFFF))
  number(integer('keyHeads of attendFrozen', keyHeads, 1, heads))
  if (heads % keyHeads !== 0) throw invalid('keyHeads of attendFrozen', `a divisor of the ${heads} heads`, keyHeads)
  flag('transpose', transpose)
  flag('accumulate', accumulate)
  input('pattern', pattern, F32, ANY, ANY)
  const T = pattern.columns, [from, to] = transpose ? [heads, keyHeads] : [keyHeads, heads]
  if (pattern.rows !== heads * T) throw unfit('pattern', `${heads} · T rows of T columns`, pattern)
  input('x', x, F32, ANY, ANY)
  if (T === 0 ? x.rows !== 0 : x.rows % T !== 0) throw unfit('x', `a multiple of ${T} rows`, x)
  if (x.columns % from !== 0) throw unfit('x', `a number of columns that ${from} heads divide`, x)
  output('out', out, F32, x.rows, x.columns / from * to)
  send()
}

/** Arguments of {@link rope}. */
export interface Rope {
  /** In and out, f32 [N, heads · W]. */ x: Tensor
  heads: number
  /** u32 [1, N]: rows of angles. */ places: Tensor
  /** f32 [P, 2 · R], R ≤ W / 2: R cosines, then R sines, for each place. */ angles: Tensor
}

const ROPE = op('rope', 'x', 'heads', 'places', 'angles')

/**
 * Rotary positions, in place: in each head, columns j and j + R turn by an angle of the row's place, for j < R. Columns from 2 · R on stay.
 *
 * @throws TransweldError as `sparseEncode` does.
 * @example
 * import { openDevice, rope } from 'transweld'
 * using device = openDevice('cpu')
 * using x = device.from(new Float32Array([1, 2, 3]), 1, 3), places = device.from(new Uint32Array([1]), 1, 1)
 * using angles = device.from(new Float32Array([1, 0, 0, 1]), 2, 2)   // place 1: a quarter turn
 * rope({ x, heads: 1, places, angles })
 * console.log(await x.read())   // Float32Array(3) [ -2, 1, 3 ]
 */
export function rope(args: Rope): void {
  begin(ROPE, args)
  const { x, heads, places, angles } = args
  number(integer('heads of rope', heads, 1, 0xFFFFFFFF))
  input('places', places, U32, 1, ANY)
  input('angles', angles, F32, ANY, ANY)
  if (angles.columns % 2 !== 0) throw unfit('angles', 'an even number of columns', angles)
  output('x', x, F32, places.columns, ANY)
  if (x.columns % heads !== 0 || angles.columns > x.columns / heads) throw unfit('x', `${heads} heads of at least ${angles.columns} columns`, x)
  send()
}
