// Training: text → tokens → activations → one step of every layer, as an async iterator of events.
import { mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { TransweldError } from '../native/error.ts'
import { replaceFile } from '../safetensors/atomic.ts'
import type { LanguageModel } from '../model/model.ts'
import { type ScreenMode, screenModes } from '../transcoder/screen.ts'
import { noteOf } from '../transcoder/format/circuit-tracer.ts'
import { TranscoderSuite } from '../transcoder/suite.ts'
import { listTexts } from '../text/list.ts'
import { shuffledWindows } from '../text/shuffled.ts'
import { ActivationBlocks } from './blocks.ts'
import { checkIdentity, type Identity, lastState, type RunState, savedSteps } from './checkpoint.ts'
import type { DoneEvent, TrainEvent } from './event.ts'
import { fingerprintOf } from './identity.ts'
import { type Settings, settingsOf, type TrainOptions } from './settings.ts'
import { Trainee } from './step.ts'
import { Steps } from './steps.ts'
import { Workspace } from './workspace.ts'

const WINDOW_BLOCK = 8192        // windows of text that are shuffled together: 2 M tokens of 256, 8 MB of ids

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
    const { width } = model.config, { device } = model, trainees: Trainee[] = [], others: { dispose(): void }[] = []
    const own = <T extends { dispose(): void }>(one: T): T => { others.push(one); return one }
    let finished = false
    try {
      for (const layer of settings.layers) {
        trainees.push(device.allOrNothing(() => new Trainee(device, settings, layer, width, width, this.#options.screen ?? 'auto')))
      }
      const work = own(device.allOrNothing(() => new Workspace(device, settings, width, width)))
      const blocks = own(device.allOrNothing(() => new ActivationBlocks(model, settings, windows)))
      const run = new Steps(identity, { trainees, work, blocks }, state)
      await run.begin(out)
      yield* run.events(signal, out, this.#options.checkpointSeconds ?? 60)
      const coders = trainees.map(t => t.coder)
      const suite = new TranscoderSuite(coders, model.name, device, noteOf(coders, model.name, { settings, history: run.history, seconds: run.seconds }))
      if (out !== undefined) await suite.save(out)
      this.#suite = suite
      finished = true
      yield { event: 'done', step: settings.steps, tokens: settings.steps * settings.batch, seconds: run.seconds, path: out ?? '' } satisfies DoneEvent
    } finally {
      await windows.return()
      for (const one of others) one.dispose()
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
