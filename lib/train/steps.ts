// The steps of a run, one after the other: what is in flight, what has been told, when a checkpoint is due.
//
// At most two steps are in flight: before step s is enqueued, step s − 2 has told its figures. A step's figures never
// decide anything before step s + 2, so the bits do not depend on when they arrive.
import { TransweldError } from '../native/error.ts'
import { later } from '../tensor/later.ts'
import type { ActivationBlocks } from './blocks.ts'
import { type Identity, loadCheckpoint, type RunState, saveCheckpoint } from './checkpoint.ts'
import { Deaths } from './deaths.ts'
import type { CheckpointEvent, StepEvent } from './event.ts'
import { type History, newHistory, record } from './history.ts'
import { Rate } from './rate.ts'
import type { Settings } from './settings.ts'
import type { StepFigures, Trainee } from './step.ts'
import type { Workspace } from './workspace.ts'

const MOST_SKIPPED = 10          // steps in a row whose loss is not finite before a run is given up

/** What a run trains, and on what. */
export interface Parts { readonly trainees: readonly Trainee[], readonly work: Workspace, readonly blocks: ActivationBlocks }

/** The steps of a run, from the state of a checkpoint or from the start. */
export class Steps {
  readonly history: History
  readonly #settings: Settings
  readonly #identity: Identity
  readonly #parts: Parts
  readonly #state: RunState | undefined
  readonly #rate = new Rate()
  readonly #began = performance.now()
  #deaths: Deaths[]
  #enqueued: number
  #told: number
  #skipped = 0

  constructor(identity: Identity, parts: Parts, state: RunState | undefined) {
    const s = this.#settings = identity.settings
    this.#identity = identity
    this.#parts = parts
    this.#state = state
    this.history = state?.history ?? newHistory(s.layers)
    this.#enqueued = this.#told = state?.step ?? 0
    this.#deaths = s.layers.map(() => new Deaths(s.features, s.deadAfter))
  }

  /** Spent so far, over resumes. */
  get seconds(): number { return (this.#state?.seconds ?? 0) + (performance.now() - this.#began) / 1000 }

  /** Fills the first block, and starts the output biases or loads the checkpoint in `out`. */
  async begin(out: string | undefined): Promise<void> {
    const { trainees, blocks } = this.#parts, state = this.#state
    if (state && out !== undefined) {
      const { features, deadAfter } = this.#settings
      this.#deaths = (await loadCheckpoint(out, state.step, trainees)).map(kept => new Deaths(features, deadAfter, kept))
      await blocks.refill(state.block, state.taken)
    } else {
      await blocks.fill()
      for (const [i, trainee] of trainees.entries()) trainee.startBias(blocks.outputs(i))
    }
  }

  /** Trains to the end, or until the signal; saves in `out` every so many seconds and at the end. */
  async *events(signal: AbortSignal | undefined, out: string | undefined, checkpointSeconds: number): AsyncGenerator<StepEvent | CheckpointEvent> {
    const { steps } = this.#settings, pending: Promise<StepFigures>[][] = []
    let saved = performance.now()
    while (this.#told < steps) {
      const ends = this.#enqueued === steps || signal?.aborted === true
      const saves = out !== undefined && (ends || performance.now() - saved >= checkpointSeconds * 1000)
      if (!ends && !(saves && this.#enqueued > this.#told)) pending.push(await this.#enqueue())
      while (pending.length > (ends || saves ? 0 : 1)) yield this.#tell(await Promise.all(pending.shift()!))
      if (saves && this.#told > (this.#state?.step ?? 0)) {
        yield await this.#save(out)
        saved = performance.now()
      }
      if (ends && this.#told < steps) throw new TransweldError('ERR_ABORTED', `training was stopped after step ${this.#told} of ${steps}`)
    }
  }

  // One step of every layer; the figures arrive later.
  async #enqueue(): Promise<Promise<StepFigures>[]> {
    const { trainees, work, blocks } = this.#parts
    if (blocks.isDrained) await blocks.fill()
    const figures: Promise<StepFigures>[] = []
    for (const [i, trainee] of trainees.entries()) {
      blocks.gather(i, work.x, work.y)
      const step = await trainee.enqueue(work, this.#enqueued, this.#deaths[i]!.forStep(this.#enqueued, this.#told))
      figures.push(later(step.figures))
    }
    blocks.taken++
    this.#enqueued++
    return figures
  }

  #tell(figures: readonly StepFigures[]): StepEvent {
    const { batch, features, layers } = this.#settings
    this.#told++
    this.#rate.add(batch)
    const event: StepEvent = {
      event: 'step', step: this.#told, tokens: this.#told * batch, tokensPerSecond: this.#rate.perSecond(),
      layers: figures.map(({ loss, fvu, fired, counts }, i) => {
        this.#deaths[i]!.tell(fired, batch)
        const active = fired.reduce((sum, n) => sum + n, 0)
        return { layer: layers[i]!, loss, fvu, l0: active / batch, dead: this.#deaths[i]!.now.length / features, candidates: counts.candidates / batch }
      }),
    }
    record(this.history, event)
    this.history.seconds = this.seconds
    this.#checkFinite(event)
    return event
  }

  // A step whose loss is not finite updates nothing; many in a row never end by themselves.
  #checkFinite(event: StepEvent): void {
    const bad = event.layers.find(l => !Number.isFinite(l.loss))
    this.#skipped = bad ? this.#skipped + 1 : 0
    if (this.#skipped < MOST_SKIPPED) return
    const steps = `${MOST_SKIPPED} steps, the last of them ${event.step}`
    throw new TransweldError('ERR_NOT_FINITE', `the loss of layer ${bad!.layer} was not finite for ${steps}: try a lower rate; activations may also hold NaN`)
  }

  async #save(out: string): Promise<CheckpointEvent> {
    const { blocks, trainees } = this.#parts
    const path = await saveCheckpoint(out, {
      format: 'transweld-checkpoint', version: 1, identity: this.#identity, step: this.#told, block: blocks.block, blockStart: blocks.start,
      taken: blocks.taken, seconds: this.seconds, history: this.history,
    }, trainees, this.#deaths)
    return { event: 'checkpoint', step: this.#told, tokens: this.#told * this.#settings.batch, path }
  }
}
