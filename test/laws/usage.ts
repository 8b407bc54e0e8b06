// What ptxas said of each kernel's registers, stack and spills when the CUDA library was built here: cuda/keep_usage.sh keeps its
// words beside each object.
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { files, read, root } from './sources.ts'

export interface Usage {
  /** The kernel's own name, without namespace and template arguments. */
  readonly kernel: string
  /** sm_80, sm_90a, ... */
  readonly code: string
  readonly stackBytes: number
  readonly spillBytes: number
  readonly registers: number
}

const LIBRARY = 'build-cuda/Release/transweld_cuda.so'
const OBJECTS = 'build-cuda/CMakeFiles/cuda_objects.dir/cuda'

/** Why nothing can be said of the kernels as they are now; empty if it can. */
export function unread(): string {
  const time = (path: string) => statSync(join(root, path), { throwIfNoEntry: false })?.mtimeMs
  const built = time(LIBRARY)
  if (built === undefined) return 'the CUDA library is not built here (npm run build:cuda, with nvcc 13)'
  const inputs = [...files(['cuda'], ['.cu', '.h']), ...files(['src'], ['.h']).filter(path => path.split('/').length === 2)]
  const newer = inputs.filter(path => time(path)! > built)
  return newer.length ? `${newer[0]} is newer than the CUDA library built here (npm run build:cuda)` : ''
}

/** The kernel in a mangled name: its parts are numbers, each with so many letters behind it. */
export function kernelOf(mangled: string): string {
  const parts: string[] = []
  let at = mangled.indexOf('N') + 1 || 2
  for (let digits; (digits = /^\d+/.exec(mangled.slice(at))?.[0]) !== undefined;) {
    at += digits.length
    parts.push(mangled.slice(at, at + Number(digits)))
    at += Number(digits)
  }
  return parts.at(-1) ?? mangled
}

/** Reads the words of one object. */
export function usages(text: string): Usage[] {
  return text.split(/(?=ptxas info\s+: Compiling entry function)/).flatMap(part => {
    const entry = /Compiling entry function '(\w+)' for '(\w+)'/.exec(part)
    const frame = /(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads/.exec(part)
    const registers = /Used (\d+) registers/.exec(part)
    if (!entry || !frame || !registers) return []
    return [{ kernel: kernelOf(entry[1]!), code: entry[2]!, stackBytes: Number(frame[1]), spillBytes: Number(frame[2]) + Number(frame[3]),
      registers: Number(registers[1]) }]
  })
}

/** Of every kernel in every machine code, by source file. */
export function allUsages(): ReadonlyMap<string, readonly Usage[]> {
  return new Map(files([OBJECTS], ['.cu.o.usage']).map(path => [path.slice(OBJECTS.length + 1, -'.o.usage'.length), usages(read(path))]))
}
