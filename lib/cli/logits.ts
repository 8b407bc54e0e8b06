// `transweld logits`: the logits of one prompt as a safetensors file, to be compared with other implementations.
import type { Command } from 'commander'
import { writeSafetensors } from '../safetensors/writer.ts'
import { checkOut, exactlyOne, type ModelFlags, modelOptions, openModel, required, tokenIds } from './options.ts'

interface Flags extends ModelFlags { readonly prompt?: string, readonly ids?: number[], readonly out: string }

/** Adds the command to the program. */
export function add(program: Command): void {
  const command = program.command('logits').description('write the logits of a prompt: tensor "logits" [T, V] f32')
  modelOptions(command)
  command.option('--prompt <text>', 'the prompt, cut into tokens by the tokenizer of the model')
  command.option('--ids <list>', 'the prompt as token ids, such as 1,2,3: no tokenizer is needed', tokenIds)
  required(command, '--out <file>', 'file to write, .safetensors')
  command.action(run)
}

async function run(flags: Flags): Promise<void> {
  if ((flags.prompt === undefined) === (flags.ids === undefined)) throw exactlyOne('--prompt', '--ids')
  await checkOut(flags.out)
  using model = await openModel(flags)
  const ids = flags.ids ?? (await model.tokenizer()).encode(flags.prompt!)
  const { rows, columns, data } = await model.logits(ids)
  await writeSafetensors(flags.out, { logits: { dtype: 'F32', shape: [rows, columns], data } })
  process.stdout.write(`logits [${rows}, ${columns}] in ${flags.out}\n`)
}
