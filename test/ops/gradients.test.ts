// Finite differences of the whole training step's loss, in float64: every gradient of the coder and of its input.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { random } from './cases.ts'
import { auxiliary, step } from './coder.ts'
import type { Coder, Recipe } from './coder.ts'
import { exact, preActivation } from './reference.ts'
import type { Matrix } from './reference.ts'

const N = 9, D = 5, O = 4, F = 13, H = 1e-5

const coder = (skip: boolean): Coder => ({
  W_enc: random(1, F, D), b_enc: random(2, 1, F), W_dec: random(3, F, O), b_dec: random(4, 1, O), ...(skip ? { W_skip: random(5, O, D) } : {}),
})
const x = random(6, N, D), y = random(7, N, O)

/** Moves every element of `values` up and down, and compares the slope of `loss` with the gradient. */
function slopes(what: string, values: Matrix, gradient: Matrix, loss: () => number): void {
  for (let i = 0; i < values.data.length; i++) {
    const old = values.data[i]!
    const [above, below] = [H, -H].map(h => { values.data[i] = old + h; return loss() })
    values.data[i] = old
    const slope = (above! - below!) / (2 * H)
    // Central differences err by H² times the third derivative and by 1e-16/H of the loss; both are below 1e-8 here.
    if (!(Math.abs(slope - gradient.data[i]!) < 1e-8)) assert.unreachable(`${what}[${i}]: slope ${slope}, gradient ${gradient.data[i]}`)
  }
}

/** No pre-activation may cross zero, or change its rank, within the step H: else the loss has no slope there. */
function steady(weights: Coder): void {
  const p = preActivation(x, weights.W_enc, weights.b_enc, exact)
  for (let n = 0; n < N; n++) {
    const row = [0, ...p.data.subarray(n * F, n * F + F)].sort((a, b) => a - b)
    for (let i = 1; i < row.length; i++) assert.ok(row[i]! - row[i - 1]! > 2 * H * 3)
  }
}

for (const [name, skip, recipe] of [
  ['topk + skip, FVU', true, { selection: { rule: 'topk', relu: true, k: 3 }, loss: 'fvu', l1: 0 }],
  ['relu + l1, sum of squares', false, { selection: { rule: 'positive', relu: true, k: 0 }, loss: 'sumMse', l1: 0.3 }],
] as const satisfies readonly (readonly [string, boolean, Recipe])[]) {
  test(name, () => {
    const weights = coder(skip)
    steady(weights)
    const loss = (): number => step(weights, x, y, recipe, exact).loss
    const result = step(weights, x, y, recipe, exact)
    slopes('W_enc', weights.W_enc, result.d_W_enc, loss)
    slopes('b_enc', weights.b_enc, result.d_b_enc, loss)
    slopes('W_dec', weights.W_dec, result.d_W_dec, loss)
    slopes('b_dec', weights.b_dec, result.d_b_dec, loss)
    slopes('x', x, result.d_x, loss)
    if (skip) slopes('W_skip', weights.W_skip!, result.d_W_skip!, loss)
    assert.ok(result.d_W_enc.data.some(value => value !== 0) && result.d_W_dec.data.some(value => value !== 0))
  })
}

test('auxk: the residual is a constant, V is one of the main loss', () => {
  const weights = coder(false)
  const settings = { dead: [1, 2, 5, 7, 12], k: 2, weight: 0.25, variance: 7 }
  const loss = (): number => auxiliary(weights, x, y, settings, exact).loss
  const result = auxiliary(weights, x, y, settings, exact)
  slopes('W_enc', weights.W_enc, result.d_W_enc, loss)
  slopes('b_enc', weights.b_enc, result.d_b_enc, loss)
  slopes('W_dec', weights.W_dec, result.d_W_dec, loss)
})

test.run()
