// A device with its ordered queue, and the only maker of tensors.
import type { Memory } from '../native/abi.ts'
import { type DeviceInfo, chooseDevice } from '../native/backend.ts'
import { closed, finite, integer, invalid, oneOf } from '../native/check.ts'
import { TransweldError } from '../native/error.ts'
import { fault } from '../native/fault.ts'
import { native } from '../native/load.ts'
import { type ArrayOf, DTYPE_BYTES, DTYPE_CODE, type Dtype, dtypeOf } from './dtype.ts'
import { Storage, Tensor } from './tensor.ts'

/** Options of {@link openDevice}. */
export interface DeviceOptions {
  /** Bytes that tensors and scratch memory may take together. Default: no limit but the machine's. */
  memoryLimit?: number
}

const DTYPE_NAMES = Object.keys(DTYPE_CODE) as Dtype[]

/**
 * An opened device: one ordered queue. Ops validate, enqueue and return; only `read` and `wait` are promises. Each call of
 * {@link openDevice} opens one of its own, and tensors of two of them do not mix.
 */
export class Device {
  /** @internal The native device. */
  readonly id: number
  /** The name to ask for: "cpu", "cuda:0". */
  readonly device: string
  /** What it is called, e.g. "cpu" or the card's name. */
  readonly name: string
  /** What runs: the instruction set, or the GPU architecture. */
  readonly code: string
  /** The class of bits: two devices of one class give the same bits. */
  readonly bits: string
  readonly #forgotten: { id: number }
  #isDisposed = false
  #making: Tensor[] | undefined       // what allOrNothing would give back

