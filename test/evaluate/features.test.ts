// Which features are chosen for a closer look, on firings made by hand, and that the firings of a suite are all there.
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { topContexts } from '../../lib/evaluate/contexts.ts'
import { densityHistogram } from '../../lib/evaluate/density.ts'
import { tellingFeatures } from '../../lib/evaluate/features.ts'
import { collectFirings, type Firings } from '../../lib/evaluate/firings.ts'
import { pickFeatures } from '../../lib/evaluate/pick.ts'
import { Turn } from '../../lib/native/slices.ts'
import { LanguageModel } from '../../lib/model/model.ts'
import { relu, topK } from '../../lib/transcoder/activation.ts'
import { failsWith, inFolder, MODEL, someIds } from '../model/tiny.ts'
import { activations, D, suiteOf, T, textOf } from './tiny.ts'

const test = suite<{ model: LanguageModel }>('features')
test.before(async context => { context.model = await LanguageModel.open(MODEL) })
test.after(context => { context.model.dispose() })

// Firings from (row, value) lists, one a feature.
function firings(lists: readonly (readonly (readonly [number, number])[])[]): Firings {
  const flat = lists.flat(), starts = new Uint32Array(lists.length + 1)
  for (const [f, list] of lists.entries()) starts[f + 1] = starts[f]! + list.length
  return { layer: 0, starts, rows: Uint32Array.from(flat, ([row]) => row), values: Float32Array.from(flat, ([, value]) => value) }
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i)
const piece = (id: number): string => ` t${id}`

test('each kind finds the feature that is made for it', async () => {
  const ids = Uint32Array.from(range(60_000), n => n % 10)                  // windows of 1000, tokens 0 … 9 in turn
  const lists = [
    range(200).map(i => [i * 10 + 3, 1] as const),                           // 0: token 3 and no other
    range(100).map(i => [i * 10 + (i % 50 ? 4 : 5), 1] as const),            // 1: token 4, nearly always
    range(20_000).map(i => [i * 3, 0.5] as const),                           // 2: on a third of all tokens
    [...range(30).map(i => [i * 7, 1] as const), [400, 90] as const],        // 3: the largest activation
    range(25).map(i => [i * 1009, 5] as const),                              // 4: rare and strong
    [[5, 80]] as (readonly [number, number])[],                              // 5: too few firings for a share of anything
    [],                                                                      // 6: dead
  ]
  const picks = await pickFeatures(firings(lists), ids, 1000, 6, piece, new Turn())
  const why = (feature: number): string => picks.find(pick => pick.feature === feature)?.why ?? ''
  assert.is(why(0), 'fires on one token: ` t3` has 100% of its activation')
  assert.is(why(1), 'fires on one token: ` t4` has 98% of its activation')
  assert.match(why(2), /most tokens .* 33%/)
  assert.match(why(3), /largest activation/)
  assert.match(why(4), /rare and strong: .* \d+\.\d times/)
  assert.is(why(5), '')
  assert.is(why(6), '')
  const second = picks.find(pick => pick.feature === 2)!
  assert.is(second.density, 1 / 3)
  assert.is(second.maximum, 0.5)
})

test('a feature that follows one token, on many', async () => {
  const ids = Uint32Array.from(range(10_000), n => n % 2 ? 10 + (n * 7919 >> 4) % 50 : n % 3)     // odd places: many tokens
  const after = range(10_000).filter(n => n > 0 && ids[n - 1] === 1 && ids[n]! >= 10).map(n => [n, 2] as const)
  const [pick] = await pickFeatures(firings([after]), ids, 10_000, 6, piece, new Turn())
  assert.is(pick!.why, 'fires after one token: ` t1` comes before 100% of its activation')
})

test('two features of one token are not both shown, and there may be none', async () => {
  const ids = Uint32Array.from(range(1000), n => n % 10), same = range(50).map(i => [i * 10 + 3, 1] as const)
  const picks = await pickFeatures(firings([same, same, same]), ids, 1000, 2, piece, new Turn())
  assert.is(picks.filter(pick => pick.why.startsWith('fires on one token')).length, 1)
  assert.equal(await pickFeatures(firings([[], []]), ids, 1000, 6, piece, new Turn()), [])
})

test('contexts are the strongest places, apart from each other, inside their window', () => {
  const ids = Uint32Array.from(range(400)), context = 100
  const fire = firings([[], [[50, 3], [55, 9], [98, 5], [101, 4], [200, 8], [399, 1]]])
  const found = topContexts(fire, 1, ids, context, 10, piece)
  assert.equal(found.map(({ values, at }) => values[at]), [9, 8, 5, 4, 1])
  assert.equal(found.map(({ tokens, at }) => tokens[at]), [55, 200, 98, 101, 399].map(piece))
  const [first, second, third, fourth] = found
  assert.is(first!.tokens.length, 25)
  assert.is(first!.values[first!.at - 5], 3, 'a weaker firing nearby shows in the same context')
  assert.is(second!.at, 0, 'a window begins at its first token')
  assert.is(third!.tokens.at(-1), piece(99), 'and ends at its last')
  assert.is(fourth!.tokens[0], piece(100))
  assert.is(topContexts(fire, 1, ids, context, 2, piece).length, 2)
  assert.equal(topContexts(fire, 0, ids, context, 2, piece), [])
})

