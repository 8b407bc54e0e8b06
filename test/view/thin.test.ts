// Thinning keeps what the eye looks for: ends, spikes, gaps.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { extremes, spread } from '../../lib/view/thin.ts'

test('spread: first and last, rising, never more than asked for', () => {
  assert.equal(spread(0, 5), [])
  assert.equal(spread(1, 5), [0])
  assert.equal(spread(5, 5), [0, 1, 2, 3, 4])
  assert.equal(spread(101, 3), [0, 50, 100])
  const kept = spread(99_991, 300)
  assert.is(kept.length, 300)
  assert.is(kept[0], 0)
  assert.is(kept.at(-1), 99_990)
  assert.ok(kept.every((index, i) => i === 0 || index > kept[i - 1]!))
})

test('extremes: a spike of one step survives, in place', () => {
  const values = Array.from({ length: 10_007 }, () => 1)
  values[7001] = 50
  values[31] = -2
  const kept = extremes(values, 200)
  assert.ok(kept.length <= 202)
  assert.ok(kept.includes(7001) && kept.includes(31))
  assert.is(kept[0], 0)
  assert.is(kept.at(-1), 10_006)
  assert.ok(kept.every((index, i) => i === 0 || index > kept[i - 1]!))
})

test('extremes: a gap stays a gap; a short curve stays whole', () => {
  const values = Array.from({ length: 1000 }, (_, i) => i >= 400 && i < 600 ? NaN : i)
  assert.ok(extremes(values, 50).some(index => index >= 400 && index < 600))
  assert.equal(extremes([NaN, 1, null], 10), [0, 1, 2])
  assert.equal(extremes([], 10), [])
})

test.run()
