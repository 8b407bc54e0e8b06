// Certified screening: whatever the weights and rows, a screened encode gives the bits of the plain one; and a certificate
// made wrong on purpose is caught by the same comparison.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { sparseScatter } from '../../lib/tensor/ops.ts'
import { each } from './backend.ts'
import type { Bench } from './backend.ts'
import { coarse, hostileRows, random, randomPattern } from './cases.ts'
import { encode, sameCodes, screensOf, shadowOf } from './encode.ts'
import type { Encoded, Encoding, Screen } from './encode.ts'
import { featureMajor, matrix, neighbour } from './reference.ts'
import type { Matrix } from './reference.ts'
import { sameBits } from './tolerance.ts'

/** Screened in every mode = plain, for both rules. Returns what was counted. */
async function check(b: Bench, what: string, x: Matrix, weight: Matrix, bias?: Matrix, ks = [1, 4, 17]): Promise<Map<string, Encoded>> {
  const counted = new Map<string, Encoded>()
  const tensor = b.up(weight)
  const encodings: Encoding[] = [
    ...ks.filter(k => k <= weight.rows).map(k => ({ rule: 'topk', relu: k % 2 === 0, k, x, weight, ...(bias && { bias }) }) as const),
    { rule: 'positive', relu: true, k: 0, x, weight, ...(bias && { bias }) },
  ]
  for (const e of encodings) {
    const plain = await encode(b, e, tensor)
    for (const screen of screensOf(b, weight)) {
      const screened = await encode(b, { ...e, screen }, tensor)
      sameCodes(`${what}, ${e.rule} ${e.k}, ${screen}`, screened, plain)
      assert.is(screened.needed, plain.needed)
      counted.set(`${e.rule} ${e.k} ${screen}`, screened)
    }
  }
  return counted
}

each('shapes', async b => {
  for (const [rows, width, features] of [
    [1, 1, 1], [0, 7, 33], [5, 1, 300], [3, 7, 257], [33, 31, 67], [70, 33, 600], [9, 129, 1000], [2, 257, 511],
  ] as const) {
    const x = random(1, rows, width), weight = random(2, features, width)
    await check(b, `${rows}×${width}×${features}`, x, weight)
    await check(b, `${rows}×${width}×${features} bias`, x, weight, random(3, 1, features, -1, 0.2))
  }
})

each('ordinary rows are screened, not sent to the plain product', async b => {
  const rows = 40, features = 2048
  const counted = await check(b, 'ordinary', random(4, rows, 96), random(5, features, 96), random(6, 1, features, -12, -8), [16])
  for (const [name, { candidates, plainRows }] of counted) {
    assert.is(plainRows, 0, `${name}: rows sent to the plain product`)
    assert.ok(candidates > 0 && candidates < rows * features / 4, `${name}: ${candidates} candidates of ${rows * features}`)
  }
})

each('POSITIVE at every density, with room for all, for some and for just enough', async b => {
  for (const [rows, width, features] of [[512, 192, 256], [130, 64, 2048]] as const) {
    const x = random(40, rows, width), weight = b.up(random(41, features, width))
    for (const shift of [0, -3, -6, -9, -12, -16]) {
      const bias = random(42, 1, features, shift - 1, shift)
      const e: Encoding = { rule: 'positive', relu: true, k: 0, x, weight: { rows: features, columns: width, data: new Float64Array() }, bias }
      const plain = await encode(b, e, weight)
      for (const screen of screensOf(b, e.weight)) {
        sameCodes(`${rows}×${width}×${features} ${screen} bias ${shift}`, await encode(b, { ...e, screen }, weight), plain)
        for (const capacity of [plain.needed, plain.needed - 1, plain.needed >> 1].filter(count => count > 0)) {
          const part = await encode(b, { ...e, screen, capacity }, weight)
          sameCodes(`room for ${capacity} of ${plain.needed}, ${screen}`, part, await encode(b, { ...e, capacity }, weight))
          assert.is(part.needed, plain.needed, `positions needed, room for ${capacity}, ${screen}`)
        }
      }
    }
  }
})

each('hostile rows, hostile weights, both', async b => {
  for (const [rows, width, features] of [[24, 70, 700], [36, 33, 513], [13, 192, 1024]] as const) {
    const counted = await check(b, 'hostile rows', hostileRows(7, rows, width), random(8, features, width))
    for (const [name, { plainRows }] of counted) {
      assert.ok(plainRows >= Math.floor(rows / 12) * 3, `${name}: rows that are not finite go to the plain product`)
    }
    await check(b, 'hostile weights', random(9, rows, width), hostileRows(10, features, width))
    await check(b, 'both', hostileRows(11, rows, width), hostileRows(12, features, width), random(13, 1, features))
  }
})

each('weights beyond 4 MB, which are evaluated block by block and in two goes', async b => {
  const width = 769, features = 1501, weight = random(40, features, width)      // 4.6 MB of f32
  await check(b, 'large', random(41, 21, width), weight, random(42, 1, features), [1, 4, 32, 125])
  await check(b, 'large, hostile rows', hostileRows(43, 24, width), weight, undefined, [3])
  for (let f = 800; f < features; f++) weight.data.copyWithin(f * width, (f - 700) * width, (f - 699) * width)
  await check(b, 'large, every feature twice', random(44, 9, width), weight, undefined, [1, 2, 33])
})

