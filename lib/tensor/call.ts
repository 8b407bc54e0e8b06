// One call of an op: its arguments are checked in words and laid out as numbers, in the order of its signature in
// lib/native/abi.ts. All state is reused: a call takes 1 to 2 µs and makes no garbage.
import { type OpStem, SIGNATURES } from '../native/abi.ts'
import { closed, invalid } from '../native/check.ts'
import { TransweldError } from '../native/error.ts'
import { fault } from '../native/fault.ts'
import { native } from '../native/load.ts'
import { Pattern } from './codes.ts'
import type { Device } from './device.ts'
import { DTYPE_CODE, type Dtype } from './dtype.ts'
import { type Storage, Tensor, describe } from './tensor.ts'

/** An op as TypeScript calls it. */
export interface Op {
  readonly index: number
  /** In camelCase, as in messages. */
  readonly name: string
  readonly keys: Readonly<Record<string, true>>
}

const STEMS = Object.keys(SIGNATURES) as OpStem[]

/** Declares an op by its stem and the keys that its args object may have. */
export function op(stem: OpStem, ...keys: string[]): Op {
  const name = stem.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase())
  return { index: STEMS.indexOf(stem), name, keys: Object.fromEntries(keys.map(key => [key, true])) as Record<string, true> }
}

/** Sets of dtypes, as bits by code. */
export const F32 = 1, BF16 = 0b10, FLOAT = 0b111, I8 = 0b1000, U32 = 0b10000, U64 = 0b100000, ANY_DTYPE = 0b111111

/** Stands for any number of rows or columns in a check. */
export const ANY = -1

const DTYPE_NAMES = Object.keys(DTYPE_CODE) as Dtype[]
const numbers = new Float64Array(256)
let count = 0
let current: Op
let device: Device | undefined
// What the call writes; emptied after it, so that nothing is kept alive. The longest row writes 8.
const written: (Storage | undefined)[] = Array.from({ length: 16 }, () => undefined)
let writtenCount = 0

/** Begins a call: the args object must be closed. */
export function begin(which: Op, args: object): void {
  current = which
  count = 0
  device = undefined
  writtenCount = 0
  if (args === null || typeof args !== 'object') throw invalid(`the arguments of ${which.name}`, 'an object', args)
  for (const key in args) {
    if (!(key in which.keys)) closed(which.name, args, Object.keys(which.keys))
  }
}

/** The next number of the signature. */
export function number(value: number): void {
  numbers[count++] = value
}

/** The next number, which must be finite. */
export function real(argument: string, value: unknown): void {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw invalid(`${argument} of ${current.name}`, 'a finite number', value)
  numbers[count++] = value
}

/** The next number, an integer from 0 to 2^53 − 1. */
export function whole(argument: string, value: unknown): void {
  if (!Number.isSafeInteger(value) || value as number < 0) throw invalid(`${argument} of ${current.name}`, 'an integer of at least 0', value)
  numbers[count++] = value as number
}

/** The next number: true is 1. */
export function flag(argument: string, value: unknown): void {
  if (typeof value !== 'boolean') throw invalid(`${argument} of ${current.name}`, 'a boolean', value)
  numbers[count++] = value ? 1 : 0
}

/** The next number: the place of a word in a closed list. Returns that place. */
export function word(argument: string, value: unknown, words: readonly string[]): number {
  const index = words.indexOf(value as string)
  if (index < 0) throw invalid(`${argument} of ${current.name}`, words.map(one => `"${one}"`).join(' or '), value)
  return numbers[count++] = index
}

/** An absent view. */
export function absent(): void {
  numbers[count++] = -1
}

/** A view that is read: `dtypes` is a set, rows and columns may be ANY. */
export function input(argument: string, tensor: unknown, dtypes: number, rows: number, columns: number): void {
  if (!(tensor instanceof Tensor) || (tensor.rows !== rows && rows !== ANY) || (tensor.columns !== columns && columns !== ANY)
    || (dtypes >> tensor.code & 1) === 0) throw mismatch(argument, tensor, dtypes, rows, columns)
  if (tensor.isDisposed) {
    throw new TransweldError('ERR_DISPOSED', `expected a tensor for ${argument} of ${current.name} but received one that was disposed: ${tensor}`)
  }
  if (device === undefined) device = tensor.device
  else if (device !== tensor.device) {
    throw new TransweldError('ERR_DEVICE_MISMATCH',
      `expected a tensor of the first argument's device for ${argument} of ${current.name} but received one of another device`)
  }
  numbers[count] = tensor.storage.block
  numbers[count + 1] = tensor.offset
  numbers[count + 2] = tensor.rows
  numbers[count + 3] = tensor.columns
  numbers[count + 4] = tensor.stride
  numbers[count + 5] = tensor.code
  count += 6
}

/** A view that is read where it is given. */
export function optional(argument: string, tensor: unknown, dtypes: number, rows: number, columns: number): void {
  if (tensor === undefined) numbers[count++] = -1
  else input(argument, tensor, dtypes, rows, columns)
}

/** A view that is written: its version goes up. */
export function output(argument: string, tensor: unknown, dtypes: number, rows: number, columns: number): void {
  input(argument, tensor, dtypes, rows, columns)
  written[writtenCount++] = (tensor as Tensor).storage
}

/** A view that is written where it is given. */
export function optionalOutput(argument: string, tensor: unknown, dtypes: number, rows: number, columns: number): void {
  if (tensor === undefined) numbers[count++] = -1
  else output(argument, tensor, dtypes, rows, columns)
}

/** A pattern's two views, over `rows` rows. */
export function pattern(argument: string, codes: unknown, isWritten: boolean): void {
  if (!(codes instanceof Pattern)) throw invalid(`${argument} of ${current.name}`, 'a Pattern', codes)
  const put = isWritten ? output : input
  if (codes.starts === undefined) {
    absent()
    put(`${argument}.index`, codes.index, U32, codes.rows, ANY)
  } else {
    put(`${argument}.starts`, codes.starts, U64, 1, codes.rows + 1)
    put(`${argument}.index`, codes.index, U32, 1, ANY)
  }
}

/** Sends the call on its way. */
export function send(): void {
  try {
    native().enqueue(device!.id, current.index, numbers, count)
  } catch (error) { throw fault(error) }
  for (let i = 0; i < writtenCount; i++) {
    written[i]!.version++
    written[i] = undefined
  }
  device = undefined
}

/** The error of a condition that ties several arguments together. */
export function unfit(argument: string, expected: string, received: unknown): TransweldError {
  return new TransweldError('ERR_SHAPE_MISMATCH', `expected ${expected} for ${argument} of ${current.name} but received ${describe(received)}`)
}

function mismatch(argument: string, received: unknown, dtypes: number, rows: number, columns: number): TransweldError {
  const size = (n: number) => n === ANY ? 'any' : String(n)
  const names = DTYPE_NAMES.filter((_, code) => dtypes >> code & 1).join(' or ')
  const expected = `a tensor [${size(rows)}, ${size(columns)}] ${dtypes === ANY_DTYPE ? 'of any dtype' : names}`
  return received instanceof Tensor ? unfit(argument, expected, received) : invalid(`${argument} of ${current.name}`, expected, received)
}
