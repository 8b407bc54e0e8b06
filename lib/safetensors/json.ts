// A strict JSON reader that sees what JSON.parse hides: a key written twice. Objects come as Maps, so that "__proto__" is a key like any other.
import { TransweldError } from '../native/error.ts'

/** A JSON value whose objects are Maps. */
export type Json = null | boolean | number | string | readonly Json[] | ReadonlyMap<string, Json>

const MAX_DEPTH = 64 // a header of tensors needs 3; the bound keeps hostile nesting off the stack
const STRING = /"((?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*)"/y
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const SPACE = /[ \t\r\n]*/y

/**
 * Parses the whole of `text`. `what` names it in errors.
 * @throws TransweldError ERR_FORMAT for anything that is not JSON, a key written twice, or nesting deeper than 64.
 */
export function parseJson(text: string, what: string): Json {
  let at = 0
  const fail = (why: string): never => { throw new TransweldError('ERR_FORMAT', `${what} is not valid JSON: ${why} at character ${at}`) }
  const space = (): void => { SPACE.lastIndex = at; SPACE.exec(text); at = SPACE.lastIndex }

  function string(): string {
    STRING.lastIndex = at
    const match = STRING.exec(text)
    if (match === null) return fail('expected a string')
    at = STRING.lastIndex
    return match[1]!.includes('\\') ? JSON.parse(match[0]) as string : match[1]!
  }

  function object(depth: number): ReadonlyMap<string, Json> {
    const map = new Map<string, Json>()
    at++
    space()
    if (text[at] === '}') { at++; return map }
    for (;;) {
      const key = string()
      if (map.has(key)) fail(`the key ${JSON.stringify(key.slice(0, 60))} comes twice`)
      space()
      if (text[at] !== ':') fail('expected ":"')
      at++
      map.set(key, value(depth))
      if (text[at] === '}') { at++; return map }
      if (text[at] !== ',') fail('expected "," or "}"')
      at++
      space()
    }
  }

  function array(depth: number): readonly Json[] {
    const items: Json[] = []
    at++
    space()
    if (text[at] === ']') { at++; return items }
    for (;;) {
      items.push(value(depth))
      if (text[at] === ']') { at++; return items }
      if (text[at] !== ',') fail('expected "," or "]"')
      at++
    }
  }

  function word(letters: string, meaning: Json): Json {
    if (!text.startsWith(letters, at)) fail('expected a value')
    at += letters.length
    return meaning
  }

  function number(): number {
    NUMBER.lastIndex = at
    const match = NUMBER.exec(text)
    if (match === null) return fail(at < text.length ? 'expected a value' : 'the text ended early')
    at = NUMBER.lastIndex
    return Number(match[0])
  }

  function value(depth: number): Json {
    if (depth === MAX_DEPTH) fail(`nesting deeper than ${MAX_DEPTH}`)
    space()
    const first = text[at]
    const result = first === '{' ? object(depth + 1) : first === '[' ? array(depth + 1) : first === '"' ? string()
      : first === 't' ? word('true', true) : first === 'f' ? word('false', false) : first === 'n' ? word('null', null) : number()
    space()
    return result
  }

  const result = value(0)
  if (at < text.length) fail('unexpected text after the end')
  return result
}
