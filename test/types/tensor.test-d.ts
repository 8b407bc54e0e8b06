// What the types prove, checked by the compiler alone: a line that should not compile and does is an error here.
import { type Codes, type Dtype, type ErrorCode, type SparseEncode, type Tensor, fill, matmul, openDevice, patternFixed } from '../../lib/index.ts'

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false
const proved = <_ extends true>() => {}

const device = openDevice()
const f32 = device.tensor('f32', 2, 3)
const u64 = device.from(new BigUint64Array(6), 2, 3)
const bf16 = device.from(new Uint16Array(6), 2, 3, 'bf16')

proved<Same<typeof f32, Tensor<'f32'>>>()
proved<Same<typeof u64, Tensor<'u64'>>>()
proved<Same<typeof bf16, Tensor<'bf16'>>>()
proved<Same<Awaited<ReturnType<typeof f32.read>>, Float32Array>>()
proved<Same<Awaited<ReturnType<typeof u64.read>>, BigUint64Array>>()
proved<Same<ReturnType<typeof f32.view>, Tensor<'f32'>>>()

// A tensor of a known dtype is a tensor.
const any: Tensor = f32
proved<Same<typeof any.dtype, Dtype>>()

const pattern = patternFixed(device, 2, 1, 3)
const codes: Codes = { pattern, z: pattern.plane() }
codes.z.write(new Float32Array(2))

// @ts-expect-error a Float64Array is no dtype's array
device.from(new Float64Array(6), 2, 3)
// @ts-expect-error the bits of a Uint16Array need a name: bf16 or f16
device.from(new Uint16Array(6), 2, 3)
// @ts-expect-error no such dtype
device.tensor('f64', 2, 3)
// @ts-expect-error an f32 tensor takes no indices
f32.write(new Uint32Array(6))
// @ts-expect-error an unknown key
fill({ out: f32, valeu: 1 })
// @ts-expect-error c is missing
matmul({ a: f32, b: f32 })
// @ts-expect-error no such activation
matmul({ a: f32, b: f32, c: f32, activation: 'gelu' })
// @ts-expect-error no such option
openDevice('cpu', { memorylimit: 1 })
// @ts-expect-error a rule is one of two
export const rule: SparseEncode['rule'] = 'jump'
// @ts-expect-error codes of errors are a closed list
export const code: ErrorCode = 'ERR_OOPS'
// @ts-expect-error shapes do not change
f32.rows = 3
