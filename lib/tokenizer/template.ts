// The tokens that a tokenizer puts around a text ("post_processor"): a beginning of text, an end, or none.
import { TransweldError } from '../native/error.ts'
import { isObject, type Fields } from './files.ts'

/** Ids before and after every text. */
export interface Surround { readonly before: readonly number[], readonly after: readonly number[] }

const NOTHING: Surround = { before: [], after: [] }

/** What a "post_processor" adds to a single text. */
export function surround(step: unknown): Surround {
  if (step == null) return NOTHING
  const type = isObject(step) ? step['type'] : undefined
  if (!isObject(step)) throw new TransweldError('ERR_FORMAT', 'expected an object for post_processor')
  switch (type) {
    case 'ByteLevel': return NOTHING // it moves offsets alone
    case 'Sequence':
      return (step['processors'] as readonly unknown[]).map(surround)
        .reduce((inner, outer) => ({ before: [...outer.before, ...inner.before], after: [...inner.after, ...outer.after] }), NOTHING)
    case 'TemplateProcessing': return template(step)
    case 'BertProcessing':
    case 'RobertaProcessing': {
      const id = (pair: unknown): number => checked(Array.isArray(pair) ? pair[1] : undefined)
      return { before: [id(step['cls'])], after: [id(step['sep'])] }
    }
    default: throw new TransweldError('ERR_UNSUPPORTED', `unknown post_processor ${JSON.stringify(type)}`)
  }
}

function template(step: Fields): Surround {
  const items = step['single'] as readonly { SpecialToken?: { id: string }, Sequence?: { id: string } }[]
  const tokens = (step['special_tokens'] ?? {}) as Readonly<Record<string, { ids?: readonly unknown[] }>>
  const text = items.findIndex(item => item.Sequence !== undefined)
  if (text < 0 || items.some((item, i) => i !== text && item.SpecialToken === undefined)) {
    throw new TransweldError('ERR_UNSUPPORTED', 'expected the text exactly once in post_processor.single')
  }
  const ids = (part: typeof items): number[] => part.flatMap(item => {
    const found = tokens[item.SpecialToken!.id]?.ids
    if (!Array.isArray(found)) throw new TransweldError('ERR_FORMAT', `post_processor.special_tokens does not hold ${JSON.stringify(item.SpecialToken!.id)}`)
    return found.map(checked)
  })
  return { before: ids(items.slice(0, text)), after: ids(items.slice(text + 1)) }
}

function checked(id: unknown): number {
  if (Number.isInteger(id) && (id as number) >= 0) return id as number
  throw new TransweldError('ERR_FORMAT', `expected a token id in post_processor but found ${JSON.stringify(id)}`)
}
