// Formats at their borders: rounding up to the next unit, minus zero, no number at all.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { brief, compact, count, duration, fixed, MISSING, percent } from '../../lib/view/number.ts'

test('what is no number is a dash in every format', () => {
  for (const value of [NaN, Infinity, -Infinity, null, undefined]) {
    for (const format of [brief, compact, count, duration, percent, (v: typeof value) => fixed(v, 3)]) assert.is(format(value), MISSING)
  }
})

test('fixed', () => {
  assert.is(fixed(0.0199, 4), '0.0199')
  assert.is(fixed(-0, 2), '0.00')
  assert.is(fixed(-1.5, 1), '−1.5')
  assert.is(fixed(0.00001, 4), '1e−5')
  assert.is(fixed(0.00005, 4), '0.0001')
  assert.is(fixed(1e300, 2), '1e300')
  assert.is(fixed(9999999, 0), '9999999')
})

test('brief keeps three digits', () => {
  assert.is(brief(0), '0')
  assert.is(brief(0.0123456), '0.0123')
  assert.is(brief(16), '16')
  assert.is(brief(-0.5), '−0.5')
  assert.is(brief(2.5e-7), '2.5e−7')
  assert.is(brief(12345), '12.3k')
})

test('compact chooses its letter after rounding', () => {
  assert.is(compact(950), '950')
  assert.is(compact(999.4), '999')
  assert.is(compact(999.6), '1k')
  assert.is(compact(999_700), '1M')
  assert.is(compact(2_615_424), '2.62M')
  assert.is(compact(-4096), '−4.1k')
  assert.is(compact(7e12), '7T')
  assert.is(compact(1e18), '1e18')
})

test('percent, count, duration', () => {
  assert.is(percent(0.9975, 2), '99.75%')
  assert.is(percent(0), '0.0%')
  assert.is(count(65536), '65,536')
  assert.is(count(-1), '−1')
  assert.is(duration(0.25), '0.25 s')
  assert.is(duration(41.3), '41 s')
  assert.is(duration(59.9), '1 min')
  assert.is(duration(152), '2 min 32 s')
  assert.is(duration(3600 * 3 + 7 * 60), '3 h 07 min')
  assert.is(duration(-1), MISSING)
})

test.run()
