// Which screening mode runs, and that a low-precision copy never outlives the weights that it was made of.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openDevice } from '../../lib/tensor/device.ts'
import { fill, fillRandom } from '../../lib/tensor/ops.ts'
import { ScreenChooser, type ScreenMode, screenModes, Shadows } from '../../lib/transcoder/screen.ts'

// Runs `steps` encodes that take what `cost` says; returns what ran.
function ran(chooser: ScreenChooser, steps: number, cost: (mode: ScreenMode, step: number) => number): ScreenMode[] {
  return Array.from({ length: steps }, (_, step) => {
    const upcoming = chooser.upcoming, mode = chooser.next()
    if (step > 0 && step % 512) assert.is(mode, upcoming, `step ${step}`)
    chooser.took(mode, cost(mode, step))
    return mode
  })
}

test('every mode is tried three times, then the fastest runs', () => {
  const modes = ran(new ScreenChooser(['none', 'bf16', 'int8']), 500, mode => ({ none: 9, bf16: 3, int8: 5 })[mode])
  for (const mode of ['none', 'bf16', 'int8'] as const) assert.is(modes.slice(0, 9).filter(one => one === mode).length, 3)
  assert.ok(modes.slice(9).every(mode => mode === 'bf16'))
})

test('one slow timing of the fastest mode does not decide', () => {
  const modes = ran(new ScreenChooser(['none', 'int8']), 100, (mode, step) => mode === 'none' ? 10 : step < 2 ? 100 : 4)
  assert.ok(modes.slice(6).every(mode => mode === 'int8'))
})

test('after 512 steps the modes are tried again', () => {
  const modes = ran(new ScreenChooser(['none', 'int8']), 700, (mode, step) => (mode === 'none') === step < 512 ? 1 : 2)
  assert.ok(modes.slice(6, 512).every(mode => mode === 'none'))
  assert.ok(modes.slice(518).every(mode => mode === 'int8'))
})

test('a single mode is forced', () => {
  const chooser = new ScreenChooser(['bf16'])
  assert.ok(ran(chooser, 600, () => 1).every(mode => mode === 'bf16'))
  assert.not(chooser.isTrying)
})

test('a copy is made again when the weights have changed, and not otherwise', async () => {
  using device = openDevice('cpu')
  using weight = device.tensor('f32', 64, 48)
  fillRandom({ out: weight, distribution: 'normal', seed: 1, low: 0, high: 1 })
  const shadows = new Shadows(weight), modes = screenModes(device, 64, 48)
  assert.is(modes[0], 'none')
  assert.is(shadows.of('none'), undefined)
  for (const [i, mode] of modes.slice(1).entries()) {
    const copy = shadows.of(mode)!, version = copy.version, bytes = await copy.read()
    assert.is(shadows.of(mode), copy)
    assert.is(copy.version, version, 'unchanged weights need no new copy')
    fill({ out: weight.view(3, 4), value: 2 + i })
    assert.is(shadows.of(mode), copy)
    assert.ok(copy.version > version)
    assert.not.equal(await copy.read(), bytes)
    fill({ out: weight.view(5, 6), value: 1 })
    const stale = copy.version
    shadows.refreshed(mode)
    shadows.of(mode)
    assert.is(copy.version, stale, 'an update that renewed the copy says so')
  }
  if (modes.length > 2) {
    const [, first, second] = modes as [ScreenMode, ScreenMode, ScreenMode], dropped = shadows.of(first)!
    shadows.keepOnly(second)
    assert.ok(dropped.isDisposed)
    assert.is(shadows.of(second)!.isDisposed, false)
  }
  const used = device.memory().used
  shadows.dispose()
  assert.ok(modes.length === 1 || device.memory().used < used)
})

test.run()
