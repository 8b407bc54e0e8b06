// One safetensors file, open for reading. The header was checked before this object exists, so a read can only fail on I/O, dtype or NaN.
import { invalid, nearest } from '../native/check.ts'
import { TransweldError } from '../native/error.ts'
import type { FloatDtype } from '../tensor/dtype.ts'
import { loadRows } from '../tensor/load.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { UNREADABLE, type FileDtype } from './dtype.ts'
import { requireFinite, widen } from './float.ts'
import { headerLength, parseHeader, type Header, type TensorEntry } from './header.ts'
import { memorySource, openSource, type ByteSource } from './source.ts'

const FLOATS = { F32: 'f32', F16: 'f16', BF16: 'bf16' } as const
const SLICE_BYTES = 1 << 20 // between two slices the event loop runs: converting one takes about 1 ms

/** A tensor's bytes, little-endian and row-major as in the file. */
export interface RawTensor { readonly dtype: FileDtype, readonly shape: readonly number[], readonly bytes: Uint8Array }

/** A tensor as f32. */
export interface FloatTensor { readonly shape: readonly number[], readonly data: Float32Array }

/** Named tensors that can be read: one file, or the shards of a model. */
export interface TensorReader {
  /** All names, in the order of the file (or of the index). */
  readonly names: readonly string[]
  has(name: string): boolean
  /** dtype, shape and place of a tensor; no byte of it is read. */
  entry(name: string): TensorEntry
  read(name: string): Promise<RawTensor>
  readFloat32(name: string, options?: { finite?: boolean }): Promise<FloatTensor>
  load(name: string, out: Tensor, options?: LoadOptions): Promise<void>
  close(): Promise<void>
}

/** Options of {@link SafetensorsFile.load}. */
export interface LoadOptions {
  /** Rows of the file's tensor, counted along its first dimension: from, to. Default: all. Not with `turned`. */
  readonly rows?: readonly [from: number, to: number] | undefined
  /** Whether the file's tensor [in, out] becomes [out, in]. Default false. */
  readonly turned?: boolean | undefined
  /** Out, f32 [1, rows]: the scales of an i8 tensor, which needs them. */
  readonly scales?: Tensor | undefined
}

/**
 * One open safetensors file. Names, dtypes and shapes are known at once; bytes are read when they are asked for.
 *
 * @example
 * import { openSafetensors } from 'transweld'
 * await using file = await openSafetensors('examples/codelm/model.safetensors')
 * const { dtype, shape } = file.entry('transformer.wte.weight')
 * console.log(file.names.length, dtype, shape)   // 52 BF16 [ 4096, 192 ]
 * const { data } = await file.readFloat32('transformer.wte.weight')
 * console.log(data.length)   // 786432
 */
export class SafetensorsFile implements TensorReader {
  readonly path: string
  /** The strings of `__metadata__`. */
  readonly metadata: ReadonlyMap<string, string>
  readonly names: readonly string[]
  readonly #source: ByteSource
  readonly #tensors: ReadonlyMap<string, TensorEntry>
  readonly #loads = new Set<Promise<void>>()
  #closed = false

  /** Use {@link openSafetensors} or {@link parseSafetensors}. */
  constructor(source: ByteSource, header: Header) {
    this.path = source.path
    this.metadata = header.metadata
    this.names = [...header.tensors.keys()]
    this.#source = source
    this.#tensors = header.tensors
  }

