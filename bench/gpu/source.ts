// Constants of the CUDA sources, read where they stand: what is predicted follows what is compiled.
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The checkout. */
export const root = ((at: string) => {
  while (!existsSync(join(at, 'package.json'))) at = dirname(at)
  return at
})(dirname(fileURLToPath(import.meta.url)))

const texts = new Map<string, string>()

/** The number that `kName` is given in cuda/`file`; in tile.h within a namespace: "sparse_decode::kWarps". */
export function constant(name: string, file = 'tile.h'): number {
  if (!texts.has(file)) texts.set(file, readFileSync(join(root, 'cuda', file), 'utf8').replace(/\/\/.*$/gm, ''))
  const [last, space] = name.split('::').reverse() as [string, string?], all = texts.get(file)!
  const begin = space === undefined ? 0 : all.indexOf(`namespace ${space} {`)
  const text = all.slice(begin, space === undefined ? undefined : all.indexOf('\n}', begin))
  const value = begin < 0 ? null : new RegExp(`\\b${last} = (\\d+)(?:[a-z]*)(?: (<<|\\*) (\\d+))?\\s*[,;]`).exec(text)
  if (!value) throw new Error(`expected a number for ${name} in cuda/${file} but found none: the rows of launches.ts are older than it`)
  const [, first, operator, second] = value
  return operator === '<<' ? Number(first) * 2 ** Number(second) : operator === '*' ? Number(first) * Number(second) : Number(first)
}
