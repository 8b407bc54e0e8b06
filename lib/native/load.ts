// The only importer of the addon: where it lies, loading it once, and words for every way in which that fails.
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import type { Native } from './abi.ts'
import { TransweldError } from './error.ts'

const require = createRequire(import.meta.url)
const DOCTOR = 'Run `npx transweld doctor` for a full report'

/** The package's folder. */
export function root(): string {
  return dirname(require.resolve('transweld/package.json'))
}

/** Which addon is loaded, and why that one. Throws ERR_NATIVE_LOAD where there is none for this platform. */
export function addonPath(): { path: string, why: string } {
  const forced = process.env.TRANSWELD_ADDON
  if (forced) return { path: forced, why: 'TRANSWELD_ADDON names it' }
  try {
    const path = (require('node-gyp-build') as { resolve(folder: string): string }).resolve(root())
    return { path, why: path.includes('prebuilds') ? 'the prebuilt one for this platform' : 'built in this folder' }
  } catch (cause) {
    throw new TransweldError('ERR_NATIVE_LOAD', `expected a native addon for ${process.platform}-${process.arch} (${libc()}) in `
      + `${join(root(), 'build/Release')} or ${join(root(), 'prebuilds')} but found none. ${DOCTOR}`, { cause })
  }
}

/** The C library: its name and version. */
export function libc(): string {
  if (process.platform !== 'linux') return 'system libc'
  const report = process.report as NodeJS.ProcessReport & { excludeNetwork?: boolean }
  report.excludeNetwork = true                                   // else the report may stall on a name server
  const { header } = report.getReport() as unknown as { header: { glibcVersionRuntime?: string } }
  return header.glibcVersionRuntime ? `glibc ${header.glibcVersionRuntime}` : 'musl'
}

/** Where a CUDA library is looked for, in order; TRANSWELD_CUDA_LIBRARY is looked for alone. */
export function cudaPaths(): string[] {
  const forced = process.env.TRANSWELD_CUDA_LIBRARY
  if (forced) return [resolve(forced)]                          // a bare name would go to the loader's own search path
  return [join(dirname(addonPath().path), 'transweld_cuda.so'), join(root(), 'build-cuda/Release/transweld_cuda.so')]
}

/** The library that runs the CUDA kernels without a GPU, for tests: only where a checkout has built it, or TRANSWELD_CUDA_HOST_LIBRARY names it. */
export function cudaHostPath(): string | undefined {
  const forced = process.env.TRANSWELD_CUDA_HOST_LIBRARY
  if (forced !== undefined) return forced ? resolve(forced) : undefined
  const built = join(root(), 'build-cuda-host/Release/transweld_cuda_host.so')
  return existsSync(built) ? built : undefined
}

let loaded: Native | undefined

/**
 * The addon, loaded at the first call.
 * @throws TransweldError ERR_NATIVE_LOAD with the path and the loader's own words.
 */
export function native(): Native {
  return loaded ??= load()
}

function load(): Native {
  const { path, why } = addonPath()
  try {
    return require(path) as Native
  } catch (cause) {
    const words = cause instanceof Error ? cause.message : String(cause)
    const floor = /GLIBC(XX)?_/.test(words) ? ' It needs glibc 2.28 and libstdc++ of GCC 8, or newer.' : ''
    throw new TransweldError('ERR_NATIVE_LOAD', `expected to load ${path} (${why}) but the loader said: ${words}.${floor} ${DOCTOR}`, { cause })
  }
}
