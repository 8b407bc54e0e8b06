// Words of the command line to values: numbers that may be written 1e6, lists of layers, and the model on its device.
import { stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { TransweldError } from '../native/error.ts'
import { DTYPES, LanguageModel, type ModelOptions } from '../model/model.ts'
import { ProgressBar } from './progress.ts'

/** A number as one writes it: 1000000, 1e6. */
export function number(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('Expected a number such as 4096 or 1e6.')
  return value
}

/** An integer of at least 0; 1e6 is one. */
export function whole(text: string): number {
  const value = number(text)
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError('Expected a whole number such as 4096 or 1e6.')
  return value
}

/** `all`, or layers and ranges of them: `0-3`, `0,2`, `0-1,5`. */
export function layers(text: string): 'all' | number[] {
  if (text === 'all') return 'all'
  return text.split(',').flatMap(part => {
    const [, from, to = from] = /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(part.trim()) ?? []
    if (from === undefined || Number(to) < Number(from)) throw new InvalidArgumentError('Expected all, a range such as 0-3, or a list such as 0,2.')
    return Array.from({ length: Number(to) - Number(from) + 1 }, (_, i) => Number(from) + i)
  })
}

/** Token ids between commas. */
export function tokenIds(text: string): number[] {
  const parts = text.split(',').map(part => part.trim())
  if (!parts.every(part => /^\d+$/.test(part))) throw new InvalidArgumentError('Expected token ids between commas, such as 1,2,3.')
  return parts.map(Number)
}

/**
 * Adds an option that must be given. Commander's own check of these comes before that of unknown ones, and would complain
 * of a missing --features where --feature was typed; this one comes after, so that the nearest name is offered.
 */
export function required<T>(command: Command, flags: string, description: string, parse: (text: string) => T): void
export function required(command: Command, flags: string, description: string): void
export function required(command: Command, flags: string, description: string, parse?: (text: string) => unknown): void {
  const option = new Option(flags, `${description} (required)`)
  command.addOption(parse ? option.argParser(parse) : option)
  command.hook('preAction', () => {
    if (command.getOptionValue(option.attributeName()) !== undefined) return
    throw new TransweldError('ERR_INVALID_ARGUMENT', `expected the option ${flags}: see transweld ${command.name()} --help`)
  })
}

/** Which model, and how it is opened: the same for every command that runs one. */
export interface ModelFlags {
  readonly model: string, readonly device?: string, readonly dtype?: NonNullable<ModelOptions['dtype']>
  readonly arithmetic?: NonNullable<ModelOptions['arithmetic']>, readonly revision?: string
}

/** Adds `--model` and what else says how it is opened. */
export function modelOptions(command: Command): void {
  required(command, '--model <model>', 'folder of the model, or its id on the Hugging Face hub')
  command.option('--revision <name>', 'branch, tag or commit of an id (default: main)')
  command.addOption(new Option('--dtype <name>', 'what its weights are kept as (default: auto)').choices(DTYPES))
  command.addOption(new Option('--arithmetic <kind>', 'rounded: products of bf16 weights at the speed of bf16 (default: exact)').choices(['exact', 'rounded']))
  command.addOption(new Option('--device <name>', 'cpu or cuda:0 (default: TRANSWELD_DEVICE, else a GPU if there is one)'))
}

/** Opens the model that was asked for; shows how far a download has come. */
export async function openModel({ model, device, dtype, arithmetic, revision }: ModelFlags, signal?: AbortSignal): Promise<LanguageModel> {
  const bar = new ProgressBar()
  try {
    return await LanguageModel.open(model, {
      ...(device !== undefined && { device }), ...(dtype && { dtype }), ...(arithmetic && { arithmetic }), ...(revision !== undefined && { revision }),
      ...(signal && { signal }), progress: ({ file, received, total }) => bar.show('downloading', received / total, file),
    })
  } finally { bar.clear() }
}

/** The error for two options of which exactly one must be given. */
export function exactlyOne(a: string, b: string): TransweldError {
  return new TransweldError('ERR_INVALID_ARGUMENT', `expected either ${a} or ${b}, and not both`)
}

/** Refuses a file to be written whose folder is not there, before the work that it is to hold is done. */
export async function checkOut(path: string): Promise<void> {
  const folder = dirname(resolve(path)), isFolder = await stat(folder).then(found => found.isDirectory(), () => false)
  if (!isFolder) throw new TransweldError('ERR_FILE', `expected an existing folder for --out ${path} but ${folder} is none`)
}
