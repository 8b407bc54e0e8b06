// Safetensors files made by hand for the tests: header text and data are put together byte by byte, so that they can also be wrong.

/** 8 bytes of length, the header as given, the data. `length` overrides the length that the file claims. */
export function handmade(header: string | object, data: Uint8Array | number = 0, length?: bigint): Uint8Array {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header))
  const first = Buffer.alloc(8)
  first.writeBigUInt64LE(length ?? BigInt(json.length))
  return Buffer.concat([first, json, typeof data === 'number' ? Buffer.alloc(data) : data])
}

/** An F32 entry of a header. */
export const f32 = (shape: readonly number[], from: number, to: number): object => ({ dtype: 'F32', shape, data_offsets: [from, to] })
