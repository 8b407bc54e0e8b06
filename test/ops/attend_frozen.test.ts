// attend_frozen: a kept pattern as a linear map and its transpose, beside tiles of 8 rows, 64 of them, and chunks of 256.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { attendFrozen } from '../../lib/tensor/ops.ts'
import { each } from './backend.ts'
import type { Bench } from './backend.ts'
import { canonicalSum } from './canonical.ts'
import { random } from './cases.ts'
import { at, attendFrozen as truth, matrix } from './reference.ts'
import type { AttendFrozen, Matrix } from './reference.ts'
import { close, expected, sameBits } from './tolerance.ts'

async function run(b: Bench, { pattern, x, old, ...options }: AttendFrozen): Promise<Float64Array> {
  const { heads, keyHeads = heads, transpose } = options, width = x.columns / (transpose ? heads : keyHeads)
  const columns = width * (transpose ? keyHeads : heads)
  const out = old ? b.up(old) : b.room(x.rows, columns)
  attendFrozen({ ...options, pattern: b.up(pattern), x: b.up(x), accumulate: old !== undefined, out })
  return b.down(out)
}

/** A pattern of random numbers, poison above the diagonal: nothing may read it. */
const poisoned = (T: number, heads: number): Matrix => {
  const values = random(4, heads * T, T)
  return matrix(heads * T, T, (row, j) => j > row % T ? NaN : at(values, row, j))
}

function frozen(T: number, passes: number, heads: number, keyHeads: number, width: number, transpose: boolean, accumulate = false): AttendFrozen {
  const [from, to] = transpose ? [heads, keyHeads] : [keyHeads, heads]
  return {
    pattern: poisoned(T, heads), x: random(5, passes * T, from * width), heads, keyHeads, transpose,
    ...(accumulate && { old: random(6, passes * T, to * width) }),
  }
}

const SHAPES = [
  [1, 1, 1, 1, 1], [1, 3, 2, 1, 4], [7, 2, 3, 3, 5], [8, 1, 2, 2, 16], [9, 5, 4, 2, 33], [31, 2, 6, 2, 64], [65, 1, 1, 1, 80], [73, 3, 3, 1, 17],
] as const

each('map and transpose, one pass and several, shared heads, with and without what out held', async b => {
  for (const [T, passes, heads, keyHeads, width] of SHAPES) {
    for (const transpose of [false, true]) {
      for (const accumulate of [false, true]) {
        const f = frozen(T, passes, heads, keyHeads, width, transpose, accumulate)
        close(`${passes} of ${T}, ${heads}/${keyHeads}×${width}${transpose ? ', transposed' : ''}`, await run(b, f), expected(r => truth(f, r).data))
      }
    }
  }
})

each('no pass, no position, no column', async b => {
  for (const transpose of [false, true]) {
    for (const [T, passes, width] of [[5, 0, 4], [0, 0, 4], [5, 2, 0]] as const) {
      assert.is((await run(b, frozen(T, passes, 2, 1, width, transpose))).length, passes * T * width * (transpose ? 1 : 2))
    }
  }
})

each('beside a chunk', async b => {
  for (const T of [256, 257, 523]) {
    for (const transpose of [false, true]) {
      const f = frozen(T, 1, 2, 1, 1, transpose, true)
      close(`${T}${transpose ? ', transposed' : ''}`, await run(b, f), expected(r => truth(f, r).data))
    }
  }
})

each('the order of op_table.h, to the bit, where the device keeps it', async b => {
  const { madd } = b
  if (!madd) return
  const T = 300, f = frozen(T, 1, 2, 1, 2, false), actual = await run(b, f)
  const transposed = frozen(T, 1, 2, 1, 2, true), back = await run(b, transposed)
  for (const position of [0, 5, 255, 256, 299]) {
    for (const column of [0, 3]) {
      const h = column >> 1, d = column % 2
      const sum = canonicalSum(position + 1, j => at(f.pattern, h * T + position, j), j => at(f.x, j, d), madd)
      sameBits(`row ${position}, column ${column}`, [actual[position * 4 + column]!], [sum])
    }
    for (const d of [0, 1]) {
      const heads = [0, 1].map(h => chunked(position, T, i => at(transposed.pattern, h * T + i, position), i => at(transposed.x, i, h * 2 + d)))
      sameBits(`transposed, row ${position}, column ${d}`, [back[position * 2 + d]!], [Math.fround(heads[0]! + heads[1]!)])
    }
  }
  // From position `begin` on, chunks counted from position 0.
  function chunked(begin: number, end: number, p: (i: number) => number, x: (i: number) => number): number {
    const edge = Math.min(end, (Math.floor(begin / 256) + 1) * 256)
    const first = canonicalSum(edge - begin, i => p(begin + i), i => x(begin + i), madd!)
    return edge === end ? first : Math.fround(first + canonicalSum(end - edge, i => p(edge + i), i => x(edge + i), madd!))
  }
})

each('a pass has the same bits alone and among others', async b => {
  for (const transpose of [false, true]) {
    const T = 70, f = frozen(T, 5, 4, 2, 24, transpose), all = await run(b, f), size = T * f.x.columns
    for (const pass of [0, 3]) {
      const alone = await run(b, { ...f, x: matrix(T, f.x.columns, f.x.data.subarray(pass * size, (pass + 1) * size)) })
      sameBits(`pass ${pass}`, alone, all.subarray(pass * alone.length, (pass + 1) * alone.length))
    }
  }
})

each('a NaN reaches what sees it and no other pass', async b => {
  for (const transpose of [false, true]) {
    const T = 20, f = frozen(T, 2, 1, 1, 4, transpose)
    f.x.data[(T + 9) * 4 + 1] = NaN
    const actual = await run(b, f)
    for (let row = 0; row < 2 * T; row++) {
      const sees = row >= T && (transpose ? row - T <= 9 : row - T >= 9)
      for (let d = 0; d < 4; d++) assert.is(Number.isNaN(actual[row * 4 + d]!), sees && d === 1, `row ${row}, column ${d}`)
    }
  }
})

each('the transpose is the transpose: <Ax, y> = <x, Aᵀy>', async b => {
  const [T, passes, heads, keyHeads, width] = [45, 3, 6, 2, 16]
  const f = frozen(T, passes, heads, keyHeads, width, false), y = random(7, passes * T, heads * width)
  const ax = await run(b, f), back = await run(b, { ...f, x: y, transpose: true })
  const inner = (a: ArrayLike<number>, c: ArrayLike<number>): number => Array.from(a).reduce((sum, value, i) => sum + value * c[i]!, 0)
  const size = Math.sqrt(inner(ax, ax) * inner(y.data, y.data))
  assert.ok(Math.abs(inner(ax, y.data) - inner(f.x.data, back)) < 1e-5 * size)
})

test.run()
