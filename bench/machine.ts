// The head of a report: what ran, on what. No name of the host and no path.
import { readFileSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'
import { createRequire } from 'node:module'
import type { Device } from '../lib/tensor/device.ts'

/** What the figures of a run belong to. */
export interface Machine {
  readonly date: string
  readonly cpu: string
  /** The device's code: an instruction set, or a GPU's architecture. */
  readonly instructionSet: string
  readonly threads: number
  readonly memoryGibibytes: number
  readonly node: string
  readonly transweld: string
  /** "PyTorch 2.13.0", or why there is none. */
  readonly peer: string
}

/** Threads of our pool: TRANSWELD_THREADS, else what this process may use. */
export function threads(): number { return Number(process.env.TRANSWELD_THREADS) || availableParallelism() }

/** Describes this machine. */
export function describe(device: Device, peer: string | undefined): Machine {
  const { version } = createRequire(import.meta.url)('transweld/package.json') as { version: string }
  const memory = /MemTotal:\s+(\d+)/.exec(readFileSync('/proc/meminfo', 'utf8'))
  return {
    date: new Date().toISOString().slice(0, 10), cpu: model(), instructionSet: device.code, threads: threads(),
    memoryGibibytes: memory ? Math.round(Number(memory[1]) / 2 ** 20) : 0, node: process.version, transweld: version,
    peer: peer === undefined ? 'none: TRANSWELD_PEER_PYTHON is not set' : `PyTorch ${peer}`,
  }
}

// A virtual machine may hide the model's name: family and model number say which core it is.
function model(): string {
  const text = readFileSync('/proc/cpuinfo', 'utf8')
  const field = (name: string): string | undefined => new RegExp(`^${name}\\s*:\\s*(.+)$`, 'm').exec(text)?.[1]
  const family = field('cpu family'), number = field('model')
  return (cpus()[0]?.model ?? 'unknown').trim() + (family === undefined ? '' : ` (family ${family}, model ${number})`)
}
