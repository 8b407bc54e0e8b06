// What may be read: a text, ids, or many of either as they come; cut to what the model can hold, and packed so that many short
// sequences go through it together.
import { invalid } from '../native/check.ts'
import type { LanguageModel } from './model.ts'

/** One sequence: a text, or its ids. */
export type Sequence = string | ArrayLike<number>
/** One sequence, or many. */
export type Sequences = Sequence | Iterable<Sequence> | AsyncIterable<Sequence>

/** Sequences that go through the model together: sequence b is `ids[starts[b] … starts[b + 1] − 1]`. */
export interface Packed { readonly ids: Uint32Array, readonly starts: Uint32Array }

interface Part { readonly ids: Uint32Array }
interface PackedOf<T> extends Packed { readonly parts: readonly T[] }

/** The sequences of `input` one by one, as ids. */
export async function* idsOf(model: LanguageModel, input: Sequences): AsyncGenerator<ArrayLike<number>, void, undefined> {
  for await (const one of many(input)) {
    if (typeof one === 'string') yield (await model.tokenizer()).encode(one)
    else if (isIds(one)) yield one
    else throw invalid('a sequence', 'a text or a list of token ids', one)
  }
}

function many(input: Sequences): Iterable<Sequence> | AsyncIterable<Sequence> {
  if (typeof input === 'string' || isIds(input)) return [input]
  if (input !== null && typeof input === 'object' && (Symbol.iterator in input || Symbol.asyncIterator in input)) return input
  throw invalid('what is read', 'a text, a list of token ids, or an iterable of these', input)
}

function isIds(value: unknown): value is ArrayLike<number> {
  return (Array.isArray(value) && value.every(id => typeof id === 'number')) || (ArrayBuffer.isView(value) && !(value instanceof DataView))
}

/** Packs sequences in their order into batches of at most `rows` rows; a longer one is a batch of its own. */
export async function* packed<T extends Part>(sequences: AsyncIterable<T>, rows: number): AsyncGenerator<PackedOf<T>, void, undefined> {
  let parts: T[] = [], count = 0
  for await (const one of sequences) {
    if (count > 0 && count + one.ids.length > rows) {
      yield pack(parts)
      parts = []
      count = 0
    }
    parts.push(one)
    count += one.ids.length
  }
  if (count > 0) yield pack(parts)
}

function pack<T extends Part>(parts: readonly T[]): PackedOf<T> {
  const starts = new Uint32Array(parts.length + 1)
  for (const [b, { ids }] of parts.entries()) starts[b + 1] = starts[b]! + ids.length
  const ids = new Uint32Array(starts[parts.length]!)
  for (const [b, part] of parts.entries()) ids.set(part.ids, starts[b])
  return { ids, starts, parts }
}
