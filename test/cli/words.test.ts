// The small parts of the command line: numbers and layers in words, the progress bar, the command to resume with.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { layers, number, tokenIds, whole } from '../../lib/cli/options.ts'
import { clock, ProgressBar, rate, type Terminal } from '../../lib/cli/progress.ts'
import { alignedTable } from '../../lib/cli/table.ts'
import { resumeCommand } from '../../lib/cli/train.ts'

test('numbers', () => {
  assert.equal(['1e6', '4096', '2.5e3', ' 7 '].map(whole), [1e6, 4096, 2500, 7])
  assert.equal(['2e-3', '-1', '0'].map(number), [0.002, -1, 0])
  for (const text of ['', ' ', 'x', '1e6.5', '1,000', 'Infinity', 'NaN']) assert.throws(() => number(text), /Expected a number/, text)
  for (const text of ['-1', '0.5', '1e30']) assert.throws(() => whole(text), /Expected a whole number/, text)
})

test('layers and ids', () => {
  assert.equal(layers('all'), 'all')
  assert.equal(layers('0-3'), [0, 1, 2, 3])
  assert.equal(layers('0,2'), [0, 2])
  assert.equal(layers('5, 1-2'), [5, 1, 2])
  assert.equal(layers('3-3'), [3])
  for (const text of ['', 'some', '1-', '-1', '3-1', '1,,2', '1-2-3', '99999']) assert.throws(() => layers(text), /range such as 0-3/, text)
  assert.equal(tokenIds('1, 2,30'), [1, 2, 30])
  for (const text of ['', '1,', 'a', '-1', '1.5']) assert.throws(() => tokenIds(text), /ids between commas/, text)
})

test('durations and rates', () => {
  assert.equal([0.4, 61, 3599, 3600, 36_061].map(clock), ['0:00', '1:01', '59:59', '1:00:00', '10:01:01'])
  assert.equal([3.2, 999, 26_123, 2.5e6].map(rate), ['3', '999', '26.1k', '2.5M'])
})

// A bar on a terminal of 80 columns with a clock of its own.
function bar(isTTY: boolean): { shown: string[], at: (ms: number) => void, bar: ProgressBar } {
  const shown: string[] = []
  let now = 0
  const terminal: Terminal = { isTTY, columns: 80, write: text => shown.push(text) }
  return { shown, at: ms => { now = ms }, bar: new ProgressBar(terminal, () => now) }
}

test('the bar says how much is done, and how long it will take by what was done since it began', () => {
  const { shown, at, bar: one } = bar(true)
  one.show('training', 0.5, 'step 5')                  // a resumed run begins half way
  at(10_000)
  one.show('training', 0.6, 'step 6')
  assert.match(shown[0]!, /^\r\x1b\[Ktraining █{12}░{12} {2}50% {2}step 5$/)
  assert.match(shown[1]!, /█{14}░{10} {2}60% {2}0:40 left {2}step 6$/)
  at(10_050)
  one.show('training', 0.61)
  assert.is(shown.length, 2, 'ten times a second at most')
  one.show('training', 1, 'x'.repeat(100))
  assert.is(shown.length, 3, 'but the end is shown')
  assert.ok(shown[2]!.length <= 79 + '\r\x1b[K'.length, 'a line does not wrap')
  one.clear()
  one.clear()
  assert.equal(shown.slice(3), ['\r\x1b[K'])
})

test('without a terminal the bar is silent', () => {
  const { shown, bar: one } = bar(false)
  one.show('training', 0.5)
  one.clear()
  assert.equal(shown, [])
})

test('the command to resume with is what was typed, quoted for a shell', () => {
  assert.is(resumeCommand(['train', '--text', 'a b/*.txt', "it's", '--lr', '2e-3', '']), "transweld train --text 'a b/*.txt' 'it'\\''s' --lr 2e-3 '' --resume")
  assert.is(resumeCommand(['train', '--resume', '--out', 'x']), 'transweld train --resume --out x')
})

test('tables are aligned', () => {
  assert.is(alignedTable([['a', 'bb'], ['ccc', '1'], ['', '22']]), 'a    bb\nccc   1\n     22\n')
})

test.run()
