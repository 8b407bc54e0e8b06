// sparse_decode: sums of weighted feature rows, in stored order, to the bit.
import { test } from 'uvu'
import { sparseDecode } from '../../lib/tensor/ops.ts'
import { each } from './backend.ts'
import { add, canonicalSum } from './canonical.ts'
import { CODER_SHAPES, ks, planeWithZeros, raggedPattern, random, randomPattern } from './cases.ts'
import { at, matrix, rowsOf, sparseDecode as truth, stored } from './reference.ts'
import type { Matrix, Pattern } from './reference.ts'
import { close, expected, sameBits } from './tolerance.ts'
import type { Bench } from './backend.ts'

interface Case { codes: Pattern, fixedK?: number, z: Float32Array, weight: Matrix, bias?: Matrix, old?: Matrix }

async function check(b: Bench, what: string, { fixedK, ...c }: Case, storage: 'f32' | 'bf16' | 'f16'): Promise<void> {
  const rows = rowsOf(c.codes), width = c.weight.columns
  const weight = b.up(c.weight, storage)
  const args = { ...c, weight: stored(c.weight, storage) }
  const run = async (): Promise<Float64Array> => {
    const out = c.old ? b.up(c.old) : b.room(rows, width)
    const codes = b.codes(c.codes, c.weight.rows, fixedK)
    sparseDecode({ codes, z: b.plane(codes, c.z), weight, ...(c.bias && { bias: b.up(c.bias) }), out, accumulate: c.old !== undefined })
    return b.down(out)
  }
  const out = await run()
  close(what, out, expected(r => truth(args, r).data, width))
  sameBits(`${what}, again`, await run(), out)
  if (!b.madd) return
  const madd = b.madd
  sameBits(what, out, matrix(rows, width, (n, o) => {
    const first = c.codes.starts[n]!
    let sum = canonicalSum(c.codes.starts[n + 1]! - first, i => c.z[first + i]!, i => at(args.weight, c.codes.index[first + i]!, o), madd)
    if (c.bias) sum = add(sum, at(c.bias, 0, o))
    return c.old ? add(sum, at(c.old, n, o)) : sum
  }).data)
}

each('fixed K, every storage, with and without bias and old output', async b => {
  for (const [rows, width, features] of CODER_SHAPES) {
    for (const k of ks(features)) {
      const codes = randomPattern(1, rows, k, features)
      const c = { codes, fixedK: k, z: planeWithZeros(2, codes.index.length), weight: random(3, features, width) }
      const what = `${rows}×${width}×${features} K ${k}`
      for (const storage of k <= 3 ? ['f32', 'bf16', 'f16'] as const : ['f32'] as const) await check(b, `${what} ${storage}`, c, storage)
      await check(b, `${what} old`, { ...c, bias: random(4, 1, width), old: random(5, rows, width) }, 'f32')
    }
  }
})

each('ragged rows, empty ones among them', async b => {
  for (const [rows, width, features] of CODER_SHAPES) {
    const codes = raggedPattern(6, rows, 40, features)
    const c = { codes, z: planeWithZeros(7, codes.index.length), weight: random(8, features, width), bias: random(9, 1, width) }
    await check(b, `ragged ${rows}×${width}×${features}`, c, 'f32')
    await check(b, `ragged ${rows}×${width}×${features} old`, { ...c, old: random(5, rows, width) }, 'bf16')
  }
})

each('more positions than a chunk of 256', async b => {
  for (const k of [255, 256, 257, 600]) {
    const codes = randomPattern(10, 3, k, 700)
    await check(b, `K ${k}`, { codes, fixedK: k, z: planeWithZeros(11, 3 * k), weight: random(12, 700, 19) }, 'f32')
  }
})

each('NaN and infinities reach the output, in their own rows only', async b => {
  const codes = randomPattern(13, 4, 3, 9), z = planeWithZeros(14, 12)
  z.set([NaN, 1, 1, Infinity, 1, 1, 1e38, 1e38, 1e38])
  const weight = matrix(9, 5, () => 2)
  await check(b, 'not finite', { codes, fixedK: 3, z, weight }, 'f32')
})

test.run()
