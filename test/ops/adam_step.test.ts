// adam_step: one elementwise formula, on whole tensors.
import { test } from 'uvu'
import { adamStep } from '../../lib/tensor/ops.ts'
import { each } from './backend.ts'
import { random } from './cases.ts'
import { adamStep as truth, matrix } from './reference.ts'
import { close, expected, expectedAll, sameBits } from './tolerance.ts'

const KEYS = ['weight', 'm', 'v'] as const
const numbers = { rate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, correction1: 1 - 0.9 ** 3, correction2: 1 - 0.999 ** 3 }
const rounded = Object.fromEntries(Object.entries(numbers).map(([key, value]) => [key, Math.fround(value)])) as unknown as typeof numbers

each('one step', async b => {
  for (const [rows, columns] of [[1, 1], [0, 3], [3, 7], [1, 31], [33, 16], [5, 257], [67, 33]] as const) {
    const old = { weight: random(1, rows, columns), m: random(2, rows, columns, -0.1, 0.1), v: random(3, rows, columns, 0, 0.01) }
    const gradient = random(4, rows, columns)
    const wanted = expectedAll(r => KEYS.map(key => truth(old, gradient, rounded, r)[key].data))
    for (const ok of [undefined, 1, 0]) {
      const tensors = { weight: b.up(old.weight), m: b.up(old.m), v: b.up(old.v) }
      adamStep({ ...numbers, ...tensors, gradient: b.up(gradient), ...(ok !== undefined && { ok: b.ints([ok], 'u32') }) })
      for (const [i, key] of KEYS.entries()) {
        const what = `${key} ${rows}×${columns} ok ${ok}`, actual = await b.down(tensors[key])
        if (ok === 0) sameBits(what, actual, old[key].data)
        else close(what, actual, wanted[i]!)
      }
    }
  }
})

each('a zero gradient on zero moments leaves a weight to the bit; huge and tiny gradients move it by the rate', async b => {
  const zero = matrix(1, 6), weight = matrix(1, 6, [1, -2, 0, 3, 0.5, -0.25]), gradient = matrix(1, 6, [0, -0, 0, 1e15, -1e15, Math.fround(1e-15)])
  const first = { ...numbers, correction1: 1 - 0.9, correction2: 1 - 0.999 }
  const tensors = { weight: b.up(weight), m: b.up(zero), v: b.up(zero) }
  adamStep({ ...first, ...tensors, gradient: b.up(gradient) })
  const after = await b.down(tensors.weight)
  sameBits('still', after.subarray(0, 3), [1, -2, 0])
  const args = Object.fromEntries(Object.entries(first).map(([key, value]) => [key, Math.fround(value)])) as unknown as typeof first
  close('moved', after, expected(r => truth({ weight, m: zero, v: zero }, gradient, args, r).weight.data, 1))
})

test.run()
