// The examples of the documentation: every `@example` of lib/ and every ts block of the named pages, each a module of its own.
import { files, read } from '../laws/sources.ts'

/** One example and where its first line stands. */
export interface Example { readonly place: string, readonly code: string }

const lineOf = (text: string, index: number): number => text.slice(0, index).split('\n').length

/** All examples, in the order of the files. */
export function examples(pages: readonly string[]): Example[] {
  const inSources = files(['lib'], ['.ts']).flatMap(path => {
    const text = read(path)
    return [...text.matchAll(/@example[^\n]*\n([\s\S]*?)(?=\n\s*\* @|\n?\s*\*\/)/g)].map(match => ({
      place: `${path}:${lineOf(text, match.index) + 1}`,
      code: match[1]!.split('\n').map(line => line.replace(/^\s*\* ?/, '')).join('\n'),
    }))
  })
  const inPages = pages.flatMap(path => {
    const text = read(path)
    return [...text.matchAll(/^```ts\n([\s\S]*?)^```/gm)].map(match => ({ place: `${path}:${lineOf(text, match.index) + 1}`, code: match[1]! }))
  })
  return [...inSources, ...inPages]
}

/** What an example says that it prints: the comments after its calls of console.log, blanks as one. */
export function promised(code: string): string[] {
  return [...code.matchAll(/console\.log\(.*\)[ \t]*\/\/ (.+)$/gm)].map(match => match[1]!.replace(/\s+/g, ' ').trim())
}

/** Whether an example does no more than declare functions: then it can only be imported. */
export function onlyDeclares(code: string): boolean {
  return /^(async )?function /m.test(code) && code.split('\n').every(line => /^(import |(async )?function |\s|\}|$)/.test(line))
}
