// norm_frozen: the map and its transpose, for batches of passes; to the bit; and the two laws that make it what it is.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { norm, normFrozen } from '../../lib/tensor/ops.ts'
import { each } from './backend.ts'
import type { Bench } from './backend.ts'
import { add, canonicalDot } from './canonical.ts'
import type { MultiplyAdd } from './canonical.ts'
import { random } from './cases.ts'
import { at, exact, matrix, norm as formed, normFrozen as truth } from './reference.ts'
import type { Matrix, NormFrozen } from './reference.ts'
import { close, expected, sameBits } from './tolerance.ts'

const KINDS = ['layer', 'rms'] as const

async function run(b: Bench, { kind, groups, x, gain, inverse, transpose, old }: NormFrozen): Promise<Float64Array> {
  const out = old ? b.up(old) : b.room(x.rows, x.columns)
  normFrozen({ kind, groups, x: b.up(x), ...(gain && { gain: b.up(gain) }), inverse: b.up(inverse), transpose, accumulate: old !== undefined, out })
  return b.down(out)
}

/** By the canonical order. */
function canonical({ kind, groups, x, gain, inverse, transpose, old }: NormFrozen, madd: MultiplyAdd): Float64Array {
  const width = x.columns / groups, f = Math.fround
  const weight = (k: number): number => gain ? at(gain, 0, k) : 1
  const t = (n: number, g: number, k: number): number => f(at(x, n, g * width + k) * (transpose ? weight(k) : 1))
  const mean = matrix(x.rows, groups, (n, g) => kind === 'layer' ? f(canonicalDot(width, k => t(n, g, k), () => 1, madd) / width) : 0)
  return matrix(x.rows, x.columns, (n, d) => {
    const g = Math.floor(d / width), k = d % width
    const y = f(f(t(n, g, k) - at(mean, n, g)) * at(inverse, n % inverse.rows, g)), out = transpose ? y : f(y * weight(k))
    return old ? add(out, at(old, n, d)) : out
  }).data
}

const SHAPES = [[1, 1, 1, 1], [0, 0, 1, 5], [0, 3, 2, 4], [1, 5, 1, 7], [3, 2, 3, 33], [2, 9, 1, 131], [1, 2, 1, 3000], [1, 1, 1, 12_300], [4, 1, 12, 64]] as const

for (const kind of KINDS) {
  for (const transpose of [false, true]) {
    each(`${kind}${transpose ? ', transposed' : ''}: passes × positions × groups × width`, async b => {
      for (const [passes, positions, groups, width] of SHAPES) {
        const rows = passes * positions, x = random(1, rows, groups * width, -1, 2), gain = random(2, 1, width, 0.5, 1.5)
        const inverse = random(3, positions, groups, 0.1, 3), old = random(4, rows, groups * width)
        for (const more of [{}, { gain }, { gain, old }, { old }]) {
          const given = { kind, groups, x, inverse, transpose, ...more }, what = `${passes}×${positions}×${groups}×${width} ${Object.keys(more)}`
          const actual = await run(b, given)
          close(what, actual, expected(r => truth(given, r).data))
          if (b.madd) sameBits(what, actual, canonical(given, b.madd))
        }
      }
    })

    each(`${kind}${transpose ? ', transposed' : ''}: in place, and added to itself`, async b => {
      const x = random(5, 6, 70), gain = random(6, 1, 35), inverse = random(7, 3, 2)
      for (const accumulate of [false, true]) {
        const inner = b.up(x)
        normFrozen({ kind, groups: 2, x: inner, gain: b.up(gain), inverse: b.up(inverse), transpose, accumulate, out: inner })
        const apart = await run(b, { kind, groups: 2, x, gain, inverse, transpose, ...(accumulate && { old: x }) })
        sameBits(`accumulate ${accumulate}`, await b.down(inner), apart)
      }
    })
  }

  each(`${kind}: the map of the rows it was frozen on is their norm`, async b => {
    const x = random(8, 7, 99, -1, 3), gain = b.up(random(9, 1, 33, 0.5, 1.5)), rows = b.up(x)
    const inverse = b.room(7, 3), out = b.room(7, 99), again = b.room(7, 99)
    norm({ x: rows, kind, groups: 3, gain, epsilon: 1e-5, inverse, out })
    normFrozen({ x: rows, kind, groups: 3, gain, inverse, out: again })
    sameBits('out', await b.down(again), await b.down(out))
  })

  test(`${kind}: the truth's transpose is the transpose, and the map is the norm less its bias`, () => {
    const x = random(10, 6, 40, -1, 3), y = random(11, 6, 40), gain = random(12, 1, 20, 0.5, 1.5)
    const { inverse, out } = formed({ kind, groups: 2, x, gain, epsilon: 1e-5 }, exact)
    const map = (m: Matrix, transpose: boolean): Matrix => truth({ kind, groups: 2, x: m, gain, inverse, transpose }, exact)
    const product = (a: Matrix, b: Matrix): number => a.data.reduce((sum, value, i) => sum + value * b.data[i]!, 0)
    assert.ok(Math.abs(product(map(x, false), y) - product(x, map(y, true))) < 1e-9)
    assert.ok(map(x, false).data.every((value, i) => Math.abs(value - out.data[i]!) < 1e-12))
  })
}

each('NaN and infinity stay in their group', async b => {
  const x = random(13, 4, 66)
  x.data[1 * 66 + 40] = NaN
  x.data[2 * 66 + 3] = Infinity
  const clean = random(13, 4, 66), inverse = random(14, 2, 2)
  const given = { kind: 'layer', groups: 2, inverse, transpose: false } as const
  const all = await run(b, { ...given, x }), wanted = await run(b, { ...given, x: clean })
  for (let i = 0; i < all.length; i += 33) {
    const spoilt = i === 1 * 66 + 33 || i === 2 * 66
    assert.is(all.subarray(i, i + 33).some(value => !Number.isFinite(value)), spoilt)
    if (!spoilt) sameBits(`group at ${i}`, all.subarray(i, i + 33), wanted.subarray(i, i + 33))
  }
})

test.run()
