// Training: text → tokens → activations → one step of every layer, as an async iterator of events.
//
// At most two steps are in flight: before step s is enqueued, step s − 2 has told its figures. A step's figures never
// decide anything before step s + 2, so the bits do not depend on when they arrive.
import { mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { TransweldError } from '../native/error.ts'
import { later } from '../tensor/later.ts'
import { replaceFile } from '../safetensors/atomic.ts'
import type { LanguageModel } from '../model/model.ts'
import { type ScreenMode, screenModes } from '../transcoder/screen.ts'
import { noteOf } from '../transcoder/format/circuit-tracer.ts'
import { TranscoderSuite } from '../transcoder/suite.ts'
import { listTexts } from '../text/list.ts'
import { shuffledWindows } from '../text/shuffled.ts'
import { ActivationBlocks } from './blocks.ts'
import { checkIdentity, type Identity, lastState, loadCheckpoint, type RunState, saveCheckpoint, savedSteps } from './checkpoint.ts'
import { Deaths } from './deaths.ts'
import type { CheckpointEvent, DoneEvent, StepEvent, TrainEvent } from './event.ts'
import { type History, newHistory, record } from './history.ts'
import { fingerprintOf } from './identity.ts'
import { Rate } from './rate.ts'
import { type Settings, settingsOf, type TrainOptions } from './settings.ts'
import { type StepFigures, Trainee } from './step.ts'
import { Workspace } from './workspace.ts'

const WINDOW_BLOCK = 8192        // windows of text that are shuffled together: 2 M tokens of 256, 8 MB of ids
const MOST_SKIPPED = 10          // steps in a row whose loss is not finite before a run is given up

/**
 * A training run: iterate it once for its events, then ask for the suite. What goes wrong is thrown where it is iterated, with the codes
 * of {@link train}.
 *
 * @example
 * import { LanguageModel, topK, train } from 'transweld'
 * using model = await LanguageModel.open('examples/codelm')
 * const text = 'examples/codelm/text/held-out.txt.gz'
 * const run = train({ model, text, layers: [0], features: 64, activation: topK(8), tokens: 2000, batch: 512 })
 * console.log(run.settings.steps, run.settings.rate)   // 3 0.0032
 * for await (const event of run) if (event.event === 'done') console.log(event.step, event.tokens)   // 3 1536
 * using suite = await run.suite()
 * console.log(suite.coders.length, suite.coders[0]!.features)   // 1 64
 */
export class TrainRun implements AsyncIterable<TrainEvent> {
  /** The options, completed by the preset. */
  readonly settings: Settings
  readonly #options: TrainOptions
  #events: AsyncGenerator<TrainEvent> | undefined
  #suite: TranscoderSuite | undefined
  #isTaken = false

  /** Use {@link train}. */
  constructor(options: TrainOptions) {
    this.settings = settingsOf(options)
    this.#options = options
  }

  [Symbol.asyncIterator](): AsyncGenerator<TrainEvent> { return this.#events ??= this.#run() }

  /**
   * The trained transcoders; runs to the end first where that was not done. The caller disposes them.
   * @throws TransweldError ERR_ABORTED for a run that was left before its end, and as the iteration does.
   */
  async suite(): Promise<TranscoderSuite> {
    for await (const _ of this) void _
    if (!this.#suite) throw new TransweldError('ERR_ABORTED', 'the run ended before its last step: there is no suite')
    this.#isTaken = true
    return this.#suite
  }

  /** Frees the weights of a suite that nobody took. */
  dispose(): void { if (!this.#isTaken) this.#suite?.dispose() }
  [Symbol.dispose](): void { this.dispose() }

  async *#run(): AsyncGenerator<TrainEvent> {
    const { settings } = this, { model, out, signal } = this.#options
    const files = await listTexts(this.#options.text)
    checkScreen(model, settings, this.#options.screen ?? 'auto')
    const identity = { settings, bits: model.device.bits, ...await fingerprintOf(model, files) }
    const state = out === undefined ? undefined : await openFolder(out, identity, this.#options.resume ?? false)
    const windows = shuffledWindows({
      files, tokenizer: model.folder, length: model.config.context, blockWindows: WINDOW_BLOCK, seed: settings.seed, ...(state && { from: state.blockStart }),
    })
    const { width } = model.config
    const trainees = settings.layers.map(layer => new Trainee(model.device, settings, layer, width, width, this.#options.screen ?? 'auto'))
    const work = new Workspace(model.device, settings, width, width)
    const blocks = new ActivationBlocks(model, settings, windows)
    let finished = false
    try {
      const run = new Steps(this, identity, { trainees, work, blocks }, state)
      await run.begin(out)
      for await (const event of run.steps(signal, out, this.#options.checkpointSeconds ?? 60)) yield event
      const coders = trainees.map(t => t.coder)
      const suite = new TranscoderSuite(coders, model.name, model.device, noteOf(coders, model.name, { settings, history: run.history, seconds: run.seconds }))
      if (out !== undefined) await suite.save(out)
      this.#suite = suite
      finished = true
      yield { event: 'done', step: settings.steps, tokens: settings.steps * settings.batch, seconds: run.seconds, path: out ?? '' } satisfies DoneEvent
    } finally {
      await windows.return()
      blocks.dispose()
      work.dispose()
      for (const trainee of trainees) trainee.dispose({ keepWeights: finished })
    }
  }
}

/**
 * Trains transcoders for layers of a model on text. Nothing happens until the run is iterated.
 *
 * @returns a run: an async iterable of {@link TrainEvent}; `suite()` gives the transcoders.
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION at once; while iterated ERR_FILE, ERR_EMPTY_TEXT, ERR_OUTPUT_EXISTS,
 * ERR_RESUME, ERR_NOT_FINITE (the loss stayed so), ERR_OUT_OF_MEMORY, ERR_ABORTED (after a checkpoint, where `out` is given).
 * @example
 * import { LanguageModel, topK, train } from 'transweld'
 * async function run(): Promise<void> {
 *   using model = await LanguageModel.open('examples/codelm')
 *   const run = train({ model, text: 'src/*.md', features: 2048, activation: topK(16), skip: true, tokens: 1e6 })
 *   for await (const event of run) if (event.event === 'step') console.log(event.step, event.layers[0]!.fvu)
 *   using suite = await run.suite()
 *   console.log(suite.coders.length)
 * }
 */
export function train(options: TrainOptions): TrainRun { return new TrainRun(options) }

// Prepares the output folder; the state to go on from, where there is one. A folder that holds nothing but what a run writes
// before its first checkpoint is as good as empty: nothing is lost by beginning anew.
async function openFolder(out: string, identity: Identity, resume: boolean): Promise<RunState | undefined> {
  const about = join(out, 'run.json'), names = await readdir(out).catch(() => [] as string[])
  const isBegun = names.some(name => name !== 'run.json' && name !== 'checkpoints') || (await savedSteps(out)).length > 0
  if (isBegun && !resume) throw new TransweldError('ERR_OUTPUT_EXISTS', `${out} is not empty: choose another folder, or resume the run in it`)
  if (isBegun) {
    if (!names.includes('run.json')) throw new TransweldError('ERR_RESUME', `${out} holds no run to resume: it has no run.json`)
    checkIdentity(await readIdentity(about), identity)
    return lastState(out)
  }
  await mkdir(out, { recursive: true })
  await replaceFile(about, JSON.stringify(identity, null, 2) + '\n')
  return undefined
}

async function readIdentity(path: string): Promise<Identity> {
  try { return JSON.parse(await readFile(path, 'utf8')) as Identity } catch (cause) { throw new TransweldError('ERR_FORMAT', `${path} cannot be read`, { cause }) }
}

// A forced mode that this device does not have is an error before anything is written.
function checkScreen({ device, config }: LanguageModel, { features }: Settings, screen: 'auto' | ScreenMode): void {
  const here = screenModes(device, features, config.width)
  if (screen === 'auto' || here.includes(screen)) return
  throw new TransweldError('ERR_UNSUPPORTED', `expected one of ${here.join(', ')} for screen on ${device.name} (${device.code}) but received "${screen}"`)
}

interface Parts { readonly trainees: readonly Trainee[], readonly work: Workspace, readonly blocks: ActivationBlocks }

// The steps of a run, from a checkpoint or from the start.
class Steps {
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

  constructor(run: TrainRun, identity: Identity, parts: Parts, state: RunState | undefined) {
    const s = this.#settings = run.settings
    this.#identity = identity
    this.#parts = parts
    this.#state = state
    this.history = state?.history ?? newHistory(s.layers)
    this.#enqueued = this.#told = state?.step ?? 0
    this.#deaths = s.layers.map(() => new Deaths(s.features, s.deadAfter))
  }

  get seconds(): number { return (this.#state?.seconds ?? 0) + (performance.now() - this.#began) / 1000 }

  // Fills the first block, and starts the output biases or loads the checkpoint.
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

  async *steps(signal: AbortSignal | undefined, out: string | undefined, checkpointSeconds: number): AsyncGenerator<StepEvent | CheckpointEvent> {
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
