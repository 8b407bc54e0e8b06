// Which results need not have the bits of a CPU with fused multiply-add, and how far off they may be: the order of a matrix
// product and of attention may be that of tensor cores. Everything else is the same computation on every device.
import type { Activation, Matrix, Matmul } from '../ops/reference.ts'
import { exact, matmul, matrix } from '../ops/reference.ts'
import { expected, type Expected } from '../ops/tolerance.ts'
import { attention } from './attention.ts'
import { scalar, values, viewOf } from './record.ts'
import type { Call } from './record.ts'

const CONTRACTS = ['columns', 'rows', 'across'] as const satisfies Matmul['contract'][]
const ACTIVATIONS = ['linear', 'relu', 'geluTanh', 'geluErf', 'silu', 'quickGelu'] as const satisfies Activation[]
const NEIGHBOURS = 5      // elements of a narrow product that share their error, as in test/ops/matmul.test.ts
const MOST = 2 ** 127     // beyond this a part of the sum may overflow, in one order or another

/** Pairs {truth, allowed} of each element, by the name of the view. */
export function near(call: Call): Map<string, Float64Array> {
  if (call.stem === 'matmul') return new Map([['c', product(call)]])
  const own = attention(call)
  return own === undefined ? new Map() : new Map([['out', pairs(own, i => !Number.isFinite(own.plain[i]!))]])
}

// Where an order of the sum overflows on its way to a finite truth, not finite is right as well.
function pairs({ truth, allowed }: Expected, overflows: (i: number) => boolean): Float64Array {
  return matrix(truth.length, 2, (i, which) => {
    if (which === 0) return truth[i]!
    return Number.isFinite(truth[i]!) && overflows(i) ? -Math.max(allowed[i]!, 2 ** -20 * Math.abs(truth[i]!)) : allowed[i]!
  }).data
}

function operand(call: Call, name: string): Matrix | undefined {
  const view = viewOf(call, name)
  return view && matrix(view.rows, view.columns, values(view.before, view.dtype))
}

function product(call: Call): Float64Array {
  const a = operand(call, 'a')!, b = operand(call, 'b')!, scales = operand(call, 'b_scales'), bias = operand(call, 'bias'), c = operand(call, 'c')!
  const activation = ACTIVATIONS[scalar(call, 'activation')]!
  const rounded = scalar(call, 'arithmetic') !== 0
  const linear: Matmul = { contract: CONTRACTS[scalar(call, 'contract')]!, activation: 'linear', a, b, scales, bias, rounded }
  const args = { ...linear, activation, cap: scalar(call, 'cap'), ...(scalar(call, 'accumulate') !== 0 && { old: c }) }
  const all = expected(r => matmul(args, r).data, rounded ? undefined : Math.max(c.columns, NEIGHBOURS))
  const size = matmul({ ...linear, a: absolute(a), b: absolute(b) }, exact).data
  return pairs(all, i => !Number.isFinite(all.plain[i]!) || size[i]! >= MOST)
}

const absolute = (m: Matrix): Matrix => matrix(m.rows, m.columns, m.data.map(Math.abs))
