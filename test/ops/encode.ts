// Runs sparse_encode as the tests of encoding and of screening both need it.
import { screenBytes, screenRows, sparseEncode } from '../../lib/tensor/ops.ts'
import type { Tensor } from '../../lib/tensor/tensor.ts'
import type { Bench } from './backend.ts'
import type { Matrix } from './reference.ts'
import { sameBits } from './tolerance.ts'

/** A low precision that a device may screen in. */
export type Screen = 'bf16' | 'int8'

/** What to encode, and how. A ragged pattern has `capacity` positions; a fixed one has k. */
export interface Encoding {
  rule: 'topk' | 'positive', relu: boolean, k: number, x: Matrix, weight: Matrix, bias?: Matrix, subset?: number[]
  capacity?: number, screen?: Screen, certificateScale?: number
}

/** Codes as plain numbers. Only the positions that rows own are there. */
export interface Encoded { starts: number[], index: Float64Array, z: Float64Array, needed: number, candidates: number, plainRows: number }

interface CodesOnly { readonly starts: readonly number[], readonly index: ArrayLike<number>, readonly z: ArrayLike<number> }

/** The modes that a device has for weights of this shape. */
export const screensOf = (b: Bench, weight: Matrix): Screen[] =>
  (['bf16', 'int8'] as const).filter(screen => screenBytes(b.device, screen, weight.rows, weight.columns) > 0)

/** The shadow of weights, made by screen_rows. */
export function shadowOf(b: Bench, screen: Screen, weight: Tensor<'f32'>): Tensor<'i8'> {
  const shadow = b.bytes(screenBytes(b.device, screen, weight.rows, weight.columns))
  screenRows({ screen, weight, shadow })
  return shadow
}

/** Encodes; weights and shadow may be on the device already. */
export async function encode(b: Bench, e: Encoding, weight = b.up(e.weight), shadow?: Tensor<'i8'>): Promise<Encoded> {
  const rows = e.x.rows, features = e.weight.rows, isFixed = e.rule === 'topk'
  const capacity = e.capacity ?? rows * (e.subset?.length ?? features)
  const blank = isFixed ? { starts: Array.from({ length: rows + 1 }, (_, n) => n * e.k), index: new Array<number>(rows * e.k).fill(0) }
    : { starts: new Array<number>(rows + 1).fill(0), index: new Array<number>(capacity).fill(0) }
  const codes = b.codes(blank, features, isFixed ? e.k : undefined)
  const z = b.plane(codes), counts = b.room(1, 4, 'u64')
  const given = e.screen && (shadow ?? shadowOf(b, e.screen, weight))
  sparseEncode({
    rule: e.rule, relu: e.relu, screen: e.screen ?? 'none', x: b.up(e.x), weight, ...(e.bias && { bias: b.up(e.bias) }),
    ...(e.subset && { subset: b.ints(e.subset, 'u32') }), ...(given && { shadow: given }), codes, z, counts,
    ...(e.certificateScale !== undefined && { certificateScale: e.certificateScale }),
  })
  const [needed, candidates, plainRows] = await b.down(counts)
  const starts = isFixed ? blank.starts : Array.from(await b.down(codes.starts!))
  const end = starts.at(-1)!
  return {
    starts, index: (await b.down(codes.index)).subarray(0, end), z: (await b.down(z)).subarray(0, end),
    needed: needed!, candidates: candidates!, plainRows: plainRows!,
  }
}

/** Throws unless both hold the same codes to the bit. */
export function sameCodes(what: string, actual: CodesOnly, wanted: CodesOnly): void {
  sameBits(`${what} starts`, actual.starts, wanted.starts)
  sameBits(`${what} index`, actual.index, wanted.index)
  sameBits(`${what} z`, actual.z, wanted.z)
}
