// A tensor is a matrix in native memory: a view of a storage, as src/view.h draws it.
import { integer, invalid, show } from '../native/check.ts'
import { TransweldError } from '../native/error.ts'
import { fault } from '../native/fault.ts'
import { native } from '../native/load.ts'
import type { Device } from './device.ts'
import { type ArrayOf, DTYPE_ARRAY, DTYPE_CODE, type Dtype } from './dtype.ts'

/** Native memory that a tensor and its views share. When nothing refers to it any more, the native side frees it. */
export class Storage {
  readonly device: Device
  readonly bytes: number
  /** The native block; −1 once released. */
  block = -1
  /** How often something was written. */
  version = 0

  constructor(device: Device, bytes: number) {
    this.device = device
    this.bytes = bytes
  }
}

/** Numbers of a view on its way across, used again for each transfer. */
const numbers = new Float64Array(6)

/**
 * A matrix of one dtype on one device. Made by {@link Device.tensor} or {@link Device.from}; `view` gives parts of it that
 * share its memory. Dispose of it when it is done with (`using` does); a forgotten one is freed when it is collected.
 *
 * @example
 * import { openDevice } from 'transweld'
 * using device = openDevice('cpu')
 * using x = device.from(new Float32Array([1, 2, 3, 4]), 2, 2)
 * console.log(await x.view(1, 2).read())   // Float32Array(2) [ 3, 4 ]
 */
export class Tensor<D extends Dtype = Dtype> {
  readonly device: Device
  readonly dtype: D
  readonly rows: number
  readonly columns: number
  /** Elements from one row to the next. */
  readonly stride: number
  /** Elements before the first, in the shared storage. */
  readonly offset: number
  /** @internal */
  readonly storage: Storage
  /** @internal The dtype's code. */
  readonly code: number
  readonly #isView: boolean
  #isDropped = false

  /** @internal Tensors are made by a Device. */
  constructor(storage: Storage, dtype: D, rows: number, columns: number, stride: number, offset: number, isView: boolean) {
    this.device = storage.device
    this.dtype = dtype
    this.rows = rows
    this.columns = columns
    this.stride = stride
    this.offset = offset
    this.storage = storage
    this.code = DTYPE_CODE[dtype]
    this.#isView = isView
  }

  /** Goes up whenever an op or a write changes the shared storage: what is derived from a tensor remembers it. */
  get version(): number {
    return this.storage.version
  }

  /** Whether this tensor, the one that it is a view of, or the device was disposed. */
  get isDisposed(): boolean {
    return this.#isDropped || this.storage.block < 0 || this.device.isDisposed
  }

  /**
   * Rows [rowFrom, rowTo) and columns [columnFrom, columnTo), sharing memory.
   * @throws TransweldError ERR_INVALID_ARGUMENT for a range outside this tensor.
   */
  view(rowFrom: number, rowTo: number, columnFrom = 0, columnTo = this.columns): Tensor<D> {
    this.#alive('view')
    integer('rowFrom of view', rowFrom, 0, this.rows)
    integer('rowTo of view', rowTo, rowFrom, this.rows)
    integer('columnFrom of view', columnFrom, 0, this.columns)
    integer('columnTo of view', columnTo, columnFrom, this.columns)
    const rows = rowTo - rowFrom
    const offset = rows === 0 ? this.offset : this.offset + rowFrom * this.stride + columnFrom
    return new Tensor(this.storage, this.dtype, rows, columnTo - columnFrom, this.stride, offset, true)
  }

  /**
   * Copies dense row-major elements in, after all that is enqueued. The array may be changed or handed on at once.
   * @throws TransweldError ERR_SHAPE_MISMATCH for another number of elements, ERR_INVALID_ARGUMENT for another array type.
   */
  write(data: ArrayOf[D]): void {
    this.#alive('write')
    const type = DTYPE_ARRAY[this.dtype]
    if (!(data instanceof type)) throw invalid(`data of a ${this.dtype} tensor`, `a ${type.name}`, data)
    if (data.length !== this.rows * this.columns) {
      const detached = data.length === 0 && data.buffer.byteLength === 0 ? '. Was its buffer transferred?' : ''
      throw new TransweldError('ERR_SHAPE_MISMATCH',
        `expected ${this.rows * this.columns} elements for ${this} but received ${data.length}${detached}`)
    }
    try {
      native().write(this.device.id, numbers, putView(numbers, 0, this), data)
    } catch (error) { throw fault(error) }
    this.storage.version++
  }

  /**
   * A dense row-major copy of the elements, once all that was enqueued before has run.
   * @throws TransweldError with the code and the words of the op that failed to make them, were it many calls ago.
   */
  async read(): Promise<ArrayOf[D]> {
    this.#alive('read')
    try {
      return new DTYPE_ARRAY[this.dtype](await native().read(this.device.id, numbers, putView(numbers, 0, this))) as ArrayOf[D]
    } catch (error) { throw fault(error) }
  }

  /**
   * Gives the memory back; of a view, only the view. Work that is enqueued still runs; later use throws ERR_DISPOSED.
   * Views of a disposed tensor are disposed with it. A second call does nothing.
   */
  dispose(): void {
    if (this.#isDropped) return
    this.#isDropped = true
    if (this.#isView || this.storage.block < 0) return
    native().release(this.storage.block)
    this.storage.block = -1
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  /** "[2, 3] f32" */
  toString(): string {
    return `[${this.rows}, ${this.columns}] ${this.dtype}`
  }

  #alive(verb: string): void {
    if (this.isDisposed) throw new TransweldError('ERR_DISPOSED', `expected a tensor for ${verb} but received one that was disposed: ${this}`)
  }
}

/** @internal Writes a view as it crosses, six numbers from `at` on; returns where the next may stand. */
export function putView(into: Float64Array, at: number, { storage, offset, rows, columns, stride, code }: Tensor): number {
  into[at] = storage.block
  into[at + 1] = offset
  into[at + 2] = rows
  into[at + 3] = columns
  into[at + 4] = stride
  into[at + 5] = code
  return at + 6
}

/** A tensor's shape in words; anything else as `show` has it. */
export function describe(value: unknown): string {
  return value instanceof Tensor ? value.toString() : show(value)
}
