// sparse_sample: dot products only where codes are, and the penalty on their decoder norms.
import { test } from 'uvu'
import { sparseSample } from '../../lib/tensor/ops.ts'
import { each } from './backend.ts'
import type { Bench } from './backend.ts'
import { canonicalSum, rowDot } from './canonical.ts'
import { CODER_SHAPES, hostileRows, ks, planeWithZeros, raggedPattern, random, randomPattern } from './cases.ts'
import { at, rowsOf, sparseSample as truth, stored } from './reference.ts'
import type { Matrix, Pattern } from './reference.ts'
import { close, expectedAll, sameBits } from './tolerance.ts'

interface Case { codes: Pattern, fixedK?: number, g: Matrix, weight: Matrix, gate?: Float32Array, norms?: Matrix, penalty: number }

async function check(b: Bench, what: string, { fixedK, ...c }: Case, storage: 'f32' | 'bf16' | 'f16' = 'f32', shared?: number): Promise<void> {
  const args = { ...c, penalty: Math.fround(c.penalty), weight: stored(c.weight, storage) }
  const weight = b.up(c.weight, storage), g = b.up(c.g)
  const run = async (): Promise<[Float64Array, Float64Array]> => {
    const codes = b.codes(c.codes, c.weight.rows, fixedK)
    const out = b.plane(codes), penaltySum = b.room(1, 1)
    sparseSample({
      codes, g, weight, penalty: c.penalty, out,
      ...(c.gate && { gate: b.plane(codes, c.gate) }), ...(c.norms && { norms: b.up(c.norms), penaltySum }),
    })
    return [(await b.down(out)).subarray(0, c.codes.index.length), c.norms ? await b.down(penaltySum) : new Float64Array()]
  }
  const [out, sum] = await run(), again = await run()
  sameBits(`${what}, again`, again[0], out)
  sameBits(`${what}, sum again`, again[1], sum)
  const [values, penalty] = expectedAll(r => {
    const result = truth(args, r)
    return [result.out, [result.penaltySum]]
  }, [shared])
  close(what, out, values!)
  if (c.norms) close(`${what} penalty`, sum, penalty!)
  const madd = b.madd
  if (!madd) return
  if (c.norms && c.gate) {
    const rowSum = (n: number): number => {
      const first = c.codes.starts[n]!
      return canonicalSum(c.codes.starts[n + 1]! - first, i => c.gate![first + i]!, i => at(c.norms!, 0, c.codes.index[first + i]!), madd)
    }
    const total = canonicalSum(rowsOf(c.codes), rowSum, () => 1, madd)
    sameBits(`${what} penalty`, sum, [Math.fround(args.penalty * total)])
    return
  }
  const row = (i: number): number => c.codes.starts.findIndex(start => start > i) - 1
  sameBits(what, out, c.codes.index.map((f, i) => c.gate && c.gate[i] === 0 ? 0 : rowDot(c.g, row(i), args.weight, f, madd)))
}

each('with and without gate, every storage', async b => {
  for (const [rows, width, features] of CODER_SHAPES) {
    for (const k of ks(features)) {
      const codes = randomPattern(1, rows, k, features)
      const c = { codes, fixedK: k, g: random(2, rows, width), weight: random(3, features, width), penalty: 0 }
      const gate = planeWithZeros(4, codes.index.length)
      const what = `${rows}×${width}×${features} K ${k}`
      await check(b, `${what} no gate`, c)
      for (const storage of ['f32', 'bf16', 'f16'] as const) await check(b, `${what} ${storage}`, { ...c, gate }, storage)
      await check(b, `${what} penalty`, { ...c, gate, norms: random(5, 1, features, 0, 2), penalty: 0.3 })
    }
  }
})

each('ragged, with the penalty; more rows than a chunk', async b => {
  for (const [rows, width, features] of [...CODER_SHAPES, [300, 5, 20] as const, [513, 3, 7] as const]) {
    const codes = raggedPattern(6, rows, 40, features)
    const gate = planeWithZeros(7, codes.index.length).map(Math.abs)
    await check(b, `ragged ${rows}×${width}×${features}`,
      { codes, gate, g: random(8, rows, width), weight: random(9, features, width), norms: random(10, 1, features, 0, 2), penalty: 1e-3 })
  }
})

each('hostile rows', async b => {
  const codes = randomPattern(11, 24, 4, 13)
  await check(b, 'hostile', { codes, fixedK: 4, g: hostileRows(12, 24, 37), weight: random(13, 13, 37), penalty: 0 }, 'f32', 4)
})

test.run()