  has(name: string): boolean { return this.#tensors.has(name) }

  /**
   * dtype, shape and place of a tensor; no byte of it is read.
   * @throws TransweldError ERR_FORMAT for a name that the file does not hold, with the nearest that it does.
   */
  entry(name: string): TensorEntry {
    const entry = this.#tensors.get(name)
    if (entry !== undefined) return entry
    const near = nearest(name, this.names)
    throw new TransweldError('ERR_FORMAT', `${this.path} holds no tensor ${JSON.stringify(name)}${near === undefined ? '' : `; the nearest name is ${JSON.stringify(near)}`}`)
  }

  /**
   * The bytes of a tensor, read in slices.
   * @throws TransweldError ERR_FORMAT, ERR_FILE, ERR_UNSUPPORTED, ERR_OUT_OF_MEMORY; ERR_DISPOSED after `close`.
   */
  async read(name: string): Promise<RawTensor> {
    const { dtype, shape, start, end } = this.#readable(name)
    const bytes = allocate(end - start, name)
    for (let at = 0; at < bytes.length; at += SLICE_BYTES) await this.#source.read(bytes.subarray(at, at + SLICE_BYTES), start + at)
    return { dtype, shape, bytes }
  }

  /**
   * An F32, F16 or BF16 tensor as f32; the conversion is exact. With `finite` (default true) NaN and infinities are refused.
   * @throws TransweldError ERR_NOT_FINITE naming tensor and index; ERR_UNSUPPORTED for a dtype that f32 cannot hold exactly; and as `read`.
   */
  async readFloat32(name: string, options: { finite?: boolean } = {}): Promise<FloatTensor> {
    const { dtype, shape, start, end } = this.#readable(name)
    if (dtype !== 'F32' && dtype !== 'F16' && dtype !== 'BF16') {
      throw new TransweldError('ERR_UNSUPPORTED', `tensor ${JSON.stringify(name)} of ${this.path} is ${dtype}; expected F32, F16 or BF16, which f32 holds exactly`)
    }
    const width = dtype === 'F32' ? 4 : 2, count = (end - start) / width, step = SLICE_BYTES / width
    const words = allocate(count * 4, name), bits = new Uint32Array(words.buffer)
    const narrow = width === 2 ? new Uint16Array(Math.min(count, step)) : undefined
    for (let first = 0; first < count; first += step) {
      const size = Math.min(step, count - first)
      if (narrow === undefined) await this.#source.read(words.subarray(first * 4, (first + size) * 4), start + first * 4)
      else {
        await this.#source.read(new Uint8Array(narrow.buffer, 0, size * 2), start + first * 2)
        widen(narrow.subarray(0, size), dtype as 'F16' | 'BF16', bits.subarray(first, first + size))
      }
      if (options.finite ?? true) requireFinite(bits.subarray(first, first + size), name, first)
    }
    return { shape, data: new Float32Array(words.buffer) }
  }

  /**
   * A tensor, or some of its rows, straight into `out` [rows, columns] of any float dtype or i8: rounded to nearest even where `out` is
   * narrower. A tensor of one dimension is one row. No copy is kept in JavaScript's memory.
   * @throws TransweldError ERR_SHAPE_MISMATCH where `out` does not fit; ERR_NOT_FINITE, ERR_FORMAT, ERR_FILE, ERR_UNSUPPORTED; ERR_DISPOSED.
   */
  async load(name: string, out: Tensor, options: LoadOptions = {}): Promise<void> {
    const { dtype, shape, start } = this.#readable(name), { rows, turned = false, scales } = options, file = this.#source.descriptor
    const floats = FLOATS[dtype as keyof typeof FLOATS] as FloatDtype | undefined
    if (floats === undefined) throw new TransweldError('ERR_UNSUPPORTED', `tensor ${JSON.stringify(name)} of ${this.path} is ${dtype}; expected F32, F16 or BF16`)
    if (file === undefined) throw new TransweldError('ERR_UNSUPPORTED', `tensor ${JSON.stringify(name)} lies in memory: open the file to load it into a tensor`)
    const [height, width] = shape.length === 1 ? [1, shape[0]!] : [shape[0]!, shape.slice(1).reduce((a, b) => a * b, 1)]
    const [from, to] = rows ?? [0, height], wanted = turned ? [width, height] : [to - from, width]
    if (turned && rows !== undefined) throw invalid('rows of load with turned', 'none', rows)
    if (from < 0 || to > height || from > to || out.rows !== wanted[0] || out.columns !== wanted[1]) {
      throw new TransweldError('ERR_SHAPE_MISMATCH', `expected a tensor [${wanted}] for rows ${from} to ${to} of ${name} [${shape}] but received ${out}`)
    }
    const position = start + from * width * (floats === 'f32' ? 4 : 2)
    const job = loadRows({ out, scales, file, position, dtype: floats, turned, name: `tensor ${JSON.stringify(name)} of ${this.path}` })
    this.#loads.add(job)
    try { await job } finally { this.#loads.delete(job) }
  }

  /** Closes the file once what is being loaded is there; reads fail from now on. Closing twice does nothing. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await Promise.allSettled(this.#loads)        // they read by the descriptor's number, which another file would get
    await this.#source.close()
  }

  [Symbol.asyncDispose](): Promise<void> { return this.close() }

  #readable(name: string): TensorEntry {
    if (this.#closed) throw new TransweldError('ERR_DISPOSED', `${this.path} was closed`)
    const entry = this.entry(name)
    if (UNREADABLE.includes(entry.dtype)) throw new TransweldError('ERR_UNSUPPORTED', `tensor ${JSON.stringify(name)} of ${this.path} is ${entry.dtype}, which this version does not read`)
    return entry
  }
}

function allocate(bytes: number, name: string): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(bytes)
  } catch (error) {
    throw new TransweldError('ERR_OUT_OF_MEMORY', `no room for the ${bytes} bytes of tensor ${JSON.stringify(name)}`, { cause: error })
  }
}

async function readHeader(source: ByteSource): Promise<SafetensorsFile> {
  try {
    const first = new Uint8Array(Math.min(8, source.size))
    await source.read(first, 0)
    const bytes = new Uint8Array(headerLength(first, source.size, source.path))
    await source.read(bytes, 8)
    return new SafetensorsFile(source, parseHeader(bytes, source.size, source.path))
  } catch (error) {
    await source.close()
    throw error
  }
}

/**
 * Opens a safetensors file and checks its whole header: lengths, dtypes, shapes, and that the tensors tile the data without hole or overlap.
 *
 * @throws TransweldError ERR_FILE if it cannot be read, ERR_FORMAT if it is damaged.
 * @example
 * import { openSafetensors } from 'transweld'
 * const file = await openSafetensors('examples/codelm/model.safetensors')
 * const { shape } = await file.readFloat32(file.names[0]!)
 * console.log(shape)
 * await file.close()
 */
export async function openSafetensors(path: string): Promise<SafetensorsFile> {
  if (typeof path !== 'string' || path === '') throw invalid('path', 'a path', path)
  return readHeader(await openSource(path))
}

/**
 * The same checks and reads on bytes in memory. `label` names them in errors.
 *
 * @throws TransweldError ERR_FORMAT if the bytes are damaged, ERR_INVALID_ARGUMENT if they are no Uint8Array.
 * @example
 * import { parseSafetensors } from 'transweld'
 * const header = new TextEncoder().encode('{"gain":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}')
 * const bytes = new Uint8Array(8 + header.length + 8)
 * bytes[0] = header.length   // a u64, little-endian
 * bytes.set(header, 8)
 * bytes.set(new Uint8Array(new Float32Array([0.5, -1]).buffer), 8 + header.length)
 * const file = await parseSafetensors(bytes)
 * console.log(await file.readFloat32('gain'))   // { shape: [ 2 ], data: Float32Array(2) [ 0.5, -1 ] }
 */
export async function parseSafetensors(bytes: Uint8Array, label = 'the safetensors bytes'): Promise<SafetensorsFile> {
  if (!(bytes instanceof Uint8Array)) throw invalid('bytes', 'a Uint8Array', bytes)
  return readHeader(memorySource(bytes, label))
}
