// A batch of examples in a process of its own: imports the modules named on the command line, one after another, and tells its
// parent what each has printed and what it threw.
import { format } from 'node:util'
import { pathToFileURL } from 'node:url'

/** What became of one module. */
export interface Outcome { readonly path: string, readonly printed: readonly string[], readonly error?: string }

for (const path of process.argv.slice(2)) {
  const printed: string[] = []
  console.log = (...values: unknown[]) => { printed.push(format(...values).replace(/\s+/g, ' ').trim()) }
  let error: string | undefined
  try {
    await import(pathToFileURL(path).href)
  } catch (thrown) {
    error = thrown instanceof Error ? thrown.stack ?? thrown.message : String(thrown)
  }
  await new Promise<void>(sent => process.send!({ path, printed, ...(error !== undefined && { error }) } satisfies Outcome, () => sent()))
}
process.disconnect()
