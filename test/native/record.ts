// Records the calls of ops as they cross into the addon, with what each view held before and after: so every test of ops is
// a case for a machine without Node, and no list of arguments is written twice.
import { createHash } from 'node:crypto'
import type { Native, OpStem } from '../../lib/native/abi.ts'
import { DTYPES, SIGNATURES } from '../../lib/native/abi.ts'
import type { Dtype } from '../../lib/tensor/dtype.ts'
import { DTYPE_ARRAY, DTYPE_BYTES } from '../../lib/tensor/dtype.ts'
import { fromBits } from '../ops/reference.ts'

/** A call whose views hold more bytes than this is left out: the file of cases stays small. */
const LARGEST_CALL = 400_000
/** What may be new to one file of tests, in bytes; further calls that bring new contents are left out. */
const LARGEST_PART = 2_000_000

/** One view of a call: where it lies, and what it held, dense and row-major. */
export interface ViewOf {
  readonly name: string, readonly block: number, readonly offset: number
  readonly rows: number, readonly columns: number, readonly stride: number, readonly dtype: Dtype
  readonly before: Buffer, readonly after: Buffer
}

/** A call as it crossed: numbers in the order of its signature, a view's block renumbered from 0 in order of appearance. */
export interface Call {
  readonly stem: OpStem
  readonly numbers: readonly number[]
  /** Bytes of each block. */
  readonly blocks: readonly number[]
  readonly views: readonly ViewOf[]
}

const STEMS = Object.keys(SIGNATURES) as OpStem[]

/** The number of an argument that is no view, by its name in the signature. */
export function scalar(call: Call, name: string): number {
  let i = 0
  for (const entry of SIGNATURES[call.stem] as readonly string[]) {
    const [kind, own] = entry.split(' ') as [string, string]
    if (own === name) return call.numbers[i]!
    i += /^(in|out)/.test(kind) && call.numbers[i] !== -1 ? 6 : 1
  }
  throw new Error(`${call.stem} has no ${name}`)
}

/** A view of a call by its name; undefined where it is absent. */
export const viewOf = (call: Call, name: string): ViewOf | undefined => call.views.find(view => view.name === name)

/** Contents as numbers. */
export function values(bytes: Buffer, dtype: Dtype): Float64Array {
  const data = new DTYPE_ARRAY[dtype](new Uint8Array(bytes).buffer)
  if (dtype === 'bf16' || dtype === 'f16') return Float64Array.from(data as Uint16Array, bits => fromBits(dtype, bits))
  return data instanceof BigUint64Array ? Float64Array.from(data, Number) : Float64Array.from(data as Float32Array)
}

/** Listens to the addon from its construction on. */
export class Recorder {
  readonly calls: Call[] = []
  /** Calls that were too large. */
  leftOut = 0
  readonly #sizes = new Map<number, number>()
  readonly #pending: Promise<void>[] = []
  readonly #seen = new Set<string>()
  readonly #contents = new Set<string>()
  #fresh = 0
  readonly #read: Native['read']

  constructor(addon: Native) {
    const alloc = addon.alloc, enqueue = addon.enqueue
    this.#read = addon.read
    addon.alloc = (device, bytes, owner) => {
      const block = alloc(device, bytes, owner)
      this.#sizes.set(block, bytes)
      return block
    }
    addon.enqueue = (device, op, numbers, count) => {
      const given = numbers.slice(0, count)
      const { places, bytes } = this.#places(op, given)
      if (bytes > LARGEST_CALL) {
        this.leftOut++
        return enqueue(device, op, numbers, count)
      }
      const before = places.map(({ at }) => this.#contentsOf(device, given, at))
      enqueue(device, op, numbers, count)
      const after = places.map(({ at }) => this.#contentsOf(device, given, at))
      this.#pending.push(Promise.all([Promise.all(before), Promise.all(after)]).then(
        ([first, last]) => { this.#keep(op, given, places, first, last) }, () => { /* the op failed, as its test wants */ }))
    }
  }

  /** Settles when all calls so far are recorded; the next file of tests has a budget of its own. */
  async settle(): Promise<void> {
    while (this.#pending.length) await Promise.all(this.#pending.splice(0))
    this.#fresh = 0
  }

  /** Where the present views begin among the numbers, and how many bytes they hold. */
  #places(op: number, numbers: Float64Array): { places: { name: string, at: number }[], bytes: number } {
    const places: { name: string, at: number }[] = []
    let at = 0, bytes = 0
    for (const entry of SIGNATURES[STEMS[op]!] as readonly string[]) {
      const [kind, name] = entry.split(' ') as [string, string]
      if (!/^(in|out)/.test(kind) || numbers[at] === -1) { at++; continue }
      places.push({ name, at })
      bytes += numbers[at + 2]! * numbers[at + 3]! * DTYPE_BYTES[DTYPES[numbers[at + 5]!]!]
      at += 6
    }
    return { places, bytes }
  }

  async #contentsOf(device: number, numbers: Float64Array, at: number): Promise<Buffer> {
    return Buffer.from(await this.#read(device, numbers.slice(at, at + 6), 6))
  }

  #keep(op: number, numbers: Float64Array, places: readonly { name: string, at: number }[], before: Buffer[], after: Buffer[]): void {
    const blocks = [...new Set(places.map(({ at }) => numbers[at]!))]
    for (const { at } of places) numbers[at] = blocks.indexOf(numbers[at]!)
    places.forEach(({ name }, i) => { if (name === 'counts') after[i]!.fill(0, 8) }) // all but the first are the backend's own, with its nanoseconds
    const digest = (bytes: Buffer): string => createHash('sha1').update(bytes).digest('base64')
    const contents = [...before, ...after].map(bytes => [digest(bytes), bytes.length] as const)
    const key = [op, ...numbers, ...contents.map(([name]) => name)].join()
    if (this.#seen.has(key)) return
    const fresh = contents.filter(([name]) => !this.#contents.has(name)).reduce((sum, [, bytes]) => sum + bytes, 0)
    if (this.#fresh + fresh > LARGEST_PART) { this.leftOut++; return }
    this.#seen.add(key)
    this.#fresh += fresh
    for (const [name] of contents) this.#contents.add(name)
    const views = places.map(({ name, at }, i) => ({
      name, block: numbers[at]!, offset: numbers[at + 1]!, rows: numbers[at + 2]!, columns: numbers[at + 3]!, stride: numbers[at + 4]!,
      dtype: DTYPES[numbers[at + 5]!]!, before: before[i]!, after: after[i]!,
    }))
    this.calls.push({ stem: STEMS[op]!, numbers: [...numbers], blocks: blocks.map(block => this.#sizes.get(block)!), views })
  }
}
