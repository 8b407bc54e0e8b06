#!/usr/bin/env node
// The command line: one file a command. An error is one line, `transweld: message (CODE)`, and exit code 1.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import { TransweldError } from '../native/error.ts'
import { root } from '../native/load.ts'
import * as doctor from './doctor.ts'
import * as evaluate from './evaluate.ts'
import * as generate from './generate.ts'
import { CUT_OFF, INTERRUPTED } from './interrupt.ts'
import * as logits from './logits.ts'
import * as models from './models.ts'
import * as report from './report.ts'
import * as tokens from './tokens.ts'
import * as train from './train.ts'

const program = new Command('transweld')
  .description('runs language models, trains and evaluates sparse transcoders of them')
  .version(version())
  .showHelpAfterError(false)
  .configureOutput({ outputError: (text, write) => write(oneLine(text.replace(/^error: /, ''), codeOf(text))) })

// Of the package that this file lies in.
function version(): string {
  return (JSON.parse(readFileSync(join(root(), 'package.json'), 'utf8')) as { version: string }).version
}

for (const { add } of [doctor, train, evaluate, generate, logits, models, report, tokens]) add(program)

function oneLine(message: string, code: string): string {
  return `transweld: ${message.trim().replace(/\s*\n\s*/g, ' ')} (${code})\n`
}

// Commander's own complaints are about what was typed.
function codeOf(text: string): string {
  return /unknown option/.test(text) ? 'ERR_UNKNOWN_OPTION' : 'ERR_INVALID_ARGUMENT'
}

// Who reads our output may stop before its end, as `head` does: the work ends then, with the code that shells have for it.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(CUT_OFF)
})

program.parseAsync().catch((error: unknown) => {
  if (!(error instanceof TransweldError)) throw error
  process.stderr.write(oneLine(error.message, error.code))
  process.exitCode = error.code === 'ERR_ABORTED' ? INTERRUPTED : 1
})
