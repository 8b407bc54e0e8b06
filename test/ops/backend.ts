// Backends are a loop, not a file: each test runs on every device there is, once with whole tensors and once with views
// that start off alignment inside a poisoned frame. Reading a view checks that its frame is untouched.
import { test } from 'uvu'
import { devices } from '../../lib/native/backend.ts'
import { Pattern } from '../../lib/tensor/codes.ts'
import { openDevice } from '../../lib/tensor/device.ts'
import type { Device } from '../../lib/tensor/device.ts'
import type { ArrayOf, Dtype } from '../../lib/tensor/dtype.ts'
import type { Tensor } from '../../lib/tensor/tensor.ts'
import { isAsked } from './asked.ts'
import { CLASSES } from './canonical.ts'
import type { MultiplyAdd } from './canonical.ts'
import { SEED } from './cases.ts'
import { fromBits, toBits, roundTo } from './reference.ts'
import type { Matrix, Pattern as PatternOf } from './reference.ts'

type Layout = 'whole' | 'view'

/** What no op writes and no op may read: NaN spoils any sum, and as an index it is out of every range. */
const poison = (dtype: Dtype): number => dtype === 'i8' ? -101 : dtype === 'u32' || dtype === 'u64' ? 77_777 : NaN

const encode: { [D in Dtype]: (values: ArrayLike<number>) => ArrayOf[D] } = {
  f32: values => new Float32Array(values),
  bf16: values => Uint16Array.from(values, value => toBits('bf16', roundTo('bf16', value))),
  f16: values => Uint16Array.from(values, value => toBits('f16', roundTo('f16', value))),
  i8: values => new Int8Array(values),
  u32: values => new Uint32Array(values),
  u64: values => BigUint64Array.from(Array.from(values), BigInt),
}

function decode(dtype: Dtype, data: ArrayOf[Dtype]): Float64Array {
  if (dtype === 'bf16' || dtype === 'f16') return Float64Array.from(data as Uint16Array, bits => fromBits(dtype, bits))
  return data instanceof BigUint64Array ? Float64Array.from(data, Number) : new Float64Array(data)
}

/** A device in one layout, with what tests put on it and take from it. Numbers cross as float64. */
export class Bench {
  readonly device: Device
  readonly layout: Layout
  /** Multiply-add of the device's class of bits, where it can be emulated. */
  readonly madd: MultiplyAdd | undefined
  readonly #frames = new Map<Tensor, { whole: Tensor, before: Float64Array, inside: (i: number) => boolean }>()
  readonly #made: Tensor[] = []

  constructor(device: Device, layout: Layout) {
    this.device = device
    this.layout = layout
    this.madd = CLASSES[device.bits]
  }

  /** A tensor of given values, rounded to its dtype. */
  up<D extends Dtype = 'f32'>({ rows, columns, data }: Matrix, dtype = 'f32' as D): Tensor<D> {
    return this.#place(rows, columns, dtype, data, this.layout)
  }

  /** A row of whole numbers. */
  ints<D extends 'u32' | 'u64'>(values: readonly number[], dtype: D): Tensor<D> {
    return this.#place(1, values.length, dtype, values, this.layout)
  }

  /** Room for a result: poisoned, so that what is not written shows. */
  room<D extends Dtype = 'f32'>(rows: number, columns: number, dtype = 'f32' as D): Tensor<D> {
    return this.#place(rows, columns, dtype, new Float64Array(rows * columns).fill(poison(dtype)), this.layout)
  }

  /** Bytes without a frame, for what has no shape of its own. */
  bytes(count: number): Tensor<'i8'> {
    return this.#place(1, count, 'i8', new Float64Array(count), 'whole')
  }

  /** A pattern: fixed where K is given, else ragged with `spare` positions more than it needs. */
  codes({ starts, index }: PatternOf, features: number, k?: number, spare = 0): Pattern {
    const rows = starts.length - 1
    if (k !== undefined) return new Pattern(this.#place(rows, k, 'u32', index, this.layout, 0), rows, features)
    const padded = [...index, ...new Array<number>(spare).fill(poison('u32'))]
    return new Pattern(this.ints(padded, 'u32'), rows, features, this.ints([...starts], 'u64'))
  }

  /** A plane over a pattern: given values, poison beyond them. */
  plane({ index }: Pattern, values: ArrayLike<number> = []): Tensor<'f32'> {
    const padded = Float64Array.from({ length: index.rows * index.columns }, (_, i) => values[i] ?? NaN)
    return this.#place(index.rows, index.columns, 'f32', padded, this.layout, 0)
  }

  /** A tensor's values. Throws where the frame of a view was written to. */
  async down(tensor: Tensor): Promise<Float64Array> {
    const values = decode(tensor.dtype, await tensor.read())
    const frame = this.#frames.get(tensor)
    if (frame) {
      const after = decode(frame.whole.dtype, await frame.whole.read())
      const broken = after.findIndex((value, i) => !frame.inside(i) && !Object.is(value, frame.before[i]))
      if (broken >= 0) throw new Error(`an op wrote ${after[broken]} outside of its view ${tensor}, at element ${broken} of ${frame.whole}`)
    }
    return values
  }

  /** Frees what the test made. */
  clear(): void {
    for (const tensor of this.#made.splice(0)) tensor.dispose()
    this.#frames.clear()
  }

  /** The values, whole or within a frame of one row and `side` columns (3 before, the rest behind). */
  #place<D extends Dtype>(rows: number, columns: number, dtype: D, values: ArrayLike<number>, layout: Layout, side = 5): Tensor<D> {
    const left = side && 3
    if (layout === 'whole') {
      const tensor = this.device.from(encode[dtype](values), rows, columns, dtype)
      this.#made.push(tensor)
      return tensor
    }
    const width = columns + side, count = (rows + 2) * width
    const inside = (i: number): boolean => {
      const row = Math.floor(i / width) - 1, column = i % width - left
      return row >= 0 && row < rows && column >= 0 && column < columns
    }
    const before = Float64Array.from({ length: count }, (_, i) =>
      inside(i) ? values[(Math.floor(i / width) - 1) * columns + i % width - left]! : poison(dtype))
    const whole = this.device.from(encode[dtype](before), rows + 2, width, dtype)
    const tensor = whole.view(1, rows + 1, left, left + columns)
    this.#made.push(whole)
    this.#frames.set(tensor, { whole, before: decode(dtype, encode[dtype](before)), inside })
    return tensor
  }
}

const benches = devices().devices.filter(isAsked).flatMap(({ device }) => {
  const opened = openDevice(device)
  return (['whole', 'view'] as const).map(layout => new Bench(opened, layout))
})

/** A test on every device and in both layouts. */
export function each(name: string, body: (bench: Bench) => Promise<void>): void {
  for (const bench of benches) {
    test(`${name} (${bench.device.name} ${bench.device.code}, ${bench.layout}, seed ${SEED})`, async () => {
      try { await body(bench) } finally { bench.clear() }
    })
  }
}
