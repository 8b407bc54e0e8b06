// What was found on this machine, as plain data. lib/cli/doctor.ts prints it.
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { availableParallelism, cpus, freemem, totalmem } from 'node:os'
import { join } from 'node:path'
import { type DeviceInfo, type DeviceReport, type Refusal, chooseDevice, devices } from './backend.ts'
import { addonPath, cudaPaths, libc, native, root } from './load.ts'

/** An environment variable that changes what happens. */
const VARIABLES = ['TRANSWELD_DEVICE', 'TRANSWELD_CUDA_LIBRARY', 'TRANSWELD_CUDA_HOST_LIBRARY', 'TRANSWELD_THREADS', 'TRANSWELD_ISA', 'TRANSWELD_ADDON', 'CUDA_VISIBLE_DEVICES',
  'LD_LIBRARY_PATH', 'LD_PRELOAD', 'NODE_OPTIONS'] as const

/** The report of `transweld doctor`. */
export interface DoctorReport {
  readonly version: string
  readonly node: { readonly version: string, readonly napi: string, readonly platform: string, readonly arch: string, readonly libc: string }
  readonly memory: { readonly totalBytes: number, readonly freeBytes: number }
  readonly cpu: { readonly model: string, readonly cores: number, readonly threads: string, readonly features: readonly string[] }
  /** The addon and why that one, or the error of loading it. */
  readonly addon: { readonly path: string, readonly why: string } | { readonly error: string }
  /** library: the one that was opened, whether it shows a device or not; empty where there is none. */
  readonly cuda: { readonly library: string, readonly refused: readonly Refusal[], readonly driver: string, readonly advice: readonly string[] }
  readonly devices: readonly DeviceInfo[]
  /** What the backends say about their choice. */
  readonly notes: readonly string[]
  /** The device that would be used, or why there is none. */
  readonly used: { readonly device: string } | { readonly error: string }
  /** Variables that are set. */
  readonly environment: Readonly<Record<string, string>>
  /** Folders under prebuilds/. */
  readonly prebuilds: readonly string[]
}

/** Looks at everything that decides whether and where transweld runs. Never throws: what fails is part of the report. */
export function examine(): DoctorReport {
  const addon = attempt(() => { native(); return addonPath() })
  const works = !('error' in addon)
  const report = works ? devices() : { devices: [], refused: [], notes: [] }
  const used = works ? attempt(() => ({ device: chooseDevice().device })) : { error: 'the addon could not be loaded' }
  const driver = driverVersion()
  const library = works ? cudaPaths().find(path => !report.refused.some(one => one.path === path)) ?? '' : ''
  return {
    version: (JSON.parse(readFileSync(join(root(), 'package.json'), 'utf8')) as { version: string }).version,
    node: { version: process.version, napi: process.versions.napi ?? '', platform: process.platform, arch: process.arch, libc: libc() },
    memory: { totalBytes: totalmem(), freeBytes: freemem() },
    cpu: {
      model: cpus()[0]?.model.trim() ?? 'unknown', cores: availableParallelism(),
      threads: process.env.TRANSWELD_THREADS || String(availableParallelism()), features: works ? native().cpuFeatures() : [],
    },
    addon, cuda: { library, refused: report.refused, driver, advice: advice(report, driver) },
    devices: report.devices, notes: report.notes, used,
    environment: Object.fromEntries(VARIABLES.flatMap(name => process.env[name] === undefined ? [] : [[name, process.env[name]!]])),
    prebuilds: folders(join(root(), 'prebuilds')),
  }
}

function attempt<T>(body: () => T): T | { error: string } {
  try { return body() } catch (error) { return { error: error instanceof Error ? error.message : String(error) } }
}

function folders(path: string): string[] {
  return existsSync(path) ? readdirSync(path, { withFileTypes: true }).filter(entry => entry.isDirectory()).map(entry => entry.name).sort() : []
}

// The kernel module's own words; empty where there is none.
function driverVersion(): string {
  try {
    return readFileSync('/proc/driver/nvidia/version', 'utf8').split('\n')[0]!.trim()
  } catch { return '' }
}

// In plain words, what to do about each way of not having a GPU.
function advice({ refused, devices, notes }: DeviceReport, driver: string): string[] {
  if (devices.some(info => info.device.startsWith('cuda:'))) return []
  const words: string[] = []
  const present = refused.filter(({ path }) => existsSync(path))
  const loads = notes.some(note => note.startsWith('cuda: '))
  const forced = process.env.TRANSWELD_CUDA_LIBRARY
  if (present.length === 0 && !loads) {
    words.push(forced ? `TRANSWELD_CUDA_LIBRARY names ${forced}, which is not there: correct it, or unset it to look in the usual places.`
      : 'No CUDA library is here: everything runs on the CPU. If you have one, name it in TRANSWELD_CUDA_LIBRARY.')
  }
  for (const { path, reason } of present) {
    words.push(/contract/.test(reason) ? `${path} belongs to another version of transweld: install or build both from one version.`
      : /undefined symbol/.test(reason) ? `${path} is a library, but not one of transweld's: name transweld_cuda.so itself.`
      : `${path} is there but does not load: it is damaged, or built for another system. The loader's words above say which.`)
  }
  if (!driver && process.platform === 'linux') words.push('No NVIDIA driver is loaded (or the container was started without access to the GPU).')
  return words
}
