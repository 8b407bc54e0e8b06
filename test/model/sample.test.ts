// The choice of a token: what the warpers of transformers leave stays, shares come out as drawn, and a seed draws the same everywhere.
import { readFileSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { largest, logProbability, Sampler, type SamplingOptions } from '../../lib/model/sample.ts'
import { failsWith } from './tiny.ts'

interface Warped { readonly logits: number[], readonly options: SamplingOptions, readonly kept: number[], readonly shares: number[] }
const WARPED = JSON.parse(readFileSync('test/golden/running/warpers.json', 'utf8')) as Warped[]

const row = (...values: number[]): Float32Array => Float32Array.from(values)
const candidates = (logits: Float32Array, options: SamplingOptions): number[] => [...new Sampler({ temperature: 1, ...options }).candidates(logits).ids]

test('the tokens that transformers leave, with their shares', () => {
  assert.ok(WARPED.length >= 28 && WARPED.some(({ kept }) => kept.length === 1) && WARPED.some(({ kept }) => kept.length === 40))
  for (const { logits, options, kept, shares } of WARPED) {
    const { ids, weights } = new Sampler({ temperature: 1, ...options }).candidates(Float32Array.from(logits)), total = weights.reduce((a, b) => a + b, 0)
    assert.equal([...ids].sort((a, b) => a - b), kept, JSON.stringify(options))
    for (const [i, id] of ids.entries()) assert.ok(Math.abs(weights[i]! / total - shares[kept.indexOf(id)]!) < 1e-5)
  }
})

test('ties: a top k keeps all that reach the last one, a top p the lower ids', () => {
  const tied = row(0, 3, 1, 3, 1, 1, -1)
  assert.equal(candidates(tied, { topK: 2 }), [1, 3])
  assert.equal(candidates(tied, { topK: 3 }), [1, 3, 2, 4, 5])
  assert.equal(candidates(row(0, 0, 0, 0), { topP: 0.5 }), [0, 1])
  assert.equal(candidates(row(0, 0, 0, 0), { topP: 0 }), [0])
  assert.equal(candidates(row(0, 0, 0, 0), { minP: 1 }), [0, 1, 2, 3])
  assert.equal(candidates(row(1, 0, 1), { topK: 99 }), [0, 2, 1])
  assert.is(largest(row(-1, 5, 5)), 1)
})

test('tokens are drawn by their shares, and each draw stands by itself', () => {
  const logits = row(Math.log(5), Math.log(3), -Infinity, Math.log(2), NaN), sampler = new Sampler({ temperature: 1, seed: 2 ** 40 + 7 })
  const counts = [0, 0, 0, 0, 0]
  const draws = Array.from({ length: 4000 }, (_, i) => sampler.pick(logits, [], i))
  for (const id of draws) counts[id]!++
  for (const [id, share] of [0.5, 0.3, 0, 0.2, 0].entries()) assert.ok(Math.abs(counts[id]! / 4000 - share) < 0.03, `${counts}`)
  assert.is(new Sampler({ temperature: 1, seed: 2 ** 40 + 7 }).pick(logits, [], 1234), draws[1234])
  assert.ok(draws.some((id, i) => id !== new Sampler({ temperature: 1, seed: 7 }).pick(logits, [], i)), 'the upper bits of a seed count')
})

test('the same draws on every machine', () => {
  const logits = Float32Array.from({ length: 1000 }, (_, i) => Math.fround(((i * 7919) % 1000) / 200))
  const ids = Array.from({ length: 8 }, (_, i) => new Sampler({ temperature: 0.8, topP: 0.9, seed: 42 }).pick(logits, [], i))
  assert.equal(ids, [409, 350, 657, 891, 976, 334, 877, 223])
})

test('a repetition penalty divides what is positive, multiplies what is negative, once a token', () => {
  const sampler = new Sampler({ repetitionPenalty: 2 }), logits = row(4, 3, -1, -1.5)
  assert.is(sampler.pick(logits, [0, 0, 2], 0), 1)
  assert.equal([...logits], [2, 3, -2, -1.5])
  const plain = row(4, 3)
  assert.is(new Sampler({}).pick(plain, [0], 0), 0)
  assert.equal([...plain], [4, 3])
})

test('log-probabilities', () => {
  assert.ok(Math.abs(logProbability(row(0, Math.log(3)), 1) - Math.log(0.75)) < 1e-6)
  assert.ok(Math.abs(logProbability(row(1000, 1000), 0) - Math.log(0.5)) < 1e-9)
})

test('options outside their range, and logits that are none', async () => {
  const wrong: SamplingOptions[] = [{ temperature: -1 }, { temperature: NaN }, { topK: 0 }, { topK: 1.5 }, { topP: 1.1 }, { minP: -0.1 },
    { repetitionPenalty: 0 }, { seed: -1 }, { seed: 2 ** 60 }]
  for (const options of wrong) {
    await failsWith('ERR_INVALID_ARGUMENT', new RegExp(Object.keys(options)[0]!), () => new Sampler(options))
  }
  for (const logits of [row(NaN, NaN), row(-Infinity), row(), row(1, Infinity)]) {
    await failsWith('ERR_NOT_FINITE', /next token/, () => new Sampler({}).pick(logits, [], 0))
    await failsWith('ERR_NOT_FINITE', /next token/, () => new Sampler({ temperature: 1 }).pick(logits, [], 0))
  }
})

test.run()
