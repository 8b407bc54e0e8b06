// `transweld evaluate`: reconstruction and losses on held-out text, as a table or as JSON.
import type { Command } from 'commander'
import { evaluate } from '../evaluate/evaluate.ts'
import type { Evaluation } from '../evaluate/result.ts'
import { TranscoderSuite } from '../transcoder/suite.ts'
import { Interrupt } from './interrupt.ts'
import { type ModelFlags, modelOptions, openModel, required, whole } from './options.ts'
import { ProgressBar } from './progress.ts'
import { alignedTable } from './table.ts'

interface Flags extends ModelFlags {
  readonly transcoders: string, readonly text: string[]
  readonly tokens: number, readonly json?: true
}

/** Adds the command to the program. */
export function add(program: Command): void {
  const command = program.command('evaluate').description('measure transcoders on text that they were not trained on')
  modelOptions(command)
  required(command, '--transcoders <dir>', 'folder of the transcoders')
  required(command, '--text <path...>', 'files, folders or patterns')
  command.option('--tokens <count>', 'tokens to read from the start of the text', whole, 65536)
  command.option('--json', 'print the result as JSON')
  command.action(run)
}

async function run(flags: Flags): Promise<void> {
  const bar = new ProgressBar()
  using interrupt = new Interrupt(() => bar.clear())
  using model = await openModel(flags, interrupt.signal)
  using suite = await TranscoderSuite.open(flags.transcoders, { device: model.device })
  try {
    const evaluation = await evaluate({
      model, suite, text: flags.text, tokens: flags.tokens, signal: interrupt.signal, progress: share => bar.show('evaluating', share),
    })
    bar.clear()
    process.stdout.write(flags.json ? JSON.stringify(withoutDensity(evaluation)) + '\n' : evaluationTable(evaluation))
  } finally { bar.clear() }
}

/** The shape that scripts rely on: the histograms stay in the report. */
function withoutDensity({ layers, ...rest }: Evaluation): object {
  const { tokens, clean, all } = rest
  return { tokens, clean, layers: layers.map(({ density: _, ...figures }) => figures), all }
}

const HEAD = ['layer', 'fvu', 'cosine', 'l0', 'dead', 'spliced', 'zero', 'mean', 'kl', 'recovered (zero)', 'recovered (mean)']

/** The result in words: a row a layer, then all layers at once. */
export function evaluationTable({ tokens, clean, layers, all }: Evaluation): string {
  const four = (x: number): string => x.toFixed(4), percent = (x: number): string => `${(100 * x).toFixed(2)}%`
  const losses = ({ spliced, zero, mean, kl, recoveredZero, recoveredMean }: Evaluation['all']): string[] =>
    [...[spliced, zero, mean, kl].map(four), percent(recoveredZero), percent(recoveredMean)]
  const rows = layers.map(l => [String(l.layer), four(l.fvu), four(l.cosine), l.l0.toFixed(1), percent(l.dead), ...losses(l)])
  return `${tokens} tokens, next-token loss of the untouched model ${four(clean)}\n`
    + alignedTable([HEAD, ...rows, ['all', '', '', '', '', ...losses(all)]])
}
