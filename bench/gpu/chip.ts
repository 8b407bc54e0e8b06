// An H100 SXM as its data sheet has it, and what a multiprocessor of it holds at a time.
//
// Peaks: NVIDIA H100 Tensor Core GPU data sheet (SXM; dense, without sparsity). What a multiprocessor has: CUDA C++ Programming
// Guide, technical specifications of compute capability 9.0. Where NVIDIA publishes nothing, it is assumed, and says so.
import type { Usage } from './usage.ts'

export type Rate = 'f32' | 'bf16' | 'int8'

export const H100 = {
  name: 'H100 SXM', code: 'sm_90a', processors: 132,
  bytesPerSecond: 3.35e12,
  operationsPerSecond: { f32: 67e12, bf16: 989e12, int8: 1979e12 } satisfies Record<Rate, number>,
  /** Half the f32 rate, of which a multiply-add is two operations. */
  instructionsPerSecond: 67e12 / 2,
  cacheBytes: 50e6,
  registers: 65536, sharedBytes: 228 * 1024, threads: 2048, blocks: 32,
} as const

/** Part of a peak that a good kernel reaches. */
export const REACHED = 0.8

/** What the data sheet does not say. */
export const ASSUMED = {
  /** Second cache to multiprocessors: 5120 bytes a cycle, published for the A100 (none is for the H100), at 1.755 GHz. */
  cacheBytesPerSecond: 5120 * 1.755e9,
  /** Of the second cache, that a matrix which is read at random may fill. */
  cacheShare: 0.8,
  clock: 1.755e9,
  /** From the end of a kernel to the first work of the next in its stream. */
  secondsOfLaunch: 2e-6,
} as const

const BLOCK_OWN = 1024   // bytes of shared memory that the system takes of every block
const up = (value: number, unit: number): number => Math.ceil(value / unit) * unit

export interface Residence { readonly blocks: number, readonly by: string, readonly occupancy: number }

/** Blocks that a multiprocessor holds at a time, and what allows no more. */
export function residence({ registers, sharedBytes }: Usage, threads: number, dynamicBytes: number): Residence {
  const warps = Math.ceil(threads / 32), each = up(registers * 32, 256)   // registers come in units of 256 a warp
  const limits: [string, number][] = [
    ['blocks', H100.blocks],
    ['threads', Math.floor(H100.threads / (warps * 32))],
    ['registers', Math.floor(Math.floor(H100.registers / each / 4) * 4 / warps)],   // four schedulers, with as many warps each
    ['shared memory', Math.floor(H100.sharedBytes / (up(sharedBytes + dynamicBytes, 128) + BLOCK_OWN))],
  ]
  const [by, blocks] = limits.reduce((least, one) => one[1] < least[1] ? one : least)
  if (blocks < 1) {
    throw new Error(`expected a block that fits a multiprocessor but received ${threads} threads, ${registers} registers, ${sharedBytes + dynamicBytes} bytes`)
  }
  return { blocks, by, occupancy: blocks * warps * 32 / H100.threads }
}

/** What a kernel moves and does. Bytes and operations of all its launches in a step. */
export interface Work {
  /** From and to memory. */ readonly memory?: number
  /** Through the second cache. */ readonly cache?: number
  readonly operations?: number, readonly rate?: Rate
  /** Of threads, beside the operations. */ readonly instructions?: number
  /** The same, but nothing runs beside them. */ readonly after?: number
  /** Cycles of steps that wait for each other. */ readonly chain?: number
  readonly launches?: number
}

/** Seconds, without the launches, and what bounds them. */
export function roofline(work: Work): { readonly seconds: number, readonly bound: string } {
  const { memory = 0, cache = 0, operations = 0, rate = 'f32', instructions = 0, after = 0, chain = 0 } = work
  const issue = H100.instructionsPerSecond * REACHED
  const [bound, seconds] = ([
    ['memory', memory / (H100.bytesPerSecond * REACHED)], ['cache', cache / (ASSUMED.cacheBytesPerSecond * REACHED)],
    [rate, operations / (H100.operationsPerSecond[rate] * REACHED)], ['instructions', instructions / issue], ['latency', chain / ASSUMED.clock],
  ] as [string, number][]).reduce((most, one) => one[1] > most[1] ? one : most)
  return { seconds: seconds + after / issue, bound: seconds === 0 ? 'launch' : bound }
}
