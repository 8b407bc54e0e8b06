// feature_major: the same positions in another order, exactly; and who fired.
import { test } from 'uvu'
import { featureMajor } from '../../lib/tensor/ops.ts'
import { each } from './backend.ts'
import type { Bench } from './backend.ts'
import { CODER_SHAPES, ks, planeWithZeros, raggedPattern, randomPattern } from './cases.ts'
import { featureMajor as truth, rowsOf } from './reference.ts'
import type { Pattern } from './reference.ts'
import { sameBits } from './tolerance.ts'

const MANY = randomPattern(6, 4200, 8, 9)

async function check(b: Bench, what: string, pattern: Pattern, features: number, fixedK?: number, spare = 0): Promise<void> {
  const z = planeWithZeros(1, pattern.index.length)
  const wanted = truth({ codes: pattern, features, z })
  const codes = b.codes(pattern, features, fixedK, spare)
  const capacity = pattern.index.length + spare
  const major = {
    featureStarts: b.room(1, features + 1, 'u64'), rows: b.room(1, capacity, 'u32'), slots: b.room(1, capacity, 'u32'),
    fired: b.room(1, features, 'u32'),
  }
  featureMajor({ codes, features, codeRows: rowsOf(pattern), z: b.plane(codes, z), ...major })
  sameBits(`${what} starts`, await b.down(major.featureStarts), wanted.starts)
  sameBits(`${what} rows`, (await b.down(major.rows)).subarray(0, wanted.rows.length), wanted.rows)
  sameBits(`${what} slots`, (await b.down(major.slots)).subarray(0, wanted.slots.length), wanted.slots)
  sameBits(`${what} fired`, await b.down(major.fired), wanted.fired)
}

each('fixed', async b => {
  for (const [rows, , features] of CODER_SHAPES) {
    for (const k of ks(features)) await check(b, `${rows}×${features} K ${k}`, randomPattern(3, rows, k, features), features, k)
  }
})

each('ragged, with room to spare', async b => {
  for (const [rows, , features] of [...CODER_SHAPES, [700, 0, 5] as const, [3, 0, 4099] as const]) {
    const codes = raggedPattern(4, rows, 30, features)
    await check(b, `ragged ${rows}×${features}`, codes, features)
    await check(b, `spare ${rows}×${features}`, codes, features, undefined, 7)
  }
})

each('more features than two digits of a sort hold, more positions than its small tiles', async b => {
  await check(b, 'three digits', { starts: [0, 3, 5, 9], index: [269_999, 3, 262_144, 0, 262_143, 511, 512, 269_999, 1] }, 270_000)
  await check(b, 'large tiles', MANY, 9, 8)
})

each('without a plane only the order is made', async b => {
  const pattern = randomPattern(5, 6, 3, 8), wanted = truth({ codes: pattern, features: 8 })
  const featureStarts = b.room(1, 9, 'u64'), rows = b.room(1, 18, 'u32'), slots = b.room(1, 18, 'u32')
  featureMajor({ codes: b.codes(pattern, 8, 3), features: 8, codeRows: 6, featureStarts, rows, slots })
  sameBits('starts', await b.down(featureStarts), wanted.starts)
  sameBits('slots', await b.down(slots), wanted.slots)
})

test.run()
