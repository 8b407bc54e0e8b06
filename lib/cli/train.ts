// `transweld train`: trains transcoders and says how it goes; Ctrl-C leaves a checkpoint and the command that goes on from it.
import type { Command } from 'commander'
import { TransweldError } from '../native/error.ts'
import { savedSteps } from '../train/checkpoint.ts'
import { train } from '../train/loop.ts'
import type { LayerStep, StepEvent, TrainEvent } from '../train/event.ts'
import { parseActivation } from '../transcoder/activation.ts'
import type { ScreenMode } from '../transcoder/screen.ts'
import { Interrupt, INTERRUPTED } from './interrupt.ts'
import { layers, number, type ModelFlags, modelOptions, openModel, required, whole } from './options.ts'
import { clock, ProgressBar, rate } from './progress.ts'

interface Flags extends ModelFlags {
  readonly text: string[], readonly layers: 'all' | number[], readonly features: number, readonly activation: string
  readonly skip?: true, readonly tokens: number, readonly batch?: number, readonly lr?: number, readonly seed?: number
  readonly out: string, readonly resume?: true, readonly screen?: 'auto' | ScreenMode, readonly json?: true
}

/** Adds the command to the program. */
export function add(program: Command): void {
  const command = program.command('train').description('train sparse transcoders for layers of a language model on text')
  modelOptions(command)
  required(command, '--text <path...>', 'files, folders or patterns; gzip is recognised by content')
  command.option('--layers <list>', 'all, a range such as 0-3, or a list such as 0,2', layers, 'all')
  required(command, '--features <count>', 'features of each transcoder', whole)
  required(command, '--activation <name>', 'topk:16, or relu:l1=5e-3')
  command.option('--skip', 'add a linear path around the features')
  required(command, '--tokens <count>', 'tokens to train on, such as 1e6', whole)
  command.option('--batch <rows>', 'tokens of a step (default: 4096)', whole)
  command.option('--lr <rate>', 'peak learning rate (default: that of the activation)', number)
  command.option('--seed <number>', 'of weights and of the order of the text (default: 0)', whole)
  required(command, '--out <dir>', 'folder for the transcoders and checkpoints')
  command.option('--resume', 'go on from the last checkpoint in --out, to the same bits as without the stop')
  command.option('--screen <mode>', 'auto, int8, bf16 or none; the result is the same (default: auto)')
  command.option('--json', 'print each event as a line of JSON')
  command.action(run)
}

async function run(flags: Flags): Promise<void> {
  const bar = new ProgressBar()
  const activation = parseActivation(flags.activation)
  using interrupt = new Interrupt(() => {
    bar.clear()
    process.stderr.write('stopping after the step under way (Ctrl-C again: at once)\n')
  })
  using model = await openModel(flags, interrupt.signal)
  const { text, features, tokens, batch, lr, seed, out, screen } = flags
  const training = train({
    model, text, layers: flags.layers, features, activation, skip: flags.skip ?? false, tokens, out,
    resume: flags.resume ?? false, signal: interrupt.signal, ...(batch !== undefined && { batch }), ...(lr !== undefined && { rate: lr }),
    ...(seed !== undefined && { seed }), ...(screen !== undefined && { screen }),
  })
  const { steps } = training.settings
  if (flags.resume && (await savedSteps(out)).length === 0) process.stderr.write(`no checkpoint in ${out}: beginning anew\n`)
  try {
    for await (const event of training) tell(event, steps, bar, flags.json === true)
  } catch (error) {
    bar.clear()
    if (!(error instanceof TransweldError && error.code === 'ERR_ABORTED')) throw error
    process.stderr.write(`${error.message}. To go on:\n  ${resumeCommand(process.argv.slice(2))}\n`)
    process.exitCode = INTERRUPTED
  }
}

function tell(event: TrainEvent, steps: number, bar: ProgressBar, isJson: boolean): void {
  if (event.event === 'step') {
    const note = `step ${event.step}/${steps}  ${rate(event.tokensPerSecond)} tokens/s  fvu ${figures(event, 3)}`
    bar.show('training', event.step / steps, note)
  }
  if (event.event === 'done') bar.clear()
  if (isJson) process.stdout.write(JSON.stringify(event) + '\n')
  else if (event.event === 'done' || !bar.isTerminal) process.stdout.write(line(event, steps) + '\n')
}

function line(event: TrainEvent, steps: number): string {
  if (event.event === 'checkpoint') return `checkpoint ${event.path}`
  if (event.event === 'done') {
    const { step, tokens, seconds, path } = event
    return `trained ${step} steps on ${tokens} tokens in ${clock(seconds)} (${rate(tokens / seconds)} tokens/s): ${path}`
  }
  const mean = (pick: (l: LayerStep) => number): number => event.layers.reduce((sum, l) => sum + pick(l), 0) / event.layers.length
  return `step ${event.step}/${steps}  ${event.tokens} tokens  ${rate(event.tokensPerSecond)} tokens/s  fvu ${figures(event, 4)}  `
    + `l0 ${mean(l => l.l0).toFixed(1)}  dead ${(100 * mean(l => l.dead)).toFixed(1)}%`
}

function figures(event: StepEvent, digits: number): string {
  return event.layers.map(({ fvu }) => fvu.toFixed(digits)).join(' ')
}

/** The command that was typed, with --resume, as a shell reads it. */
export function resumeCommand(words: readonly string[]): string {
  const quoted = words.map(word => /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)
  const program = process.env['npm_command'] === 'exec' ? 'npx transweld' : 'transweld'
  return [program, ...quoted, ...(words.includes('--resume') ? [] : ['--resume'])].join(' ')
}
