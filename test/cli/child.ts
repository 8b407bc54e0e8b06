// The command line in a process of its own, as a shell starts it.
import { type ChildProcess, spawn } from 'node:child_process'
import * as assert from 'uvu/assert'

/** The compiled command line, from the root of the repository. */
export const MAIN = 'dist/lib/cli/main.js'

/** What a process left behind. */
export interface Ended { readonly code: number | null, readonly out: string, readonly err: string }

/** Runs `transweld` with these words; `onText` sees standard output grow. */
export function transweld(words: readonly string[], onText: (out: string, child: ChildProcess) => void = () => {}): Promise<Ended> {
  return ended(spawn(process.execPath, [MAIN, ...words], { stdio: ['ignore', 'pipe', 'pipe'] }), onText)
}

/** Runs a line of shell in which `transweld` is the command line of this repository. */
export function shell(line: string): Promise<Ended> {
  return ended(spawn('sh', ['-c', `transweld() { "${process.execPath}" ${MAIN} "$@"; }; ${line}`], { stdio: ['ignore', 'pipe', 'pipe'] }), () => {})
}

function ended(child: ChildProcess, onText: (out: string, child: ChildProcess) => void): Promise<Ended> {
  let out = '', err = ''
  child.stdout!.setEncoding('utf8').on('data', (text: string) => { out += text; onText(out, child) })
  child.stderr!.setEncoding('utf8').on('data', (text: string) => { err += text })
  return new Promise((resolve, reject) => child.on('error', reject).on('close', code => resolve({ code, out, err })))
}

/** Holds a run to one line of complaint with a code, and exit code 1. */
export function complained({ code, out, err }: Ended, errorCode: string, words: RegExp): void {
  assert.is(code, 1, err)
  assert.is(out, '')
  assert.match(err, new RegExp(`^transweld: [^\\n]+ \\(${errorCode}\\)\\n$`))
  assert.match(err, words)
}

/** The lines of standard output as JSON. */
export function jsonLines({ out }: Ended): Record<string, unknown>[] {
  return out.trimEnd().split('\n').map(line => JSON.parse(line) as Record<string, unknown>)
}
