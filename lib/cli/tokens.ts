// `transweld tokens`: what a tokenizer makes of a text, token by token, or what ids stand for.
import { readFile } from 'node:fs/promises'
import { text as readAll } from 'node:stream/consumers'
import type { Command } from 'commander'
import { fileError } from '../safetensors/fault.ts'
import { openTokenizer } from '../tokenizer/tokenizer.ts'
import { exactlyOne, required, tokenIds } from './options.ts'

interface Flags { readonly model: string, readonly text?: string, readonly ids?: number[], readonly json?: true, readonly special: boolean }

/** Adds the command to the program. */
export function add(program: Command): void {
  const command = program.command('tokens').description('show the tokens of a text, or the text of token ids')
  required(command, '--model <dir>', 'folder of the model or its tokenizer')
  command.argument('[file]', 'file with the text; standard input where neither a file nor --text nor --ids is given')
  command.option('--text <text>', 'the text')
  command.option('--ids <list>', 'token ids to show, such as 1,2,3', tokenIds)
  command.option('--no-special', 'add no beginning-of-text token and the like')
  command.option('--json', 'print one JSON object: text, ids, pieces')
  command.action(run)
}

async function run(file: string | undefined, flags: Flags): Promise<void> {
  if (file !== undefined && (flags.text !== undefined || flags.ids !== undefined)) throw exactlyOne('a file', flags.text === undefined ? '--ids' : '--text')
  if (flags.text !== undefined && flags.ids !== undefined) throw exactlyOne('--text', '--ids')
  const tokenizer = await openTokenizer(flags.model)
  const ids = flags.ids ?? [...tokenizer.encode(flags.text ?? await read(file), { special: flags.special })]
  const text = tokenizer.decode(ids, { special: flags.special }), pieces = ids.map(id => tokenizer.piece(id))
  if (flags.json) process.stdout.write(JSON.stringify({ text, ids, pieces }) + '\n')
  else if (flags.ids !== undefined) process.stdout.write(rows(ids, pieces) + `text: ${JSON.stringify(text)}\n`)
  else process.stdout.write(rows(ids, pieces))
}

async function read(file: string | undefined): Promise<string> {
  if (file === undefined) return readAll(process.stdin)
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw fileError('read', file, error)
  }
}

// Pieces last, as JSON strings: one line each, whatever they hold.
function rows(ids: readonly number[], pieces: readonly string[]): string {
  const width = Math.max(2, String(ids.reduce((most, id) => Math.max(most, id), 0)).length)
  const lines = ids.map((id, i) => [String(i), String(id), JSON.stringify(pieces[i])] as const)
  return [['position', 'id', 'piece'] as const, ...lines].map(([position, id, piece]) => `${position.padStart(8)}  ${id.padStart(width)}  ${piece}\n`).join('')
}
