// What a shared library asks of the system it is loaded into, read with binutils, and the rules that ours keep: they load
// wherever Node 20's own Linux binary does (glibc 2.28, the libstdc++ of GCC 8).
import { execFileSync } from 'node:child_process'

/** What the dynamic section of a library says. */
export interface SharedLibrary {
  readonly exports: readonly string[]
  readonly needed: readonly string[]
  /** Symbol versions asked for, such as GLIBC_2.14. */
  readonly versions: readonly string[]
  /** Names of the dynamic tags. */
  readonly tags: readonly string[]
  /** NOW: every symbol is found at load or the load fails. NODELETE: threads may outlive the last user. */
  readonly flags: readonly string[]
}

const FLOOR: Record<string, readonly number[]> = { GLIBC: [2, 28], GLIBCXX: [3, 4, 25], CXXABI: [1, 3, 11] }

/** What one of ours may export and need. */
export interface Kind { readonly exports: readonly string[], readonly needed: RegExp }
export const ADDON: Kind = {
  exports: ['napi_register_module_v1', 'node_api_module_get_api_version_v1'],
  needed: /^(libc|libm|libstdc\+\+|libgcc_s|ld-linux[\w-]*)\.so\.\d+$/,
}
/** No libcuda and no libcudart: it loads where there is no driver. The three more were split off from libc until glibc 2.34. */
export const CUDA: Kind = {
  exports: ['transweld_table'],
  needed: /^(libc|libm|libstdc\+\+|libgcc_s|ld-linux[\w-]*|libpthread|libdl|librt)\.so\.\d+$/,
}

/** Reads one library. */
export function shared(path: string): SharedLibrary {
  const run = (command: string, ...args: string[]) =>
    execFileSync(command, [...args, path], { encoding: 'utf8', maxBuffer: 1 << 26, stdio: ['ignore', 'pipe', 'pipe'] })
  const dynamic = run('readelf', '-dW')
  const symbols = run('objdump', '-T')
  return {
    exports: run('nm', '-D', '--defined-only').split('\n').filter(line => line).map(line => line.split(' ').at(-1)!.split('@')[0]!).sort(),
    needed: [...dynamic.matchAll(/\(NEEDED\).*\[(.+?)\]/g)].map(match => match[1]!),
    versions: [...new Set([...symbols.matchAll(/\b(?:GLIBC|GLIBCXX|CXXABI)_[0-9.]+/g)].map(match => match[0]))],
    tags: [...dynamic.matchAll(/^\s*0x[0-9a-f]+ \((\w+)\)/gm)].map(match => match[1]!),
    flags: /\(FLAGS_1\).*Flags: (.*)/.exec(dynamic)?.[1]!.trim().split(' ') ?? [],
  }
}

/** Each rule that a library breaks, in words; empty if it is sound. */
export function faults(library: SharedLibrary, kind: Kind): string[] {
  const out: string[] = []
  if (library.exports.join() !== kind.exports.join()) out.push(`exports ${library.exports.join(' ') || 'nothing'}, not exactly ${kind.exports.join(' ')}`)
  for (const name of library.needed) if (!kind.needed.test(name)) out.push(`needs ${name}`)
  if (!library.versions.length) out.push('asks for no symbol version: nothing was read')
  for (const version of library.versions) {
    const [family, numbers] = version.split('_') as [string, string]
    const floor = FLOOR[family]!
    const differs = numbers.split('.').map((digit, i) => Number(digit) - (floor[i] ?? 0)).find(difference => difference !== 0) ?? 0
    if (differs > 0) out.push(`asks for ${version}, above ${family}_${floor.join('.')}`)
  }
  for (const flag of ['NOW', 'NODELETE']) if (!library.flags.includes(flag)) out.push(`is not linked with -z ${flag.toLowerCase()}`)
  for (const tag of ['RUNPATH', 'RPATH', 'TEXTREL']) if (library.tags.includes(tag)) out.push(`has ${tag}`)
  return out
}
