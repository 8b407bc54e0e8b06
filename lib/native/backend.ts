// Which devices there are, which one is meant, and why the others are not here.
import type { NativeDevice } from './abi.ts'
import { invalid } from './check.ts'
import { TransweldError } from './error.ts'
import { cudaHostPath, cudaPaths, native } from './load.ts'

/**
 * A device that can be opened. `device` is the name to ask for: "cpu", "cuda:0". In a checkout that has built it there is also
 * "cuda-host:0", the CUDA kernels run by the CPU: slow, made to find faults, one device for each order of threads.
 */
export interface DeviceInfo extends NativeDevice {
  readonly device: string
  /** The backend's library; empty for the CPU, which is inside the addon. */
  readonly library: string
  readonly index: number
}

/** A library that was looked for and refused. */
export interface Refusal { readonly path: string, readonly reason: string }

/** What `devices()` reports. */
export interface DeviceReport {
  readonly devices: readonly DeviceInfo[]
  /** CUDA libraries that could not be used, each with the loader's own words. */
  readonly refused: readonly Refusal[]
  /** What a backend says about devices that are missing or how it chose, e.g. "cpu: ..." */
  readonly notes: readonly string[]
}

/**
 * Lists the devices of this machine. Nothing is opened but the CUDA library, if there is one; never throws for a missing one.
 *
 * @example
 * import { devices } from 'transweld'
 * for (const { device, name, code } of devices().devices) console.log(device, name, code)
 */
export function devices(): DeviceReport {
  const found: DeviceInfo[] = [], refused: Refusal[] = [], notes: string[] = []
  const add = (backend: string, library: string): boolean => {
    const { devices, why, reason } = native().devices(library)
    if (reason) refused.push({ path: library || 'built-in CPU backend', reason })
    if (why) notes.push(`${backend}: ${why}`)
    devices.forEach((device, index) => found.push({ ...device, device: backend === 'cpu' ? 'cpu' : `${backend}:${index}`, library, index }))
    return reason === ''
  }
  add('cpu', '')
  for (const path of cudaPaths()) if (add('cuda', path)) break
  const emulated = cudaHostPath()
  if (emulated !== undefined) add('cuda-host', emulated)
  return { devices: found, refused, notes }
}

/**
 * The device that `name` means: that one, else TRANSWELD_DEVICE, else the first GPU, else the CPU.
 * @throws TransweldError ERR_DEVICE_MISSING for one that was asked for and is not here, with all that was tried;
 * ERR_INVALID_ARGUMENT where TRANSWELD_ISA or TRANSWELD_THREADS is wrong.
 */
export function chooseDevice(name?: string): DeviceInfo {
  const asked = name ?? (process.env.TRANSWELD_DEVICE || undefined)
  const source = name === undefined && asked !== undefined ? 'TRANSWELD_DEVICE' : 'device'
  if (asked !== undefined && !/^(cpu|cuda(-host)?(:\d+)?)$/.test(asked)) throw invalid(source, '"cpu" or "cuda:0"', asked)
  const report = devices()
  const first = report.devices.some(info => info.device === 'cuda:0') ? 'cuda:0' : 'cpu'
  const wanted = asked === undefined ? first : /^cuda(-host)?$/.test(asked) ? `${asked}:0` : asked
  const found = report.devices.find(info => info.device === wanted)
  if (found) return found
  // The CPU is inside the addon: what can be wrong is TRANSWELD_ISA or TRANSWELD_THREADS, and the backend says so.
  if (wanted === 'cpu') throw new TransweldError('ERR_INVALID_ARGUMENT', report.notes.join('; '))
  const tried = report.refused.map(({ path, reason }) => reason.includes(path) ? reason : `${path}: ${reason}`)
  const cards = report.devices.filter(info => info.device !== 'cpu').map(info => info.device)
  throw new TransweldError('ERR_DEVICE_MISSING', [`expected ${source} ${wanted} but it is not here`, ...tried, ...report.notes.filter(note => !note.startsWith('cpu:')),
    ...(cards.length ? [`here: cpu, ${cards.join(', ')}`] : [])].join('; ') + '. Run `npx transweld doctor` for a full report')
}
