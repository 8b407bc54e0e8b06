// Runs a piece of a program in a process of its own: for exit codes, signals and environment variables.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** The library's compiled entry, as an import specifier. */
export const ENTRY = new URL('../../lib/index.js', import.meta.url).href
const MAIN = fileURLToPath(new URL('../../lib/cli/main.js', import.meta.url))

/** How a process ended, and what it said. */
export interface Ended { readonly code: number | null, readonly signal: NodeJS.Signals | null, readonly stdout: string, readonly stderr: string }

/** Options of a child. */
export interface ChildOptions {
  readonly env?: Readonly<Record<string, string>>
  /** Called when the child prints a line: may send it a signal. */
  readonly onLine?: (line: string, kill: (signal: NodeJS.Signals) => void) => void
}

/** Runs the body of a module in which everything that transweld exports is at hand. */
export function child(body: string, options: ChildOptions = {}): Promise<Ended> {
  const names = 'openDevice, devices, TransweldError, Tensor, fill, fillRandom, matmul, embedRows, axpy'
  return started(['--expose-gc', '--input-type=module', '-e', `import { ${names} } from ${JSON.stringify(ENTRY)}\n${body}`], options)
}

/** Runs the command line. */
export function command(args: readonly string[], options: ChildOptions = {}): Promise<Ended> {
  return started([MAIN, ...args], options)
}

function started(args: readonly string[], { env = {}, onLine }: ChildOptions): Promise<Ended> {
  const process_ = spawn(process.execPath, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = '', stderr = ''
  process_.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    stdout += chunk
    if (chunk.endsWith('\n')) onLine?.(chunk.trim(), signal => process_.kill(signal))
  })
  process_.stderr.setEncoding('utf8').on('data', (chunk: string) => { stderr += chunk })
  return new Promise((done, failed) => {
    process_.on('error', failed)
    process_.on('close', (code, signal) => done({ code, signal, stdout, stderr }))
  })
}

/** The code of what a function throws, or "none". */
export function codeOf(body: () => unknown): string {
  try {
    body()
    return 'none'
  } catch (error) { return (error as { code?: string }).code ?? String(error) }
}

/** The error that a promise rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<{ code: string, message: string }> {
  try {
    await promise
  } catch (error) { return error as { code: string, message: string } }
  throw new Error('expected a rejection but the promise was resolved')
}