each('more rows than are screened at a time', async b => {
  const x = random(45, 4301, 9), weight = random(46, 260, 9)
  for (let n = 0; n < 4301; n += 3) x.data.fill(0, n * 9, n * 9 + 9)             // ties at every place: their lists overflow
  await check(b, 'several chunks', x, weight, random(47, 1, 260), [1, 5])
})

each('biases that are huge, infinite or NaN', async b => {
  const x = random(14, 9, 40), weight = random(15, 600, 40)
  for (const bad of [1e30, -1e30, 3.4e38, Infinity, -Infinity, NaN]) {
    const bias = matrix(1, 600, (_, f) => f % 97 === 5 ? Math.fround(bad) : -1)
    await check(b, `bias ${bad}`, x, weight, bias)
  }
})

each('ties at the K-th place: duplicated and coarse features', async b => {
  const weight = random(16, 800, 33), x = random(17, 20, 33)
  for (let f = 400; f < 800; f++) weight.data.copyWithin(f * 33, (f - 400) * 33, (f - 399) * 33)
  await check(b, 'every feature twice', x, weight, undefined, [1, 2, 3, 16, 17])
  await check(b, 'coarse', coarse(18, 20, 12), coarse(19, 900, 12), undefined, [1, 2, 7, 32])
  await check(b, 'all equal', x, matrix(700, 33, () => 0.3), undefined, [1, 5, 64])
  await check(b, 'all zero', matrix(5, 33), weight, undefined, [1, 5])
})

each('near-ties inside the bound: features one ulp apart', async b => {
  const row = random(20, 1, 65).data
  const weight = matrix(900, 65, (f, d) => d === f % 65 ? neighbour(row[d]!, f % 2 ? 1 : -1) : row[d]!)
  await check(b, 'one ulp apart', random(21, 16, 65), weight, undefined, [1, 8, 40])
  // Pre-activations about zero: the threshold of POSITIVE lies inside every bound.
  const x = random(22, 16, 65)
  const flat = matrix(900, 65, (f, d) => random(23, 1, 65).data[d]! * (f % 2 ? 1e-6 : 1) * (d === f % 65 ? 1.001 : 1))
  const rounded = matrix(900, 65, flat.data.map(Math.fround))
  const bias = matrix(1, 900, (_, f) => Math.fround(-x.data.subarray(0, 65).reduce((sum, value, d) => sum + value * rounded.data[f * 65 + d]!, 0)))
  await check(b, 'about zero', x, rounded, bias, [1, 8])
})

each('tiny, subnormal and huge norms, and outlier dimensions', async b => {
  const x = random(24, 12, 48), weight = random(25, 700, 48)
  const scaled = (m: Matrix, factor: (row: number, column: number) => number): Matrix =>
    matrix(m.rows, m.columns, (row, column) => Math.fround(m.data[row * m.columns + column]! * factor(row, column)))
  for (const [name, left, right] of [
    ['1e-30', 1e-30, 1e-4], ['products vanish', 1e-30, 1e-30], ['subnormal rows', 2 ** -140, 1], ['subnormal weights', 1, 2 ** -140],
    ['1e18', 1e18, 1e18], ['overflow', 1e30, 1e30],
  ] as const) await check(b, name, scaled(x, () => left), scaled(weight, () => right))
  await check(b, 'norms of all sizes', x, scaled(weight, f => 10 ** (f % 60 - 30)))
  await check(b, 'one huge dimension in x', scaled(x, (_, d) => d === 5 ? 1e4 : 1), weight)
  await check(b, 'one huge dimension in weights', x, scaled(weight, (_, d) => d === 5 ? 1e4 : 1))
  await check(b, 'in both', scaled(x, (_, d) => d === 5 ? 1e3 : 1), scaled(weight, (_, d) => d === 5 ? 1e3 : 1))
})

/**
 * Feature 0 seems 10 and is about 2 (rounding moves it by 8), feature 1 is 9 and feature 2 is 5, both nearly without error;
 * the rest are far below. The two largest are 9 and 5. The second largest value less its own bound is 9 − 0: a rule that
 * compares with that drops the 5. Comparing with the second largest of (value − bound) = 4.5 keeps it. x is all ones.
 */
function planted(screen: Screen): { x: Matrix, weight: Matrix } {
  const width = screen === 'int8' ? 224 : 45
  const seeming = (d: number): number => {
    if (d === 0) return 10
    // int8: a step is 10/127, and −0.49 steps round to 0. bf16: 64·(1 − 0.98·2⁻⁹) rounds up to 64, −64·(1 + 0.98·2⁻⁸) to −64.
    if (screen === 'int8') return -0.49 * 10 / 127
    return d % 2 ? 64 * (1 - 0.98 * 2 ** -9) : -64 * (1 + 0.98 * 2 ** -8)
  }
  const exactly = (value: number) => (d: number): number => d === 0 ? value : 0
  const features = [seeming, exactly(9), exactly(5)]
  return { x: matrix(7, width, () => 1), weight: matrix(600, width, (f, d) => Math.fround((features[f] ?? exactly(-20))(d))) }
}

