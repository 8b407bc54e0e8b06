// How long a 1 ms timer is late while a transcoder is trained, beside an idle process: its 99th percentile over a second,
// the two in turns, and the least of the rounds.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Case } from './row.ts'
import { CODERS, type Coder, DEMO, words } from './shapes.ts'
import { Training } from './training.ts'

const ROUNDS = 9
const SECOND = 1000

/** Runs a timer of 1 ms over and over until stopped; gives the 99th percentile of how late it was, in ms. */
export function watchTimer(): { stop(): number } {
  const late: number[] = []
  let set = performance.now(), timer = setTimeout(ring, 1)
  function ring(): void {
    late.push(Math.max(0, performance.now() - set - 1))
    set = performance.now()
    timer = setTimeout(ring, 1)
  }
  return {
    stop(): number {
      clearTimeout(timer)
      return late.sort((a, b) => a - b)[Math.floor(late.length * 0.99)] ?? NaN
    },
  }
}

function delay(shape: Coder): Case {
  return {
    name: 'timer delay p99', shape: words(shape),
    async measure({ device }) {
      using training = new Training(device, shape, { screen: 'auto' })
      await training.run(12)
      const idle: number[] = [], busy: number[] = []
      for (let round = 0; round < ROUNDS; round++) {
        const quiet = watchTimer()
        await sleep(SECOND)
        idle.push(quiet.stop())
        const until = performance.now() + SECOND, watch = watchTimer()
        while (performance.now() < until) await training.run(4)
        busy.push(watch.stop())
      }
      const [idleMilliseconds, trainingMilliseconds] = [Math.min(...idle), Math.min(...busy)]
      return { milliseconds: trainingMilliseconds, figures: { idleMilliseconds, addedMilliseconds: trainingMilliseconds - idleMilliseconds } }
    },
  }
}

export const cases: readonly Case[] = [...CODERS, DEMO].map(delay)
