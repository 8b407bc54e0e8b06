// How the learning rate moves over a run: linear warm-up, plateau, linear decay.

/** A schedule over a run of `steps` steps. */
export interface Schedule {
  /** The plateau's rate. */
  readonly peak: number
  readonly steps: number
  /** Steps of linear warm-up. */
  readonly warmUp: number
  /** Share of the run, at its end, over which the rate falls linearly to 0. */
  readonly decay: number
}

/**
 * The rate of step `step`, counted from 0: peak · min(1, (step + 1)/warmUp) · min(1, (steps − step)/(decay·steps)). The
 * first step already moves, and so does the last.
 *
 * @example
 * import { rateAt } from 'transweld'
 * console.log(rateAt({ peak: 2e-3, steps: 244, warmUp: 50, decay: 0.2 }, 0))   // 0.00004
 */
export function rateAt({ peak, steps, warmUp, decay }: Schedule, step: number): number {
  const up = warmUp > 0 ? Math.min(1, (step + 1) / warmUp) : 1
  const down = decay > 0 ? Math.min(1, (steps - step) / (decay * steps)) : 1
  return peak * up * down
}
