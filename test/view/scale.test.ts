// Axes over hostile figures: none, one, constant, zero on a logarithm, tiny and huge.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { linearScale, logScale, roundSteps, scaleOf } from '../../lib/view/scale.ts'
import { dice } from './sample.ts'

test('linear: ends, middle, clamping, no number', () => {
  const scale = linearScale(2, 4)
  assert.equal([2, 3, 4, 1, 9].map(value => scale.place(value)), [0, 0.5, 1, 0, 1])
  assert.ok(Number.isNaN(scale.place(NaN)) && Number.isNaN(scale.place(null)) && Number.isNaN(scale.place(undefined)))
})

test('log: decades are evenly spaced; zero and below sit on the floor', () => {
  const scale = logScale(0.01, 1)
  assert.ok(Math.abs(scale.place(0.1) - 0.5) < 1e-12)
  assert.equal([0, -5, 0.001, 7].map(value => scale.place(value)), [0, 0, 0, 1])
  assert.equal(scale.ticks.filter(tick => [0.01, 0.1, 1].includes(tick)), [0.01, 0.1, 1])
})

test('the kind: auto is logarithmic only for positive values that span more than 8 times', () => {
  assert.is(scaleOf([1, 9], 'auto').log, true)
  assert.is(scaleOf([1, 7], 'auto').log, false)
  assert.is(scaleOf([0, 9], 'auto').log, false)
  assert.is(scaleOf([0, NaN, 9], 'log').log, true)
  assert.is(scaleOf([0, -1], 'log').log, false)
  assert.is(scaleOf([1, 100]).log, false)
})

test('nothing to show, one value, one value of zero, and a constant all give a usable axis', () => {
  for (const kind of ['linear', 'log', 'auto'] as const) {
    for (const values of [[], [NaN, null, Infinity], [0], [5], [-3], [16, 16, 16], [1e-300], [1e300], [5e-324], [1e16, 1e16 + 2]]) {
      const scale = scaleOf(values, kind)
      assert.ok(scale.high > scale.low, `${kind} ${values}`)
      for (const value of values) if (typeof value === 'number' && Number.isFinite(value)) assert.ok(scale.place(value) >= 0 && scale.place(value) <= 1, `${kind} ${value}`)
    }
  }
})

test('a single tiny outlier does not stretch a logarithm beyond six decades', () => {
  assert.ok(Math.abs(scaleOf([1e-30, 1, 10], 'log').low / 1e-5 - 1) < 1e-12)
})

test('ticks: inside the domain, rising, at most about as many as asked for; 3000 random domains, seed 11', () => {
  const roll = dice(11)
  for (let n = 0; n < 3000; n++) {
    const low = (n % 2 ? 1 : -1) * 10 ** (roll() * 12 - 6), high = low + 10 ** (roll() * 12 - 6)
    const scale = n % 2 && n % 3 ? logScale(low, high) : linearScale(low, high)
    assert.ok(scale.ticks.length <= 8, `${scale.ticks}`)
    scale.ticks.forEach((tick, i) => {
      const room = (scale.high - scale.low) * 1e-6
      assert.ok(tick >= scale.low - room && tick <= scale.high + room, `${tick} of ${scale.low} to ${scale.high}`)
      assert.ok(i === 0 || tick > scale.ticks[i - 1]!)
    })
  }
})

test('round steps print as they should', () => {
  assert.equal(roundSteps(0, 1), [0, 0.2, 0.4, 0.6, 0.8, 1])
  assert.equal(roundSteps(0, 1, 4), [0, 0.25, 0.5, 0.75, 1])
  assert.equal(roundSteps(-1, 1, 4), [-1, -0.5, 0, 0.5, 1])
  assert.equal(roundSteps(3, 3), [3])
})

test.run()