each('10 ± 8, 9 ± 0, 5 ± 0.5', async b => {
  for (const screen of ['bf16', 'int8'] as const) {
    const { x, weight } = planted(screen)
    if (!screensOf(b, weight).includes(screen)) continue
    const e: Encoding = { rule: 'topk', relu: false, k: 2, x, weight }
    const plain = await encode(b, e)
    sameBits('the case is what it says', plain.index.subarray(0, 2), [1, 2])
    const screened = await encode(b, { ...e, screen })
    sameCodes(screen, screened, plain)
    assert.is(screened.plainRows, 0, 'the screen decided')
    const wrong = await encode(b, { ...e, screen, certificateScale: 0 })
    assert.throws(() => sameCodes(screen, wrong, plain), /expected/, `${screen}: a wrong certificate must be caught`)
  }
})

each('POSITIVE: seems −1 and is 7', async b => {
  for (const screen of ['bf16', 'int8'] as const) {
    const { x, weight } = planted(screen)
    if (!screensOf(b, weight).includes(screen)) continue
    // The mirror of the planted row seems −10 and is about −2; a bias of 9 and of 5 moves both below zero and above.
    const mirrored = matrix(600, weight.columns, (f, d) => f === 0 ? -weight.data[d]! : weight.data[f * weight.columns + d]!)
    const bias = matrix(1, 600, (_, f) => f === 0 ? 6 : -30)
    const e: Encoding = { rule: 'positive', relu: true, k: 0, x, weight: mirrored, bias }
    const plain = await encode(b, e)
    sameBits('the case is what it says', plain.index, new Array(7).fill(0))
    sameCodes(screen, await encode(b, { ...e, screen }), plain)
    const wrong = await encode(b, { ...e, screen, certificateScale: 0 })
    assert.throws(() => sameCodes(screen, wrong, plain), /expected/, `${screen}: a wrong certificate must be caught`)
  }
})

each('sparse_scatter leaves the shadow that screen_rows makes of the new weights; ok = 0 leaves the old one', async b => {
  for (const [features, width] of [[300, 33], [67, 192], [1, 7]] as const) {
    const old = random(26, features, width), codes = randomPattern(27, 9, Math.min(5, features), features)
    const major = featureMajor({ codes, features }), zero = matrix(features, width)
    for (const screen of screensOf(b, old)) {
      for (const ok of [1, 0]) {
        const weight = b.up(old), shadow = shadowOf(b, screen, weight), before = await b.down(shadow)
        sparseScatter({
          mode: 'adam', project: false, unit: true, selfPenalty: 0,
          adam: { rate: 0.05, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, correction1: 0.1, correction2: 0.001 },
          terms: [{
            featureStarts: b.ints(major.starts, 'u64'), rows: b.ints(major.rows, 'u32'), slots: b.ints(major.slots, 'u32'),
            plane: b.up(random(28, 1, codes.index.length)), dense: b.up(random(29, 9, width)),
          }],
          weight, m: b.up(zero), v: b.up(zero), screen, shadow, ok: b.ints([ok], 'u32'),
        })
        const after = matrix(features, width, await b.down(weight))
        sameBits(`${screen} ok ${ok}`, await b.down(shadow), ok ? await b.down(shadowOf(b, screen, b.up(after))) : before)
        const e: Encoding = { rule: 'topk', relu: true, k: Math.min(3, features), x: random(30, 12, width), weight: after }
        sameCodes(`${screen} after the update`, await encode(b, { ...e, screen }, weight, shadow), await encode(b, e, weight))
      }
    }
  }
})

each('a shadow is what the screen reads: with that of other weights the codes are others', async b => {
  const weight = random(33, 900, 64), x = random(34, 20, 64)
  for (const screen of screensOf(b, weight)) {
    const e: Encoding = { rule: 'topk', relu: true, k: 8, x, weight }
    const stale = await encode(b, { ...e, screen }, b.up(weight), shadowOf(b, screen, b.up(random(35, 900, 64))))
    const plain = await encode(b, e)
    assert.throws(() => sameCodes(screen, stale, plain), /expected/)
  }
})

each('a row is screened the same in any batch', async b => {
  const x = hostileRows(31, 36, 50), weight = random(32, 900, 50), tensor = b.up(weight)
  for (const screen of screensOf(b, weight)) {
    const e: Encoding = { rule: 'topk', relu: true, k: 8, x, weight, screen }
    const all = await encode(b, e, tensor)
    for (const n of [0, 1, 7, 11, 35]) {
      const alone = await encode(b, { ...e, x: matrix(1, 50, x.data.subarray(n * 50)) }, tensor)
      sameBits(`row ${n}`, alone.z, all.z.subarray(n * 8, n * 8 + 8))
      sameBits(`row ${n}`, alone.index, all.index.subarray(n * 8, n * 8 + 8))
    }
  }
})

test.run()