  /** @internal Devices are made by `openDevice`. */
  constructor(info: DeviceInfo, memoryLimit: number) {
    try {
      this.id = native().open(info.library, info.index, memoryLimit)
    } catch (error) { throw fault(error) }
    this.device = info.device
    this.name = info.name
    this.code = info.code
    this.bits = info.bits
    this.#forgotten = { id: this.id }
    forgotten.register(this, this.#forgotten)
  }

  /** Whether it was disposed. */
  get isDisposed(): boolean {
    return this.#isDisposed
  }

  /**
   * A tensor whose elements are not set yet.
   * @param dtype what its elements are
   * @throws TransweldError ERR_OUT_OF_MEMORY where there is no room; everything else stays usable.
   *
   * @example
   * import { openDevice } from 'transweld'
   * using device = openDevice('cpu')
   * using weight = device.tensor('f32', 2048, 192)
   */
  tensor<D extends Dtype>(dtype: D, rows: number, columns: number): Tensor<D> {
    this.#alive()
    oneOf('dtype of tensor', dtype, DTYPE_NAMES)
    integer('rows of tensor', rows)
    integer('columns of tensor', columns)
    const bytes = rows * columns * DTYPE_BYTES[dtype]
    if (!Number.isSafeInteger(bytes)) throw invalid(`a tensor [${rows}, ${columns}] ${dtype}`, 'at most 2^53 bytes', bytes)
    const storage = new Storage(this, bytes)
    storage.block = this.#allocate(storage, `[${rows}, ${columns}] ${dtype}`)
    const tensor = new Tensor(storage, dtype, rows, columns, columns, 0, false)
    this.#making?.push(tensor)
    return tensor
  }

  /**
   * Runs `make`, which must not be async; where it throws, every tensor that it has made is given back before the error goes on.
   * For objects of many tensors, whose memory may run out half-way.
   *
   * @example
   * import { openDevice } from 'transweld'
   * using device = openDevice('cpu', { memoryLimit: 1e6 })
   * let code = ''
   * try {
   *   device.allOrNothing(() => [device.tensor('f32', 100, 1000), device.tensor('f32', 1000, 1000)])
   * } catch (error) { code = (error as { code: string }).code }
   * console.log(code, device.memory().used)   // ERR_OUT_OF_MEMORY 0
   */
  allOrNothing<T>(make: () => T): T {
    const outer = this.#making, made: Tensor[] = this.#making = []
    try {
      const result = make()
      outer?.push(...made)
      return result
    } catch (error) {
      for (const tensor of made) tensor.dispose()
      throw error
    } finally { this.#making = outer }
  }

  /**
   * A tensor that holds a copy of `data`, dense and row-major. The array's type says the dtype; a Uint16Array holds the bits
   * of bf16 or f16, as `dtype` says.
   * @throws TransweldError ERR_SHAPE_MISMATCH where `data` has not rows · columns elements.
   */
  from(data: Float32Array, rows: number, columns: number): Tensor<'f32'>
  from(data: Int8Array, rows: number, columns: number): Tensor<'i8'>
  from(data: Uint32Array, rows: number, columns: number): Tensor<'u32'>
  from(data: BigUint64Array, rows: number, columns: number): Tensor<'u64'>
  from<D extends Dtype>(data: ArrayOf[D], rows: number, columns: number, dtype: D): Tensor<D>
  from(data: ArrayOf[Dtype], rows: number, columns: number, dtype?: Dtype): Tensor {
    const type = dtype ?? dtypeOf(data)
    if (type === undefined) {
      throw data instanceof Uint16Array ? invalid('dtype of a Uint16Array', '"bf16" or "f16"', dtype)
        : invalid('data', 'a Float32Array, Int8Array, Uint32Array, BigUint64Array or Uint16Array', data)
    }
    const tensor = this.tensor(type, rows, columns)
    try {
      tensor.write(data)
    } catch (error) {
      tensor.dispose()
      throw error
    }
    return tensor
  }

  /** Bytes of native memory of this device. */
  memory(): Memory {
    this.#alive()
    return native().memory(this.id)
  }

  /** Settles when all that was enqueued has run. Failed ops do not reject it: reading what they should have made does. */
  async wait(): Promise<void> {
    this.#alive()
    try {
      await native().wait(this.id)
    } catch (error) { throw fault(error) }
  }

  /** Drops what has not begun, rejects what is awaited with ERR_DISPOSED, and frees every tensor of this device. */
  dispose(): void {
    if (this.#isDisposed) return
    this.#isDisposed = true
    this.#forgotten.id = -1
    native().close(this.id)
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  #alive(): void {
    if (this.#isDisposed) throw new TransweldError('ERR_DISPOSED', 'expected an open device but received one that was disposed')
  }

  // Out of memory may mean: not collected yet (with --expose-gc the collector is asked), or held by work that is enqueued
  // (it is finished). Tried once before it is an error.
  #allocate(storage: Storage, what: string): number {
    for (let attempt = 0; ; attempt++) {
      try {
        return native().alloc(this.id, storage.bytes, storage)
      } catch (error) {
        const wrong = fault(error)
        if (!(wrong instanceof TransweldError) || wrong.code !== 'ERR_OUT_OF_MEMORY') throw wrong
        if (attempt > 0) throw new TransweldError(wrong.code, `no memory for a tensor ${what}: ${wrong.message}`, { cause: wrong })
        globalThis.gc?.()
        native().reclaim(this.id)
      }
    }
  }
}

// A forgotten device still has a thread: it ends when the object is collected.
const forgotten = new FinalizationRegistry<{ id: number }>(({ id }) => { if (id >= 0) native().close(id) })

/**
 * Opens a device: the one named, else the one that TRANSWELD_DEVICE names, else the first GPU, else the CPU.
 * @param name "cpu" or "cuda:0"
 * @throws TransweldError ERR_DEVICE_MISSING for one that was asked for and is not here, with everything that was tried.
 *
 * @example
 * import { openDevice } from 'transweld'
 * using device = openDevice('cpu', { memoryLimit: 2 ** 30 })
 * console.log(device.name, device.code, device.memory().used)
 */
export function openDevice(name?: string, options: DeviceOptions = {}): Device {
  closed('openDevice', options, ['memoryLimit'])
  const { memoryLimit = 0 } = options
  if (options.memoryLimit !== undefined) finite('memoryLimit', memoryLimit, 1, Number.MAX_SAFE_INTEGER)
  return new Device(chooseDevice(name), Math.floor(memoryLimit))
}
