// The curves of a run, thinned as they grow: at most 400 points, evenly spaced in steps, whatever the run's length.
import type { StepEvent } from './event.ts'

/** Curves that a report draws; arrays run along `tokens`. Plain JSON, kept in checkpoints and in `transweld.json`. */
export interface History {
  stride: number
  seconds: number
  tokens: number[]
  layers: { layer: number, loss: number[], fvu: number[], l0: number[], dead: number[] }[]
}

const MOST = 400

/** An empty history. */
export function newHistory(layers: readonly number[]): History {
  return { stride: 1, seconds: 0, tokens: [], layers: layers.map(layer => ({ layer, loss: [], fvu: [], l0: [], dead: [] })) }
}

/** Adds a step where it falls on the stride, and doubles the stride where there are too many points. */
export function record(history: History, event: StepEvent): void {
  if ((event.step - 1) % history.stride) return
  history.tokens.push(event.tokens)
  for (const [i, curves] of history.layers.entries()) {
    const { loss, fvu, l0, dead } = event.layers[i]!
    curves.loss.push(loss); curves.fvu.push(fvu); curves.l0.push(l0); curves.dead.push(dead)
  }
  if (history.tokens.length <= MOST) return
  history.stride *= 2
  const halved = (values: number[]): number[] => values.filter((_, i) => i % 2 === 0)
  history.tokens = halved(history.tokens)
  for (const c of history.layers) { c.loss = halved(c.loss); c.fvu = halved(c.fvu); c.l0 = halved(c.l0); c.dead = halved(c.dead) }
}
