// The number types of a safetensors file by their names there: how many bits one takes, and which ones this version can hand out.

/** Bits of one element. */
export const ELEMENT_BITS = {
  F64: 64, I64: 64, U64: 64, C64: 64, F32: 32, I32: 32, U32: 32, F16: 16, BF16: 16, I16: 16, U16: 16, I8: 8, U8: 8, BOOL: 8,
  F8_E4M3: 8, F8_E5M2: 8, F8_E8M0: 8, F8_E4M3FNUZ: 8, F8_E5M2FNUZ: 8, F6_E2M3: 6, F6_E3M2: 6, F4: 4,
} as const

/** A dtype as safetensors names it. */
export type FileDtype = keyof typeof ELEMENT_BITS

/** Known to the format, but never read: a file may hold them beside tensors that can be read. */
export const UNREADABLE: readonly FileDtype[] = ['C64', 'F8_E4M3', 'F8_E5M2', 'F8_E8M0', 'F8_E4M3FNUZ', 'F8_E5M2FNUZ', 'F6_E2M3', 'F6_E3M2', 'F4']

/** Whether `name` is a dtype of the format. */
export function isFileDtype(name: unknown): name is FileDtype {
  return typeof name === 'string' && Object.hasOwn(ELEMENT_BITS, name)
}
