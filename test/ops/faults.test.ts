// Every wrong number that an op can be given in memory, on every device: a kernel finds it long after the call has returned.
// What the op wrote, and what was made from it, is rejected with the same words everywhere; whatever has nothing to do with it
// reads well, before and after; and the same op on sound numbers works on the same device.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Pattern } from '../../lib/tensor/codes.ts'
import {
  attend, axpy, embedRows, featureMajor, gatherRows, rope, scatterRows, sparseDecode, sparseEncode, sparseSample, sparseScatter, tokenLoss,
} from '../../lib/tensor/ops.ts'
import type { Tensor } from '../../lib/tensor/tensor.ts'
import { rejection } from '../boundary/child.ts'
import { root } from '../laws/sources.ts'
import { each } from './backend.ts'
import type { Bench } from './backend.ts'
import { matrix } from './reference.ts'

/** Runs an op on numbers, sound or not; returns all that it writes. */
type Run = (b: Bench, numbers: readonly number[]) => Tensor[]

interface Case {
  readonly op: string
  /** "expected ... for ...", without what was received. */
  readonly says: string
  readonly sound: readonly number[]
  /** Numbers, and which of them is named. */
  readonly wrong: readonly (readonly [numbers: readonly number[], received: number])[]
  readonly run: Run
}

const ROWS = 2, FEATURES = 3, WIDTH = 4
const ones = (b: Bench, rows: number, columns: number): Tensor<'f32'> => b.up(matrix(rows, columns, new Array<number>(rows * columns).fill(1)))

/** An op that reads codes: two rows with room for four positions in all. */
type Reader = (b: Bench, codes: Pattern) => Tensor[]

const decode: Reader = (b, codes) => {
  const out = b.room(ROWS, WIDTH)
  sparseDecode({ codes, z: b.plane(codes, [1, 1, 1, 1]), weight: ones(b, FEATURES, WIDTH), out })
  return [out]
}
const sample: Reader = (b, codes) => {
  const out = b.plane(codes), penaltySum = b.room(1, 1)
  sparseSample({ codes, g: ones(b, ROWS, WIDTH), weight: ones(b, FEATURES, WIDTH), gate: b.plane(codes, [1, 1, 1, 1]), norms: ones(b, 1, FEATURES),
    penalty: 1, out, penaltySum })
  return [out, penaltySum]
}
const regroup: Reader = (b, codes) => {
  const featureStarts = b.room(1, FEATURES + 1, 'u64'), rows = b.room(1, 4, 'u32'), slots = b.room(1, 4, 'u32'), fired = b.room(1, FEATURES, 'u32')
  featureMajor({ codes, z: b.plane(codes, [1, 1, 1, 1]), featureStarts, rows, slots, fired })
  return [featureStarts, rows, slots, fired]
}
const pattern = (b: Bench, index: readonly number[], starts: readonly number[], k?: number): Pattern =>
  b.codes({ starts: Array.from(starts), index: Array.from(index) }, FEATURES, k)

const patterns: Case[] = ([['sparse_decode', decode], ['sparse_sample', sample], ['feature_major', regroup]] as const).flatMap(([op, read]) => [
  { op, says: 'feature indices below F for codes.index', sound: [0, 2, 1, 2], wrong: [[[0, 2, 1, 3], 3], [[0xFFFFFFFF, 2, 1, 0], 0xFFFFFFFF]],
    run: (b, index) => read(b, pattern(b, index, [0, 2, 4], 2)) },
  { op, says: 'feature indices below F for codes.index', sound: [0, 2, 1, 2], wrong: [[[0, 2, 1, 7], 7]],
    run: (b, index) => read(b, pattern(b, index, [0, 1, 4])) },
  { op, says: 'ascending starts from 0 for codes.starts', sound: [0, 3, 4], wrong: [[[0, 3, 2], 3], [[1, 2, 3], 1]],
    run: (b, starts) => read(b, pattern(b, [0, 2, 1, 2], starts)) },
  { op, says: 'starts within the capacity for codes.starts', sound: [0, 2, 4], wrong: [[[0, 2, 5], 5]],
    run: (b, starts) => read(b, pattern(b, [0, 2, 1, 2], starts)) },
] satisfies Case[])

const encode = (rule: 'topk' | 'positive'): Run => (b, subset) => {
  const codes = pattern(b, [0, 0, 0, 0], [0, 0, 0], rule === 'topk' ? 2 : undefined), z = b.plane(codes), counts = b.room(1, 4, 'u64')
  sparseEncode({ x: ones(b, ROWS, WIDTH), weight: ones(b, FEATURES, WIDTH), subset: b.ints(subset, 'u32'), rule, codes, z, counts })
  return [codes.index, z, counts, ...codes.starts ? [codes.starts] : []]
}
const subsets: Case[] = (['topk', 'positive'] as const).map(rule => (
  { op: 'sparse_encode', says: 'ascending features below F for subset', sound: [0, 2], wrong: [[[2, 1], 1], [[1, 1], 1], [[0, 3], 3]],
    run: encode(rule) }))

