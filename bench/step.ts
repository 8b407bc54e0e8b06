// A whole training step with Adam, beside PyTorch's bare product of the encoder (ratio 1 is "that product alone"), a step of
// sparsify's structure in two variants, and the dense step of plain PyTorch. All sides take turns.
import { openDevice } from '../lib/tensor/device.ts'
import { screenModes, type ScreenMode } from '../lib/transcoder/screen.ts'
import { race, type Side } from './clock.ts'
import type { Case } from './row.ts'
import { CODERS, type Coder, DEMO, words } from './shapes.ts'
import { Training, type TrainingOptions } from './training.ts'

const WARM_UP = 12      // steps: the chooser of the screening mode has tried all of them three times
const LONG_ENOUGH = 100 // ms that a run of steps should take
const MEBIBYTE = 2 ** 20

async function stepsOf(training: Training): Promise<Side> {
  await training.run(WARM_UP)
  const once = async (steps: number): Promise<number> => {
    const start = performance.now()
    await training.run(steps)
    return (performance.now() - start) / steps
  }
  const steps = Math.max(1, Math.min(20, Math.ceil(LONG_ENOUGH / await once(2))))
  return () => once(steps)
}

function step(shape: Coder, what: string, options: TrainingOptions, against: readonly string[]): Case {
  return {
    name: `step ${what}`, shape: words(shape),
    async measure({ device, peers, limits }) {
      const { N, D, F, K } = shape, { skip = false, screen } = options
      if (screen !== 'auto' && !screenModes(device, F, D).includes(screen)) return { milliseconds: null }
      using training = new Training(device, shape, options)
      const made = peers ? [await peers.make('product', { M: N, K: D, N: F, dtype: 'f32' }), ...await Promise.all(against.map(job => peers.make(job, { N, D, F, K, skip })))] : []
      const sides = made.filter(peer => peer !== undefined)
      const [milliseconds, ...theirs] = await race([await stepsOf(training), ...sides.map(peer => peer.run)])
      const update = 4 * 6 * F * 2 * D, product = { operations: 2 * N * D * F, dtype: 'fastest' as const }
      return {
        milliseconds: milliseconds!, peers: sides.map(({ name }, i) => ({ name, milliseconds: theirs[i]! })), work: product,
        figures: {
          candidatesPerRow: training.last!.counts.candidates / N, leastEncodeMilliseconds: training.leastEncode,
          updateFloorMilliseconds: limits.floor({ bytes: update }) ?? NaN,
        },
      }
    },
  }
}

// What a step holds on a device of its own, scratch included, beside what it is allowed: parameters and two moments, F·D for
// each low copy (of its element size), 2·N·(D + O)·4, and 64 MiB.
function bytes(shape: Coder, screen: ScreenMode): Case {
  return {
    name: `step bytes ${screen}`, shape: words(shape),
    async measure({ device: { device: name } }) {
      using device = openDevice(name)
      const { N, D, F } = shape
      if (!screenModes(device, F, D).includes(screen)) return { milliseconds: null }
      using training = new Training(device, shape, { screen })
      await training.run(3)
      const used = device.memory().peak - training.poolBytes, low = { none: 0, bf16: 2, int8: 1 }[screen]
      const allowed = 3 * 4 * (2 * F * D + F + D) + low * F * D + 2 * N * 2 * D * 4 + 64 * MEBIBYTE
      return { milliseconds: null, figures: { usedMebibytes: used / MEBIBYTE, allowedMebibytes: allowed / MEBIBYTE } }
    },
  }
}

const ALL = ['sparsify_autograd', 'sparsify_by_hand', 'dense_step']

export const cases: readonly Case[] = [...CODERS, DEMO].flatMap(shape => [
  step(shape, 'auto', { screen: 'auto' }, ALL), step(shape, 'none', { screen: 'none' }, []), step(shape, 'bf16', { screen: 'bf16' }, []),
  step(shape, 'int8', { screen: 'int8' }, []), step(shape, 'auto, skip', { screen: 'auto', skip: true }, ALL),
  step(shape, 'auto, rows near D/8 dimensions', { screen: 'auto', rank: Math.ceil(shape.D / 8) }, []),
  bytes(shape, 'none'), bytes(shape, 'bf16'), bytes(shape, 'int8'),
])
