// `transweld report`: evaluates transcoders, looks for telling features, and writes all of it as one page. Trains nothing.
import type { Command } from 'commander'
import { evaluate } from '../evaluate/evaluate.ts'
import { tellingFeatures } from '../evaluate/features.ts'
import { replaceFile } from '../safetensors/atomic.ts'
import { TranscoderSuite } from '../transcoder/suite.ts'
import { reportData } from '../view/gather.ts'
import { reportPage } from '../view/report.ts'
import { Interrupt } from './interrupt.ts'
import { checkOut, type ModelFlags, modelOptions, openModel, required, whole } from './options.ts'
import { ProgressBar } from './progress.ts'

interface Flags extends ModelFlags {
  readonly transcoders: string, readonly text: string[]
  readonly tokens: number, readonly out: string
}

/** Adds the command to the program. */
export function add(program: Command): void {
  const command = program.command('report').description('write a page that shows transcoders: figures, curves, and what their features fire on')
  modelOptions(command)
  required(command, '--transcoders <dir>', 'folder of the transcoders')
  required(command, '--text <path...>', 'text that they were not trained on: files, folders or patterns')
  command.option('--tokens <count>', 'tokens to read from the start of the text', whole, 65536)
  required(command, '--out <file>', 'file to write, .html')
  command.action(run)
}

async function run(flags: Flags): Promise<void> {
  await checkOut(flags.out)
  const bar = new ProgressBar()
  using interrupt = new Interrupt(() => bar.clear())
  using model = await openModel(flags, interrupt.signal)
  using suite = await TranscoderSuite.open(flags.transcoders, { device: model.device })
  const shared = { model, suite, text: flags.text, tokens: flags.tokens, signal: interrupt.signal }
  try {
    const evaluation = await evaluate({ ...shared, progress: share => bar.show('evaluating', share * 0.9) })
    const features = await tellingFeatures({ ...shared, progress: share => bar.show('features', 0.9 + share * 0.1) })
    await replaceFile(flags.out, reportPage(reportData({ model, suite, evaluation, features })))
  } finally { bar.clear() }
  process.stdout.write(`report in ${flags.out}\n`)
}
