// Predicates for public arguments: one small function a kind, one error shape: "expected … for … but received …".
import { TransweldError } from './error.ts'

/** A short, safe rendering of any value for an error message. */
export function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? value.slice(0, 57) + '...' : value)
  if (typeof value === 'function') return 'a function'
  if (Array.isArray(value)) return `an array of ${value.length}`
  if (value !== null && typeof value === 'object') return `a ${(value as object).constructor?.name ?? 'bare object'}`
  return String(value)
}

/** The error of every failed check. `hint` is the likely fix, a whole sentence. */
export function invalid(what: string, expected: string, received: unknown, hint = ''): TransweldError {
  return new TransweldError('ERR_INVALID_ARGUMENT', `expected ${expected} for ${what} but received ${show(received)}${hint && '. ' + hint}`)
}

/** An integer in [low, high]. */
export function integer(what: string, value: unknown, low = 0, high = Number.MAX_SAFE_INTEGER): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= low && value <= high) return value
  throw invalid(what, high === Number.MAX_SAFE_INTEGER ? `an integer of at least ${low}` : `an integer from ${low} to ${high}`, value)
}

/** A finite number in [low, high]. */
export function finite(what: string, value: unknown, low = -Infinity, high = Infinity): number {
  if (typeof value === 'number' && Number.isFinite(value) && value >= low && value <= high) return value
  const range = low === -Infinity ? '' : high === Infinity ? ` of at least ${low}` : ` from ${low} to ${high}`
  throw invalid(what, `a finite number${range}`, value)
}

/** true or false. */
export function flag(what: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value
  throw invalid(what, 'true or false', value)
}

/** A string that is not empty. */
export function text(what: string, value: unknown): string {
  if (typeof value === 'string' && value !== '') return value
  throw invalid(what, 'a string that is not empty', value)
}

/** One of a closed list of strings. */
export function oneOf<const T extends string>(what: string, value: unknown, choices: readonly T[]): T {
  if (choices.includes(value as T)) return value as T
  throw invalid(what, choices.map(c => `"${c}"`).join(' or '), value)
}

/** Refuses keys that are not in `known`, and names the nearest one that is. */
export function closed(what: string, options: object, known: readonly string[]): void {
  if (options === null || typeof options !== 'object' || Array.isArray(options)) throw invalid(what, 'an object of options', options)
  for (const key of Object.keys(options)) {
    if (known.includes(key)) continue
    const near = nearest(key, known)
    throw new TransweldError('ERR_UNKNOWN_OPTION', `unknown option "${key}" for ${what}${near ? `: did you mean "${near}"?` : ''} Known: ${known.join(', ')}`)
  }
}

/** The word of `words` with the fewest edits to `word`, if it takes at most half of its letters; else undefined. */
export function nearest(word: string, words: readonly string[]): string | undefined {
  let best: string | undefined, least = Math.floor(word.length / 2) + 1
  for (const candidate of words) {
    const distance = edits(word.toLowerCase(), candidate.toLowerCase())
    if (distance < least) { least = distance; best = candidate }
  }
  return best
}

// Levenshtein distance, one row at a time.
function edits(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1))
    row = next
  }
  return row[b.length]!
}

/** An AbortSignal, or undefined. */
export function signal(argument: string, value: unknown): AbortSignal | undefined {
  if (value === undefined || value instanceof AbortSignal) return value
  throw invalid(argument, 'an AbortSignal', value)
}
