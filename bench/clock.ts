// Timing side by side: one run of ours, one of each peer, and again. A machine like this swings by a factor of two within
// seconds, so only what ran in turns is compared, and the least of the rounds is what each side can do.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Device } from '../lib/tensor/device.ts'

const ROUNDS = 15
const FEW_ROUNDS = 7        // where a run of some side takes more than LONG
const LONG = 1000           // ms
const SHORT = 8             // ms: a run is repeated until it takes as long, so that waking threads does not count
const MOST_REPEATS = 2000
const REST = 4              // ms between sides: the threads of the last one may still spin

/** One of those that take turns: runs once, and says how many milliseconds a call took. */
export type Side = () => Promise<number>

/** The least time of each side over all rounds. */
export async function race(sides: readonly Side[]): Promise<number[]> {
  const least = sides.map(() => Infinity)
  let longest = 0
  for (let round = 0; round < (longest > LONG ? FEW_ROUNDS : ROUNDS); round++) {
    for (const [i, side] of sides.entries()) {
      const start = performance.now()
      least[i] = Math.min(least[i]!, await side())
      longest = Math.max(longest, performance.now() - start)
      await sleep(REST)
    }
  }
  return least
}

/** Our side: enqueues the call often enough, waits, and divides. The first runs warm up and choose how often. */
export async function ours(device: Device, call: () => void | Promise<void>): Promise<Side> {
  const times = async (repeats: number): Promise<number> => {
    const start = performance.now()
    for (let i = 0; i < repeats; i++) {
      const pending = call()
      if (pending) await pending
    }
    await device.wait()
    return (performance.now() - start) / repeats
  }
  await times(1)
  const repeats = Math.max(1, Math.min(MOST_REPEATS, Math.ceil(SHORT / await times(3))))
  return () => times(repeats)
}