/** Four positions of three features, and a plane of four. One of the three lists is what a case gives. */
interface Lists { readonly starts?: readonly number[], readonly rows?: readonly number[], readonly slots?: readonly number[] }

function scatter(b: Bench, mode: 'gradient' | 'adam', { starts = [0, 1, 1, 4], rows = [0, 0, 1, 1], slots = [0, 1, 2, 3] }: Lists): Tensor[] {
  const term = { featureStarts: b.ints(starts, 'u64'), rows: b.ints(rows, 'u32'), slots: b.ints(slots, 'u32'), plane: ones(b, 1, 4),
    dense: ones(b, ROWS, WIDTH) }
  if (mode === 'gradient') {
    const gradient = b.room(FEATURES, WIDTH), gradientBias = b.room(1, FEATURES)
    sparseScatter({ terms: [term], mode, gradient, gradientBias })
    return [gradient, gradientBias]
  }
  const [weight, m, v] = [0, 1, 2].map(() => ones(b, FEATURES, WIDTH)) as [Tensor, Tensor, Tensor], norms = b.room(1, FEATURES)
  sparseScatter({ terms: [term], mode, weight, m, v, norms, adam: { rate: 0.1, beta1: 0.9, beta2: 0.9, epsilon: 1, correction1: 1, correction2: 1 } })
  return [weight, m, v, norms]
}
const terms: Case[] = (['gradient', 'adam'] as const).flatMap(mode => [
  { op: 'sparse_scatter', says: 'ascending starts from 0 for terms.feature_starts', sound: [0, 0, 4, 4], wrong: [[[0, 3, 2, 4], 3], [[2, 2, 3, 4], 2]],
    run: (b, starts) => scatter(b, mode, { starts }) },
  { op: 'sparse_scatter', says: 'starts within the capacity for terms.feature_starts', sound: [0, 2, 2, 3], wrong: [[[0, 2, 2, 9], 9]],
    run: (b, starts) => scatter(b, mode, { starts }) },
  { op: 'sparse_scatter', says: 'rows of dense for terms.rows', sound: [1, 0, 1, 0], wrong: [[[0, 0, 1, 2], 2], [[0xFFFFFFFF, 0, 1, 1], 0xFFFFFFFF]],
    run: (b, rows) => scatter(b, mode, { rows }) },
  { op: 'sparse_scatter', says: 'positions of the plane for terms.slots', sound: [3, 2, 1, 0], wrong: [[[0, 1, 2, 4], 4]],
    run: (b, slots) => scatter(b, mode, { slots }) },
] satisfies Case[])

