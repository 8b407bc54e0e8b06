// The header of a safetensors file, checked whole before any tensor byte is read.
//
//   bytes 0..7   header length n, unsigned 64-bit little-endian
//   bytes 8..8+n JSON: { name: { dtype, shape, data_offsets: [start, end) relative to 8+n }, "__metadata__": { string: string } }
//   bytes 8+n..  tensor data; the tensors tile it: no hole, no overlap, nothing after the last
import { TransweldError } from '../native/error.ts'
import { ELEMENT_BITS, isFileDtype, type FileDtype } from './dtype.ts'
import { parseJson, type Json } from './json.ts'

/** The format's own bound; a longer header is an attack or damage. */
export const MAX_HEADER_BYTES = 100_000_000

/** Where one tensor lies and what it is. */
export interface TensorEntry {
  readonly name: string
  readonly dtype: FileDtype
  readonly shape: readonly number[]
  /** First byte in the file, and the byte after the last. */
  readonly start: number
  readonly end: number
}

/** A checked header. */
export interface Header {
  readonly tensors: ReadonlyMap<string, TensorEntry>
  readonly metadata: ReadonlyMap<string, string>
}

const damaged = (path: string, why: string): TransweldError => new TransweldError('ERR_FORMAT', `${path} is not a sound safetensors file: ${why}`)
const quote = (name: string): string => JSON.stringify(name.length > 80 ? name.slice(0, 77) + '...' : name)
const isCount = (value: Json | undefined): value is number => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0

/** The header's length from the first 8 bytes of a file of `fileBytes`. */
export function headerLength(first: Uint8Array, fileBytes: number, path: string): number {
  if (fileBytes < 8 || first.length < 8) throw damaged(path, `expected at least 8 bytes but it has ${fileBytes}`)
  const length = new DataView(first.buffer, first.byteOffset, 8).getBigUint64(0, true)
  if (length > BigInt(MAX_HEADER_BYTES)) throw damaged(path, `expected a header of at most ${MAX_HEADER_BYTES} bytes but it claims ${length}`)
  if (length > BigInt(fileBytes - 8)) throw damaged(path, `it claims a header of ${length} bytes but only ${fileBytes - 8} follow; the file may be truncated`)
  if (length < 2n) throw damaged(path, `a header of ${length} bytes cannot hold a JSON object`)
  return Number(length)
}

/** Checks the header's JSON against the size of the file. */
export function parseHeader(bytes: Uint8Array, fileBytes: number, path: string): Header {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw damaged(path, 'its header is not UTF-8')
  }
  const json = parseJson(text, `the header of ${path}`)
  if (!(json instanceof Map)) throw damaged(path, 'its header is not a JSON object')
  const dataStart = 8 + bytes.length, tensors = new Map<string, TensorEntry>()
  let metadata: ReadonlyMap<string, string> = new Map()
  for (const [name, value] of json as ReadonlyMap<string, Json>) {
    if (name === '__metadata__') metadata = parseMetadata(value, path)
    else tensors.set(name, parseEntry(name, value, dataStart, fileBytes, path))
  }
  checkTiling([...tensors.values()], dataStart, fileBytes, path)
  return { tensors, metadata }
}

function parseMetadata(value: Json, path: string): ReadonlyMap<string, string> {
  if (!(value instanceof Map)) throw damaged(path, '__metadata__ is not an object')
  for (const [key, item] of value as ReadonlyMap<string, Json>) {
    if (typeof item !== 'string') throw damaged(path, `__metadata__ ${quote(key)} is not a string`)
  }
  return value as ReadonlyMap<string, string>
}

function parseEntry(name: string, value: Json, dataStart: number, fileBytes: number, path: string): TensorEntry {
  const bad = (why: string): TransweldError => damaged(path, `tensor ${quote(name)}: ${why}`)
  if (!(value instanceof Map)) throw bad('its entry is not an object')
  const entry = value as ReadonlyMap<string, Json>
  for (const key of entry.keys()) if (key !== 'dtype' && key !== 'shape' && key !== 'data_offsets') throw bad(`unknown field ${quote(key)}`)
  const dtype = entry.get('dtype'), shape = entry.get('shape'), offsets = entry.get('data_offsets')
  if (!isFileDtype(dtype)) throw bad(`unknown dtype ${typeof dtype === 'string' ? quote(dtype) : 'of another kind than a string'}`)
  if (!Array.isArray(shape) || !shape.every(isCount)) throw bad('its shape is not a list of integers of at least 0')
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) throw bad('data_offsets is not a pair of integers of at least 0')
  const [from, to] = offsets as [number, number], room = fileBytes - dataStart
  if (from > to) throw bad(`data_offsets ${from}, ${to} run backwards`)
  if (to > room) throw bad(`it ends at byte ${to} but the file holds ${room} bytes of data; the file may be truncated`)
  const bytes = byteLength(shape as readonly number[], dtype)
  if (bytes === undefined || bytes !== to - from) throw bad(`shape [${shape.join(', ')}] of ${dtype} needs ${bytes ?? 'too many'} bytes but data_offsets give ${to - from}`)
  return { name, dtype, shape: shape as readonly number[], start: dataStart + from, end: dataStart + to }
}

/** Bytes of a dense tensor; undefined where that is no whole or no safe integer. */
export function byteLength(shape: readonly number[], dtype: FileDtype): number | undefined {
  let bits: number = shape.includes(0) ? 0 : ELEMENT_BITS[dtype]
  for (const size of shape) {
    bits *= size
    if (!Number.isSafeInteger(bits)) return undefined
  }
  return bits % 8 === 0 ? bits / 8 : undefined
}

// Sorted by start (empty tensors first), each must begin where the one before ended.
function checkTiling(entries: TensorEntry[], dataStart: number, fileBytes: number, path: string): void {
  entries.sort((a, b) => a.start - b.start || a.end - b.end)
  let end = dataStart
  for (const entry of entries) {
    if (entry.start < end) throw damaged(path, `tensor ${quote(entry.name)} overlaps the one before it by ${end - entry.start} bytes`)
    if (entry.start > end) throw damaged(path, `${entry.start - end} bytes before tensor ${quote(entry.name)} belong to no tensor`)
    end = entry.end
  }
  if (end !== fileBytes) throw damaged(path, `${fileBytes - end} bytes at its end belong to no tensor`)
}
