// A transcoder in training on made-up rows, as train() runs it: the same step, two of them in flight.
import type { Device } from '../lib/tensor/device.ts'
import { cast } from '../lib/tensor/ops.ts'
import type { Tensor } from '../lib/tensor/tensor.ts'
import { type StepFigures, Trainee } from '../lib/train/step.ts'
import { Workspace } from '../lib/train/workspace.ts'
import type { Settings } from '../lib/train/settings.ts'
import { topK } from '../lib/transcoder/activation.ts'
import { presetOf } from '../lib/transcoder/preset.ts'
import type { ScreenMode } from '../lib/transcoder/screen.ts'
import { Stock } from './data.ts'
import type { Coder } from './shapes.ts'

/** How a training differs from the plain one. */
export interface TrainingOptions {
  readonly screen: 'auto' | ScreenMode
  readonly skip?: boolean
  /** Rows near a space of so many dimensions; default: normal draws. */
  readonly rank?: number
}

const FOREVER = 1e9       // steps of the schedule: the rate stays on its plateau
const BATCHES = 16        // taken in turns: a coder that sees one batch alone learns it by heart, and screening gets too easy
const NONE = new Uint32Array(0)

/** A trainee with its bench; `bench.x` and `bench.y` hold the last batch. AuxK is off. */
export class Training implements Disposable {
  readonly bench: Workspace
  readonly trainee: Trainee
  step = 0
  /** Of the last step that has told. */
  last: StepFigures | undefined
  /** Of the fastest encode so far, in ms. */
  leastEncode = Infinity
  readonly #stock: Stock
  readonly #x: Tensor        // [BATCHES · N, D]
  readonly #y: Tensor

  constructor(device: Device, { N, D, F, K }: Coder, { screen, skip = false, rank }: TrainingOptions) {
    const activation = topK(K), preset = presetOf(activation)
    const settings: Settings = {
      layers: [0], features: F, activation, skip, tokens: FOREVER, batch: N, steps: FOREVER, rate: preset.rate(F), warmUp: 50, decay: 0, seed: 0,
      reads: 'mlpInput', writes: 'mlpOutput', shuffle: 1, loss: preset.loss, auxiliary: 0, deadAfter: FOREVER,
    }
    this.trainee = new Trainee(device, settings, 0, D, D, screen)
    this.bench = new Workspace(device, settings, D, D)
    this.#stock = new Stock(device)
    const rows = (): Tensor => rank === undefined ? this.#stock.normal(BATCHES * N, D) : this.#stock.lowRank(BATCHES * N, D, rank)
    this.#x = rows()
    this.#y = rows()
    this.trainee.startBias(this.#y)
  }

  /** Bytes of the batches that wait for their turn: in train() they are the source's. */
  get poolBytes(): number { return this.#stock.bytes }

  /** Takes so many steps; done when the last has told its figures. */
  async run(steps: number): Promise<void> {
    const flying: Promise<StepFigures>[] = []
    const { x, y } = this.bench
    for (let i = 0; i < steps; i++) {
      const at = this.step % BATCHES * x.rows
      cast({ source: this.#x.view(at, at + x.rows), out: x })
      cast({ source: this.#y.view(at, at + x.rows), out: y })
      flying.push((await this.trainee.enqueue(this.bench, this.step++, NONE)).figures)
      if (flying.length > 1) this.#tell(await flying.shift()!)
    }
    for (const figures of flying) this.#tell(await figures)
  }

  #tell(figures: StepFigures): void {
    this.last = figures
    this.leastEncode = Math.min(this.leastEncode, figures.counts.nanoseconds / 1e6)
  }

  [Symbol.dispose](): void {
    this.bench.dispose()
    this.trainee.dispose()
    this.#stock[Symbol.dispose]()
  }
}
