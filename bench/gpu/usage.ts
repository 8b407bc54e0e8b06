// The compiler's report on kernels (cuda/keep_usage.sh keeps ptxas' words beside each object), with their template arguments.
import { execFileSync } from 'node:child_process'
import { readFileSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

export interface Usage {
  /** Name and template arguments: "sparse_decode_strips_kernel<4, float>". */ readonly kernel: string
  readonly registers: number
  readonly spillBytes: number
  /** Static shared memory. */ readonly sharedBytes: number
}

/** The words of a report: a file, or all *.usage of a folder. */
function words(path: string): string {
  const found = statSync(path, { throwIfNoEntry: false })
  if (!found) throw new Error(`expected the compiler's report but there is none (npm run build:cuda makes it): ${path}`)
  if (!found.isDirectory()) return readFileSync(path, 'utf8')
  return readdirSync(path).filter(name => name.endsWith('.usage')).map(name => readFileSync(join(path, name), 'utf8')).join('\n')
}

/** "void a::(anonymous namespace)::x_kernel<4, (a::b)1>(c)" is x_kernel<4, (b)1>. */
function plain(demangled: string): string {
  const name = demangled.replace(/^void /, '').replace(/\(anonymous namespace\)::|\w+::/g, '')
  const open = /^\w+/.exec(name)![0].length
  let depth = 0
  for (let at = open; at < name.length; at++) {
    if (name[at] === '<') depth++
    else if (name[at] === '>') depth--
    else if (name[at] === '(' && depth === 0) return name.slice(0, at)
  }
  return name
}

/** All kernels that were compiled for `code`, by name. */
export function usages(path: string, code: string): ReadonlyMap<string, Usage> {
  const found = words(path).split(/(?=ptxas info\s+: Compiling entry function)/).flatMap(part => {
    const entry = /Compiling entry function '(\w+)' for '(\w+)'/.exec(part), registers = /Used (\d+) registers/.exec(part)
    const spill = /(\d+) bytes spill stores, (\d+) bytes spill loads/.exec(part), shared = /(\d+) bytes smem/.exec(part)
    if (entry?.[2] !== code || !registers || !spill) return []
    const spillBytes = Number(spill[1]) + Number(spill[2])
    return [{ mangled: entry[1]!, registers: Number(registers[1]), spillBytes, sharedBytes: Number(shared?.[1] ?? 0) }]
  })
  if (found.length === 0) throw new Error(`expected the compiler's words about kernels for ${code} but received none: ${path}`)
  const names = execFileSync('c++filt', { input: found.map(({ mangled }) => mangled).join('\n'), encoding: 'utf8' }).trimEnd().split('\n')
  return new Map(found.map(({ mangled: _, ...usage }, i) => [plain(names[i]!), { kernel: plain(names[i]!), ...usage }]))
}
