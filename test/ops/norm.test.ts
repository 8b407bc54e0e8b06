// norm: layer norm and RMS norm, of whole rows and of groups, with and without gain and bias, to the bit where the order is fixed.
import { test } from 'uvu'
import { norm } from '../../lib/tensor/ops.ts'
import { each } from './backend.ts'
import type { Bench } from './backend.ts'
import { add, canonicalDot } from './canonical.ts'
import type { MultiplyAdd } from './canonical.ts'
import { hostileRows, random } from './cases.ts'
import { at, matrix, norm as truth } from './reference.ts'
import type { Matrix, NormKind } from './reference.ts'
import { close, expectedAll, sameBits } from './tolerance.ts'

const KINDS = ['layer', 'rms'] as const
const EPSILON = Math.fround(1e-5)

interface Given { x: Matrix, kind: NormKind, groups?: number, gain?: Matrix, bias?: Matrix, epsilon?: number }
interface Result { out: Float64Array, normalised: Float64Array, inverse: Float64Array }

async function run(b: Bench, { x, kind, groups = 1, gain, bias, epsilon = EPSILON }: Given): Promise<Result> {
  const out = b.room(x.rows, x.columns), normalised = b.room(x.rows, x.columns), inverse = b.room(x.rows, groups)
  norm({ x: b.up(x), kind, groups, ...(gain && { gain: b.up(gain) }), ...(bias && { bias: b.up(bias) }), epsilon, normalised, inverse, out })
  return { out: await b.down(out), normalised: await b.down(normalised), inverse: await b.down(inverse) }
}

/** Every result by the canonical order. */
function canonical({ x, kind, groups = 1, gain, bias, epsilon = EPSILON }: Given, madd: MultiplyAdd): Result {
  const width = x.columns / groups, f = Math.fround
  const mean = new Float64Array(x.rows * groups), inverse = new Float64Array(x.rows * groups)
  const normalised = new Float64Array(x.data.length), out = new Float64Array(x.data.length)
  for (let i = 0; i < inverse.length; i++) {
    const first = Math.floor(i / groups) * x.columns + i % groups * width
    const value = (k: number): number => x.data[first + k]!, one = (): number => 1
    if (kind === 'layer') mean[i] = f(canonicalDot(width, value, one, madd) / width)
    const square = (k: number): number => f(f(value(k) - mean[i]!) ** 2)
    const squares = kind === 'layer' ? canonicalDot(width, square, one, madd) : canonicalDot(width, value, value, madd)
    inverse[i] = f(1 / f(Math.sqrt(add(f(squares / width), epsilon))))
    for (let k = 0; k < width; k++) {
      const y = normalised[first + k] = f(f(value(k) - mean[i]!) * inverse[i]!)
      out[first + k] = !gain ? y : bias ? madd(y, at(gain, 0, k), at(bias, 0, k)) : f(y * at(gain, 0, k))
    }
  }
  return { out, normalised, inverse }
}

async function check(b: Bench, what: string, given: Given): Promise<void> {
  const actual = await run(b, given), { groups = 1, epsilon = EPSILON } = given, wanted = b.madd && canonical(given, b.madd)
  const all = expectedAll(r => {
    const { out, normalised, inverse } = truth({ ...given, groups, epsilon }, r)
    return [out.data, normalised.data, inverse.data]
  })
  for (const [i, key] of (['out', 'normalised', 'inverse'] as const).entries()) {
    close(`${what} ${key}`, actual[key], all[i]!)
    if (wanted) sameBits(`${what} ${key}`, actual[key], wanted[key])
  }
}

for (const kind of KINDS) {
  each(`${kind}: shapes, and rows far from zero`, async b => {
    for (const [rows, width] of [[1, 1], [0, 5], [3, 7], [7, 31], [33, 16], [5, 33], [2, 1031], [1, 12_300]] as const) {
      const gain = random(2, 1, width, 0.5, 1.5), bias = random(3, 1, width)
      for (const x of [random(1, rows, width), random(1, rows, width, 99, 101)]) {
        await check(b, `${rows}×${width}`, { x, kind, gain, bias })
        await check(b, `${rows}×${width} no bias`, { x, kind, gain })
        await check(b, `${rows}×${width} no gain`, { x, kind })
      }
    }
    await check(b, 'all equal', { x: matrix(4, 33, () => 3), kind })
    await check(b, 'zeros', { x: matrix(4, 33), kind })
    await check(b, 'tiny', { x: matrix(4, 33, random(4, 4, 33).data.map(value => Math.fround(value * 1e-15))), kind, epsilon: 0 })
  })

  each(`${kind}: groups`, async b => {
    for (const [rows, groups, width] of [[1, 1, 1], [3, 2, 1], [0, 3, 4], [5, 3, 7], [2, 12, 64], [7, 5, 33], [1, 33, 128]] as const) {
      const x = random(1, rows, groups * width, -1, 3), gain = random(2, 1, width, 0.5, 1.5), bias = random(3, 1, width)
      await check(b, `${rows}×${groups}×${width}`, { x, kind, groups, gain, bias })
      await check(b, `${rows}×${groups}×${width} no gain`, { x, kind, groups })
    }
  })

  each(`${kind}: a row has the same bits in any batch, whatever the others are; NaN and infinity stay in their row`, async b => {
    const x = hostileRows(5, 24, 90), gain = random(6, 1, 45)
    const all = await run(b, { x, kind, groups: 2, gain })
    for (let n = 0; n < 24; n++) {
      const one = await run(b, { x: matrix(1, 90, x.data.subarray(n * 90, n * 90 + 90)), kind, groups: 2, gain })
      sameBits(`row ${n}`, one.out, all.out.subarray(n * 90, n * 90 + 90))
    }
    const spoilt = Array.from({ length: 24 }, (_, n) => all.out.subarray(n * 90, n * 90 + 90).some(Number.isNaN))
    spoilt.slice(0, 9).forEach((is, n) => { if (is !== [6, 7, 8].includes(n)) throw new Error(`NaN in row ${n}: ${is}`) })
  })

  each(`${kind}: in place`, async b => {
    const x = random(7, 9, 70), gain = random(8, 1, 35), bias = random(9, 1, 35), apart = b.room(9, 70), inner = b.up(x)
    norm({ x: b.up(x), kind, groups: 2, gain: b.up(gain), bias: b.up(bias), epsilon: EPSILON, out: apart })
    norm({ x: inner, kind, groups: 2, gain: b.up(gain), bias: b.up(bias), epsilon: EPSILON, out: inner })
    sameBits('out is x', await b.down(inner), await b.down(apart))
  })
}

test.run()
