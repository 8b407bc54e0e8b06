// The small parts of training: schedule, deaths, history, rates.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { adamScalars } from '../../lib/optim/adam.ts'
import { rateAt } from '../../lib/optim/schedule.ts'
import { Deaths } from '../../lib/train/deaths.ts'
import { newHistory, record } from '../../lib/train/history.ts'
import { presetOf } from '../../lib/transcoder/preset.ts'
import { topK, relu } from '../../lib/transcoder/activation.ts'
import { ScreenChooser } from '../../lib/transcoder/screen.ts'

const near = (a: number, b: number): void => assert.ok(Math.abs(a - b) <= 1e-12 * Math.abs(b), `${a} is not ${b}`)

test('the rate warms up from its first step, stays, and decays over the last fifth', () => {
  const schedule = { peak: 2, steps: 1000, warmUp: 50, decay: 0.2 }
  near(rateAt(schedule, 0), 2 / 50)
  near(rateAt(schedule, 49), 2)
  near(rateAt(schedule, 800), 2)
  near(rateAt(schedule, 900), 1)
  near(rateAt(schedule, 999), 2 / 200)
  near(rateAt({ peak: 1, steps: 10, warmUp: 0, decay: 0 }, 9), 1)
})

test('presets: the published rates and thresholds', () => {
  near(presetOf(topK(8)).rate(2 ** 14), 2e-4)
  near(presetOf(topK(8)).rate(24576), 1.632993161855452e-4)
  assert.is(presetOf(topK(8)).warmUp(244), 50)
  assert.is(presetOf(topK(8)).warmUp(10000), 200)
  assert.is(presetOf(topK(8)).deadAfter(1e6), 1e5)
  assert.is(presetOf(topK(8)).deadAfter(1e9), 1e7)
  assert.is(presetOf(relu()).loss, 'sumMse')
})

test('corrections of Adam count from one', () => {
  near(adamScalars(1, 1).correction1, 0.1)
  near(adamScalars(1, 2).correction2, 1 - 0.999 ** 2)
})

test('a feature is dead after that many rows without firing, and alive at once when it fires', () => {
  const deaths = new Deaths(3, 20)
  deaths.tell(Uint32Array.of(1, 0, 0), 10)
  assert.equal([...deaths.now], [])
  deaths.tell(Uint32Array.of(0, 0, 5), 10)
  assert.equal([...deaths.now], [1])
  deaths.tell(Uint32Array.of(0, 1, 0), 10)
  assert.equal([...deaths.now], [0])
})

test('a step uses the counts of two steps before it, also after a resume', () => {
  const fired = [[0, 1], [1, 0], [0, 0], [0, 0], [1, 1]].map(f => Uint32Array.from(f))
  const lists: number[][] = [], whole = new Deaths(2, 10)
  for (let step = 0; step < fired.length; step++) {        // step is enqueued when step − 1 steps were told
    if (step >= 2) whole.tell(fired[step - 2]!, 10)
    lists.push([...whole.forStep(step, Math.max(0, step - 1))])
  }
  const first = new Deaths(2, 10)
  for (let step = 0; step < 3; step++) first.tell(fired[step]!, 10)      // drained after three steps
  const resumed = new Deaths(2, 10, { since: first.state.since.slice(), before: first.state.before.slice() })
  assert.equal([...resumed.forStep(3, 3)], lists[3])
  assert.equal([...resumed.forStep(4, 3)], lists[4])
  assert.equal([...first.forStep(3, 3)], lists[3])
})

test('a history keeps at most 400 points, evenly spaced, the first one always', () => {
  const history = newHistory([0])
  for (let step = 1; step <= 5000; step++) {
    record(history, { event: 'step', step, tokens: step * 10, tokensPerSecond: 0, layers: [{ layer: 0, loss: step, fvu: 0, l0: 0, dead: 0, candidates: 0 }] })
  }
  assert.ok(history.tokens.length <= 400 && history.tokens.length > 200)
  assert.is(history.tokens[0], 10)
  const gaps = new Set(history.tokens.slice(1).map((t, i) => t - history.tokens[i]!))
  assert.equal([...gaps], [history.stride * 10])
  assert.equal(history.layers[0]!.loss.length, history.tokens.length)
})

test('the chooser tries every mode three times, takes the fastest, and tries again later', () => {
  const chooser = new ScreenChooser(['none', 'bf16', 'int8']), times = { none: 9, bf16: 5, int8: 7 }
  const tried: string[] = []
  for (let i = 0; i < 9; i++) { const mode = chooser.next(); tried.push(mode); chooser.took(mode, times[mode] + (i < 3 ? 100 : 0)) }
  for (const mode of ['none', 'bf16', 'int8']) assert.is(tried.filter(t => t === mode).length, 3)
  assert.is(chooser.upcoming, 'bf16')
  let others = 0
  for (let i = 9; i < 512; i++) if (chooser.next() !== 'bf16') others++
  assert.is(others, 0)
  chooser.next()
  assert.ok(chooser.isTrying)
})

test('a forced mode is the only one', () => {
  const chooser = new ScreenChooser(['int8'])
  assert.is(chooser.next(), 'int8')
  assert.is(chooser.upcoming, 'int8')
})

test.run()
