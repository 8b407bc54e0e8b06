// Writes the cases that transweld_native replays: `node dist/test/native/generate.js build/cases.bin`. Runs every test of ops on the
// CPU, records each call (record.ts), and keeps those that are right: a test that fails ends this program.
//
// The file, little-endian, in the order of reading (cases.cc):
//   "transweld cases\0", u32 contract, u32 blobs, u32 cases, 32 bytes: class of bits of what stands in `after`
//   a blob: u64 bytes, the bytes
//   a case: u32 op (its row in src/bind/rows.cc), u32 blocks, u64 bytes of each; u32 count, f64 of each number as it crossed;
//           of each view that is there: i32 before (−1: poison, −2: made by the replay), i32 after, i32 near (−1: to the bit),
//           u32 0, u64 compared
//   compared: the first so many elements are specified; the rest is room that the op does not fill.
//   near: f64 pairs {truth, allowed}; allowed below 0: not finite is right as well; infinite: anything is.
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { exec } from 'uvu'
import { SIGNATURES } from '../../lib/native/abi.ts'
import type { OpStem } from '../../lib/native/abi.ts'
import { native, root } from '../../lib/native/load.ts'
import { Recorder, scalar, values, viewOf } from './record.ts'
import type { Call, ViewOf } from './record.ts'
import { near } from './near.ts'

const CONTRACT = Number(/#define TW_ABI (\d+)u/.exec(readFileSync(join(root(), 'src/op_table.h'), 'utf8'))![1])
const POISON = -1, OWN = -2, EXACT = -1
/** As test/ops/backend.ts poisons, as bytes of one element. */
const POISONS = { f32: '0000c07f', bf16: 'c07f', f16: '007e', i8: '9b', u32: 'd12f0100', u64: 'd12f010000000000' } as const

/** How many elements of a view the contract specifies after the call. */
function compared(call: Call, view: ViewOf): number {
  const all = view.rows * view.columns
  const last = (name: string): number => values(viewOf(call, name)!.after, 'u64').at(-1)!
  if (view.name === 'shadow') return 0                           // the backend's own layout
  if (view.name === 'counts') return 1                           // the others count the backend's work
  const isOpen = call.stem === 'sparse_encode' && /index|^z$/.test(view.name) || call.stem === 'sparse_sample' && view.name === 'out'
  if (isOpen && viewOf(call, 'codes.starts')) return last('codes.starts')
  if (call.stem === 'feature_major' && /rows|slots/.test(view.name)) return last('feature_starts')
  return all
}

class CasesFile {
  readonly #blobs = new Map<string, number>()
  readonly #bytes: Buffer[] = []
  readonly #cases: Buffer[] = []

  get counts(): string {
    return `${this.#cases.length} cases, ${this.#blobs.size} contents`
  }

  #blob(bytes: Buffer): number {
    const key = createHash('sha1').update(bytes).digest('base64')
    const found = this.#blobs.get(key)
    if (found !== undefined) return found
    const size = Buffer.alloc(8)
    size.writeBigUInt64LE(BigInt(bytes.length))
    this.#bytes.push(size, bytes)
    this.#blobs.set(key, this.#blobs.size)
    return this.#blobs.size - 1
  }

  add(call: Call): void {
    const { buffer } = Float64Array.from(call.numbers), allowed = near(call)
    const views = call.views.map(view => {
      const head = Buffer.alloc(24), poison = Buffer.from(POISONS[view.dtype], 'hex')
      const isOwn = view.name === 'shadow'
      const isPoison = view.before.length > 0 && view.before.equals(Buffer.alloc(view.before.length, poison))
      const bounds = allowed.get(view.name)
      head.writeInt32LE(isOwn ? OWN : isPoison ? POISON : this.#blob(view.before), 0)
      head.writeInt32LE(isOwn ? OWN : this.#blob(view.after), 4)
      head.writeInt32LE(bounds ? this.#blob(Buffer.from(bounds.buffer)) : EXACT, 8)
      head.writeBigUInt64LE(BigInt(compared(call, view)), 16)
      return head
    })
    this.#cases.push(Buffer.concat([
      words(Object.keys(SIGNATURES).indexOf(call.stem), call.blocks.length), Buffer.from(BigUint64Array.from(call.blocks, BigInt).buffer),
      words(call.numbers.length), Buffer.from(buffer), ...views,
    ]))
  }

  write(path: string, bits: string): number {
    const name = Buffer.alloc(32)
    name.write(bits)
    const all = Buffer.concat([Buffer.from('transweld cases\0'), words(CONTRACT, this.#blobs.size, this.#cases.length), name, ...this.#bytes, ...this.#cases])
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, all)
    return all.length
  }
}

const words = (...numbers: number[]): Buffer => Buffer.from(Uint32Array.from(numbers).buffer)

// Only the CPU records: tests loop over all devices that they find.
process.env.TRANSWELD_CUDA_LIBRARY = 'none'
process.env.TRANSWELD_CUDA_HOST_LIBRARY = ''
process.env.TRANSWELD_DEVICE = ''
const path = process.argv[2] ?? 'build/cases.bin'
const recorder = new Recorder(native())
const queue = globalThis as unknown as { UVU_DEFER: number, UVU_QUEUE: unknown[][] }
queue.UVU_DEFER = 1                                              // tests run when they are told to, one file after another

for (const part of [...Object.keys(SIGNATURES) as OpStem[], 'screen']) {
  queue.UVU_QUEUE = [[null]]
  await import(new URL(`../ops/${part}.test.js`, import.meta.url).href)
  await exec()
  await recorder.settle()
  if (process.exitCode) throw new Error(`the tests of ${part} fail on this CPU: nothing to replay`)
}
// A certificate that is wrong on purpose gives codes that are wrong, which its test wants.
const calls = recorder.calls.filter(call => call.stem !== 'sparse_encode' || scalar(call, 'certificate_scale') === 1)
const file = new CasesFile()
for (const call of calls) file.add(call)
const bits = native().devices('').devices[0]!.bits
const size = file.write(path, bits)
process.stdout.write(`${path}: ${file.counts}, ${(size / 1e6).toFixed(1)} MB, class ${bits}; ${recorder.leftOut} calls are too large\n`)
