// The steps of tokenizer.json are objects with a `type`: this finds what a type stands for.
import { TransweldError } from '../native/error.ts'
import { type Fields, isObject } from './files.ts'

/** What `kinds` makes of a step, a normalizer, say. */
export function madeOf<T>(what: string, kinds: Readonly<Record<string, (step: Fields) => T>>, step: unknown): T {
  const type = isObject(step) ? step['type'] : step
  if (isObject(step) && typeof type === 'string' && Object.hasOwn(kinds, type)) return kinds[type]!(step)
  throw new TransweldError('ERR_UNSUPPORTED', `unknown ${what} ${JSON.stringify(type)}. Known: ${Object.keys(kinds).join(', ')}`)
}
