// Writes safetensors files. The same tensors give the same bytes: the order is by element size (wide ones first, so that each is aligned), then name.
import type { FileHandle } from 'node:fs/promises'
import { invalid } from '../native/check.ts'
import { replaceFile } from './atomic.ts'
import { ELEMENT_BITS, isFileDtype, type FileDtype } from './dtype.ts'
import { byteLength } from './header.ts'

/** A tensor to write. `data` is little-endian and row-major; a function is called when its turn comes, so that not all tensors need be in memory. */
export interface TensorToWrite {
  readonly dtype: FileDtype
  readonly shape: readonly number[]
  readonly data: ArrayBufferView | (() => Promise<ArrayBufferView>)
}

/** Tensors by name. A Map takes any name; an object loses none but "__proto__". */
export type TensorsToWrite = Readonly<Record<string, TensorToWrite>> | ReadonlyMap<string, TensorToWrite>

const SLICE_BYTES = 4 << 20

/**
 * Writes `tensors` to `path`, whole or not at all: a temporary file in the same folder, forced to the disk, then renamed.
 *
 * @param metadata strings for `__metadata__`.
 * @throws TransweldError ERR_INVALID_ARGUMENT if bytes and shape do not fit, ERR_FILE if the disk is full …; the old file is then as it was.
 * @example
 * import { writeSafetensors } from 'transweld'
 * await writeSafetensors('out.safetensors', { logits: { dtype: 'F32', shape: [1, 2], data: new Float32Array([0.5, -1]) } })
 */
export async function writeSafetensors(path: string, tensors: TensorsToWrite, metadata: Readonly<Record<string, string>> = {}): Promise<void> {
  const entries = sorted(tensors instanceof Map ? [...tensors] : Object.entries(tensors))
  const header = encodeHeader(entries, metadata)
  await replaceFile(path, async file => {
    await writeAll(file, header)
    for (const [name, tensor] of entries) {
      const data = typeof tensor.data === 'function' ? await tensor.data() : tensor.data
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
      checkSize(name, tensor, bytes.length)
      for (let at = 0; at < bytes.length; at += SLICE_BYTES) await writeAll(file, bytes.subarray(at, at + SLICE_BYTES))
    }
  })
}

function sorted(entries: [string, TensorToWrite][]): [string, TensorToWrite][] {
  for (const [name, tensor] of entries) {
    if (name === '' || name === '__metadata__') throw invalid('a tensor name', 'a name other than "" and "__metadata__"', name)
    if (!isFileDtype(tensor.dtype)) throw invalid(`the dtype of ${name}`, 'a dtype of the safetensors format', tensor.dtype)
    if (typeof tensor.data !== 'function') checkSize(name, tensor, tensor.data.byteLength)
  }
  return entries.sort(([a, x], [b, y]) => ELEMENT_BITS[y.dtype] - ELEMENT_BITS[x.dtype] || (a < b ? -1 : 1))
}

function checkSize(name: string, tensor: TensorToWrite, bytes: number): void {
  const needed = tensor.shape.every(n => Number.isSafeInteger(n) && n >= 0) ? byteLength(tensor.shape, tensor.dtype) : undefined
  if (needed !== bytes) throw invalid(`the data of tensor ${JSON.stringify(name)}`, `${needed ?? 'a possible number of'} bytes for shape [${tensor.shape.join(', ')}] of ${tensor.dtype}`, bytes)
}

// JSON padded with spaces, so that the data begins at a multiple of 8. The text is put together by hand: an object would drop the key "__proto__".
function encodeHeader(entries: readonly [string, TensorToWrite][], metadata: Readonly<Record<string, string>>): Uint8Array {
  const parts: string[] = []
  if (Object.keys(metadata).length > 0) parts.push(`"__metadata__":${JSON.stringify(metadata)}`)
  let at = 0
  for (const [name, { dtype, shape }] of entries) {
    const end = at + byteLength(shape, dtype)!
    parts.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [at, end] })}`)
    at = end
  }
  const json = Buffer.from(`{${parts.join(',')}}`, 'utf8'), length = Math.ceil(json.length / 8) * 8
  const bytes = Buffer.alloc(8 + length, ' ')
  bytes.writeBigUInt64LE(BigInt(length), 0)
  json.copy(bytes, 8)
  return bytes
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) done += (await file.write(bytes, done, bytes.length - done)).bytesWritten
}
