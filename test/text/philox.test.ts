// Random numbers: the published vectors of Philox 4x32-10, and permutations that are permutations, evenly spread and repeatable.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { TransweldError } from '../../lib/native/error.ts'
import { MAX_COUNT, Permutation, type PermutationPlace } from '../../lib/text/permutation.ts'
import { philox, type Counter } from '../../lib/text/philox.ts'

const M = 0xffffffff
const VECTORS: readonly [Counter, number, number, string][] = [
  [[0, 0, 0, 0], 0, 0, '6627e8d5 e169c58d bc57ac4c 9b00dbd8'],
  [[M, M, M, M], M, M, '408f276d 41c83b0e a20bc7c6 6d5451fd'],
  [[0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], 0xa4093822, 0x299f31d0, 'd16cfe09 94fdcceb 5001e420 24126ea1'],
]
const place: PermutationPlace = { seed: 7, domain: 'windows', epoch: 0, block: 0 }

test('known answers of the authors', () => {
  const out = new Uint32Array(4)
  for (const [counter, low, high, expected] of VECTORS) {
    philox(counter, low, high, out)
    assert.is([...out].map(word => word.toString(16).padStart(8, '0')).join(' '), expected)
  }
})

test('the same numbers as with exact integers', () => {
  const out = new Uint32Array(4), word = (x: bigint) => x & 0xffffffffn
  for (let n = 0; n < 300; n++) {
    let c = [n * 2654435761, n * 40503, ~n, n ^ 0x5a5a5a5a].map(x => BigInt(x >>> 0)), k = [BigInt(n * 977 >>> 0), BigInt(~n * 31337 >>> 0)]
    philox(c.map(Number) as unknown as Counter, Number(k[0]), Number(k[1]), out)
    for (let round = 0; round < 10; round++) {
      const p0 = 0xd2511f53n * c[0]!, p1 = 0xcd9e8d57n * c[2]!
      c = [p1 >> 32n ^ c[1]! ^ k[0]!, word(p1), p0 >> 32n ^ c[3]! ^ k[1]!, word(p0)]
      k = [word(k[0]! + 0x9e3779b9n), word(k[1]! + 0xbb67ae85n)]
    }
    assert.equal([...out], c.map(Number))
  }
})

test('a permutation holds each element once, and can be gone on with', async () => {
  for (const count of [0, 1, 2, 3, 7, 31, 33, 1000]) {
    const all = [...await new Permutation(count, place).all()]
    assert.equal([...all].sort((a, b) => a - b), Array.from({ length: count }, (_, i) => i))
    for (const drawn of [0, 1, 5, count]) {
      const later = new Permutation(count, place)
      later.pass(drawn)
      const rest: number[] = []
      for (let next; (next = later.next()) !== -1;) rest.push(next)
      assert.equal(rest, all.slice(drawn))
      assert.is(later.drawn, count)
      assert.is(later.next(), -1)
    }
  }
})

test('every part of the place changes the order', async () => {
  const changes: Partial<PermutationPlace>[] = [{}, { seed: 8 }, { seed: 7 + 2 ** 32 }, { epoch: 1 }, { block: 1 }, { domain: 'activations' }]
  const orders = await Promise.all(changes.map(async change => (await new Permutation(64, { ...place, ...change }).all()).join()))
  assert.is(new Set(orders).size, orders.length)
  assert.is((await new Permutation(64, place).all()).join(), orders[0])
})

test('each element comes to each place equally often', async () => {
  const n = 8, runs = 8000, counts = Array.from({ length: n }, () => new Array<number>(n).fill(0))
  for (let block = 0; block < runs; block++) {
    const order = await new Permutation(n, { ...place, block }).all()
    order.forEach((element, i) => { counts[i]![element]!++ })
  }
  const expected = runs / n, chi = counts.flat().reduce((sum, c) => sum + (c - expected) ** 2 / expected, 0)
  assert.ok(chi < 89, `chi² of ${chi.toFixed(1)} with 49 degrees of freedom: 89 is passed once in 2500 times (seed ${place.seed})`)
})

test('counts and places outside their range', () => {
  for (const [count, p] of [[-1, place], [MAX_COUNT + 1, place], [1.5, place], [1, { ...place, seed: -1 }], [1, { ...place, epoch: 2 ** 32 }], [1, { ...place, block: NaN }]] as const) {
    assert.throws(() => new Permutation(count, p), (e: unknown) => e instanceof TransweldError && e.code === 'ERR_INVALID_ARGUMENT')
  }
})

test.run()