const embed = (ids: (numbers: readonly number[]) => readonly number[], places: (numbers: readonly number[]) => readonly number[]): Run => (b, numbers) => {
  const out = b.room(2, WIDTH)
  embedRows({ ids: b.ints(ids(numbers), 'u32'), table: ones(b, 5, WIDTH), places: b.ints(places(numbers), 'u32'), positions: ones(b, 3, WIDTH), out })
  return [out]
}
/** Three queries and two, of two sequences whose keys lie in a cache of six rows. */
const attendCache = (keyStarts: readonly number[]): Run => (b, counts) => {
  const q = ones(b, 5, WIDTH), k = ones(b, 6, WIDTH), v = ones(b, 6, WIDTH), out = b.room(5, WIDTH)
  const cache = { keyStarts: b.ints(keyStarts, 'u32'), keyCounts: b.ints(counts, 'u32') }
  attend({ q, k, v, starts: b.ints([0, 3, 5], 'u32'), ...cache, heads: 2, scale: 1, out })
  return [out]
}
const rows: Case[] = [
  { op: 'gather_rows', says: 'indices of rows of source for index', sound: [2, 0], wrong: [[[0, 3], 3], [[0xFFFFFFFF, 0], 0xFFFFFFFF]],
    run: (b, index) => {
      const out = b.room(2, WIDTH)
      gatherRows({ source: ones(b, 3, WIDTH), index: b.ints(index, 'u32'), out })
      return [out]
    } },
  { op: 'embed_rows', says: 'ids below V for ids', sound: [4, 0], wrong: [[[0, 5], 5]], run: embed(ids => ids, () => [0, 2]) },
  { op: 'embed_rows', says: 'places below P for places', sound: [2, 0], wrong: [[[0, 3], 3]], run: embed(() => [0, 4], places => places) },
  { op: 'rope', says: 'places below P for places', sound: [2, 0], wrong: [[[0, 3], 3], [[0xFFFFFFFF, 1], 0xFFFFFFFF]],
    run: (b, places) => {
      const x = ones(b, 2, WIDTH)
      rope({ x, heads: 1, places: b.ints(places, 'u32'), angles: ones(b, 3, WIDTH) })
      return [x]
    } },
  { op: 'scatter_rows', says: 'indices of rows of out for index', sound: [2, 0], wrong: [[[0, 3], 3], [[0xFFFFFFFF, 1], 0xFFFFFFFF]],
    run: (b, index) => {
      const out = ones(b, 3, WIDTH)
      scatterRows({ source: ones(b, 2, WIDTH), index: b.ints(index, 'u32'), out })
      return [out]
    } },
  { op: 'attend', says: 'ascending starts from 0 to N for starts', sound: [0, 3, 3, 5],
    wrong: [[[1, 3, 3, 5], 1], [[0, 3, 3, 4], 4], [[0, 3, 3, 9], 9], [[0, 4, 3, 5], 3]],
    run: (b, starts) => {
      const [q, k, v] = [0, 1, 2].map(() => ones(b, 5, WIDTH)) as [Tensor, Tensor, Tensor], out = b.room(5, WIDTH)
      attend({ q, k, v, starts: b.ints(starts, 'u32'), heads: 2, scale: 1, out })
      return [out]
    } },
  { op: 'attend', says: 'as many keys as queries, or more for key_counts', sound: [3, 2], wrong: [[[2, 2], 2], [[3, 0], 0]], run: attendCache([0, 3]) },
  { op: 'attend', says: 'keys that lie in k for key_starts + key_counts', sound: [2, 0], wrong: [[[4, 0], 7], [[0xFFFFFFFF, 0], 2 ** 32 + 2]],
    run: (b, starts) => attendCache(starts)(b, [3, 2]) },
  { op: 'token_loss', says: 'targets below V or 4294967295 for targets', sound: [4, 0xFFFFFFFF],
    wrong: [[[0, 5], 5], [[0xFFFFFFFE, 4], 0xFFFFFFFE]],
    run: (b, targets) => {
      const loss = b.room(1, 2), kl = b.room(1, 2)
      tokenLoss({ logits: ones(b, 2, 5), targets: b.ints(targets, 'u32'), reference: ones(b, 2, 5), loss, kl })
      return [loss, kl]
    } },
]
const cases = [...patterns, ...subsets, ...terms, ...rows]

for (const [i, { op, says, sound, wrong, run }] of cases.entries()) {
  each(`${i + 1}. ${op}: ${says}`, async b => {
    const apart = b.up(matrix(1, 3, [1, 2, 3])), zero = b.ints([0], 'u32')
    assert.equal([...await b.down(apart)], [1, 2, 3])
    for (const [numbers, received] of wrong) {
      const outs = run(b, numbers), other = b.room(1, 3)
      const made = outs.map(out => {
        const row = b.room(1, out.columns, out.dtype)
        gatherRows({ source: out, index: zero, out: row })
        return row
      })
      axpy({ x: apart, alpha: 2, out: other })
      const words = `${op} failed: expected ${says} but received ${received};`
      for (const tensor of [...outs, ...made]) {
        const { code, message } = await rejection(tensor.read())
        assert.is(code, 'ERR_INVALID_ARGUMENT', message)
        assert.is(message.slice(0, words.length), words, `${numbers}`)
      }
      assert.equal([...await b.down(other)], [2, 4, 6])
      assert.equal([...await b.down(apart)], [1, 2, 3])
    }
    for (const out of run(b, sound)) await b.down(out)
  })
}

each('two calls that fail between two waits are both told, each where it belongs', async b => {
  const source = ones(b, 3, WIDTH), outs = [3, 4, 0].map(index => {
    const out = b.room(1, WIDTH)
    gatherRows({ source, index: b.ints([index], 'u32'), out })
    return out
  })
  const told = await Promise.all(outs.slice(0, 2).map(out => rejection(out.read())))
  told.forEach(({ message }, i) => assert.match(message, new RegExp(`^gather_rows failed: .* but received ${3 + i};`)))
  assert.equal([...await b.down(outs[2]!)], new Array<number>(WIDTH).fill(1))
})

test('every argument that a kernel can report is among the cases', () => {
  const table = /kFaultWords\[kFaultKinds\] = \{([\s\S]*?)\n\};/.exec(readFileSync(join(root, 'cuda/context.cu'), 'utf8'))
  const known = [...table![1]!.matchAll(/\{"([^"]+)", "([^"]+)"\}/g)].map(([, expected, name]) => `${expected} for ${name}`)
  assert.ok(known.length > 10)
  const unseen = known.filter(words => !cases.some(({ says }) => says === words))
  // The lists of feature_major are as long as the pattern before anything is enqueued: only a caller of the table itself gets there.
  assert.equal(unseen, ['room for every position for rows', 'room for every position for slots'])
})

test.run()
