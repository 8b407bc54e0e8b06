// The element types: names, sizes, the typed array that carries each. f32 masters, low-precision copies, indices.
import { DTYPES } from '../native/abi.ts'

/** What a tensor's elements are. bf16 and f16 travel as the bits of a Uint16Array. */
export type Dtype = typeof DTYPES[number]

/** Dtypes that an entry of the contract calls "float". */
export type FloatDtype = 'f32' | 'bf16' | 'f16'

/** The typed array of a dtype. */
export interface ArrayOf {
  f32: Float32Array
  bf16: Uint16Array
  f16: Uint16Array
  i8: Int8Array
  u32: Uint32Array
  u64: BigUint64Array
}

/** The code of a dtype in src/view.h. */
export const DTYPE_CODE: Readonly<Record<Dtype, number>> = { f32: 0, bf16: 1, f16: 2, i8: 3, u32: 4, u64: 5 }

/** Bytes of an element. */
export const DTYPE_BYTES: Readonly<Record<Dtype, number>> = { f32: 4, bf16: 2, f16: 2, i8: 1, u32: 4, u64: 8 }

/** The constructor of a dtype's typed array. */
export const DTYPE_ARRAY = {
  f32: Float32Array, bf16: Uint16Array, f16: Uint16Array, i8: Int8Array, u32: Uint32Array, u64: BigUint64Array,
} as const satisfies { [D in Dtype]: new (buffer: ArrayBuffer) => ArrayOf[D] }

/** The dtype that an array's type says by itself: none for a Uint16Array, which may be bf16 or f16. */
export function dtypeOf(data: unknown): Dtype | undefined {
  if (data instanceof Float32Array) return 'f32'
  if (data instanceof Int8Array) return 'i8'
  if (data instanceof Uint32Array) return 'u32'
  if (data instanceof BigUint64Array) return 'u64'
  return undefined
}