test('places with the same text around them are one', () => {
  const ids = Uint32Array.from(range(1000), n => n % 50)
  const found = topContexts(firings([range(20).map(i => [i * 50 + 20, 1 + i] as const)]), 0, ids, 1000, 5, piece)
  assert.equal(found.map(({ values, at }) => values[at]), [20])
})

test('the strongest of very many places are found', () => {
  const count = 10_000, ids = Uint32Array.from(range(count), n => n * 7 % 1009), value = (n: number): number => (n * 7919) % 10_007
  const [best] = topContexts(firings([range(count).map(n => [n, value(n)] as const)]), 0, ids, count, 1, piece)
  assert.is(best!.values[best!.at], Math.max(...range(count).map(value)))
})

for (const activation of [topK(5), relu()]) {
  test(`the firings of a ${activation.kind} set are those of a plain loop`, async ({ model }) => {
    using coders = suiteOf(model, [0, 2], { activation, features: 40 })
    const ids = someIds(67 * T), shares: number[] = []
    const all = await collectFirings(model, coders, ids, { progress: share => shares.push(share) })
    assert.equal(all.map(one => one.layer), [0, 2])
    assert.is(shares.at(-1), 1)
    for (const [i, coder] of coders.coders.entries()) {
      const { x } = await activations(model, ids, coder.layer), { encoder, encoderBias } = coder.weights
      const w = await encoder.read() as Float32Array, b = await encoderBias.read() as Float32Array
      const { starts, rows, values } = all[i]!, dense = new Float32Array(ids.length * 40)
      for (let f = 0; f < 40; f++) for (let p = starts[f]!; p < starts[f + 1]!; p++) {
        assert.ok(p === starts[f] || rows[p]! > rows[p - 1]!, 'rows ascend')
        dense[rows[p]! * 40 + f] = values[p]!
      }
      for (let n = 0; n < ids.length; n++) {
        const pre = range(40).map(f => range(D).reduce((sum, k) => sum + w[f * D + k]! * x[n * D + k]!, b[f]!))
        const least = activation.kind === 'topk' ? [...pre].sort((p, q) => q - p)[activation.k - 1]! : -Infinity
        for (let f = 0; f < 40; f++) {
          const p = pre[f]!, expected = p > 0 && p >= least ? p : 0
          if (Math.abs(p) < 1e-5 || (p !== least && Math.abs(p - least) < 1e-5)) continue      // rounding may decide
          assert.ok(Math.abs(dense[n * 40 + f]! - expected) < 1e-4, `row ${n}, feature ${f}: ${dense[n * 40 + f]} against ${expected}`)
        }
      }
    }
  })
}

test('from text to cards', async ({ model }) => {
  await inFolder(async folder => {
    using coders = suiteOf(model, [0, 1], { activation: topK(5) })
    const text = await textOf(folder, 60 * T), before = model.device.memory().used
    const cards = await tellingFeatures({ model, suite: coders, text, tokens: 60 * T, features: 3, contexts: 2 })
    await model.device.wait()
    assert.is(model.device.memory().used, before)
    assert.equal([...new Set(cards.map(card => card.layer))], [0, 1])
    for (const { contexts, maximum, density, why } of cards) {
      assert.ok(why.length > 0 && density > 0 && density <= 1)
      assert.ok(contexts.length > 0 && contexts.length <= 2)
      assert.is(contexts[0]!.values[contexts[0]!.at], maximum)
      for (const { tokens, values } of contexts) {
        assert.is(tokens.length, values.length)
        assert.ok(tokens.every(token => /^(w\d+|<eos>)$/.test(token)), tokens.join())
      }
    }
    const controller = new AbortController()
    controller.abort()
    await failsWith('ERR_ABORTED', /stopped/, () => tellingFeatures({ model, suite: coders, text, signal: controller.signal }))
    await failsWith('ERR_UNKNOWN_OPTION', /did you mean "contexts"/, () => tellingFeatures({ model, suite: coders, text, context: 3 } as never))
  })
})

test('the histogram counts every feature once, dead ones first and constant ones last', () => {
  const { edges, counts } = densityHistogram([0, 0, 1, 0.1, 1e-3, 1e-12, 0.999])
  assert.is(edges.length, counts.length + 1)
  assert.equal([edges[0], edges.at(-1)], [-10, 0])
  assert.is(counts.reduce((a, b) => a + b), 7)
  assert.is(counts[0], 3)
  assert.is(counts.at(-1), 2)
  const bin = (density: number): number => densityHistogram([density]).counts.indexOf(1)
  for (const density of [0.1, 1e-3, 0.5]) assert.ok(edges[bin(density)]! <= Math.log10(density + 1e-10) && Math.log10(density + 1e-10) < edges[bin(density) + 1]!)
})

test.run()
