// The references themselves: known answers to 1e-7, sparse against dense formulas, and published vectors.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { coarse, random, raggedPattern, planeWithZeros } from './cases.ts'
import { auxiliary, step, term } from './coder.ts'
import { answer, inputs, known, spread } from './golden.ts'
import * as reference from './reference.ts'

const { exact, at, matrix } = reference
const { x, y, ...coder } = inputs
const topk = { rule: 'topk', relu: true, k: 2 } as const
const same = (key: string, name: string, value: ArrayLike<number>): void => known(name, key, value, 1e-7)

test('known answers: pre, relu_l1, topk_skip with every gradient', () => {
  same('pre', 'pre', reference.preActivation(x, coder.W_enc, coder.b_enc, exact).data)
  same('V', 'pre', [reference.variance(y, exact)])
  const { W_skip, ...plain } = coder
  for (const [name, weights, recipe] of [
    ['relu_l1', plain, { selection: { rule: 'positive', relu: true, k: 0 }, loss: 'sumMse', l1: 0.1 }],
    ['topk_skip', { ...plain, W_skip }, { selection: topk, loss: 'fvu', l1: 0 }],
  ] as const) {
    const result = step(weights, x, y, recipe, exact)
    same('z', name, spread(result.codes, result.z, 6).data)
    same('dz', name, spread(result.codes, result.dz, 6).data)
    same('y_hat', name, result.yHat.data)
    for (const key of ['d_W_enc', 'd_b_enc', 'd_W_dec', 'd_b_dec', 'd_x'] as const) same(key, name, result[key].data)
    if (name === 'relu_l1') {
      same('mse', name, [result.recon])
      same('l1', name, [result.l1])
      same('loss', name, [result.loss])
    } else {
      same('fvu', name, [result.loss])
      same('g', name, result.g.data)
      same('d_W_skip', name, result.d_W_skip!.data)
    }
  }
})

test('known answers: Adam, unit rows and the projection of topk_ae', () => {
  const adam = { rate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, correction1: 1 - 0.9, correction2: 1 - 0.999 }
  const gradients = step(coder, x, y, { selection: topk, loss: 'fvu', l1: 0 }, exact)
  for (const key of ['W_enc', 'b_enc', 'W_dec', 'b_dec'] as const) {
    const zero = matrix(coder[key].rows, coder[key].columns)
    const after = reference.adamStep({ weight: coder[key], m: zero, v: zero }, gradients[`d_${key}`], adam, exact)
    same(key, 'adam_step1', after.weight.data)
    if (key === 'b_dec') {
      same('m_b_dec', 'adam_step1', after.m.data)
      same('v_b_dec', 'adam_step1', after.v.data)
    }
  }
  // An autoencoder's encoder reads x − b_dec, so b_dec also gets minus the row sum of d_x.
  const { W_skip: _, ...plain } = coder
  const centred = reference.axpy({ alpha: 1, x, beta: -1, y: coder.b_dec, rows: 3 }, exact)
  const result = step(plain, centred, x, { selection: topk, loss: 'fvu', l1: 0 }, exact)
  same('fvu', 'topk_ae', [result.loss])
  same('V', 'topk_ae', [result.variance])
  same('d_W_dec', 'topk_ae', result.d_W_dec.data)
  same('d_W_enc', 'topk_ae', result.d_W_enc.data)
  same('d_b_enc', 'topk_ae', result.d_b_enc.data)
  same('d_b_dec', 'topk_ae', result.d_b_dec.data.map((value, o) => value - reference.reduceRows(result.d_x, 1, exact).data[o]!))
  same('d_W_dec_projected', 'topk_ae', reference.project(result.d_W_dec, coder.W_dec, exact).data)
  const zero = matrix(6, 3)
  const terms = [term(reference.featureMajor({ codes: result.codes, features: 6, z: result.z }), result.z, result.g)]
  const rows = { weight: coder.W_dec, m: zero, v: zero }
  const after = reference.scatterAdam(terms, { ...adam, rows, project: true, unit: true, selfPenalty: 0 }, exact)
  same('W_dec_after_adam_and_unit_rows', 'topk_ae', after.rows.weight.data)
  for (const value of after.norms.data) assert.ok(Math.abs(value - 1) < 1e-12)
})

test('known answers: auxk, with a gradient for the encoder', () => {
  const { W_skip: _, ...plain } = coder
  const main = step(plain, x, y, { selection: topk, loss: 'fvu', l1: 0 }, exact)
  const residual = reference.axpy({ alpha: 1, x: y, beta: -1, y: main.yHat, rows: 3 }, exact)
  const result = auxiliary(plain, x, residual, { dead: [3, 4], k: 1, weight: 1, variance: main.variance }, exact)
  same('residual', 'auxk', residual.data)
  same('z_aux', 'auxk', spread(result.codes, result.z, 6).data)
  same('auxk', 'auxk', [result.loss])
  for (const key of ['d_W_dec', 'd_W_enc', 'd_b_enc'] as const) same(key, 'auxk', result[key].data)
  assert.ok(result.d_W_enc.data.some(value => Math.abs(value) > 0.1))
})

test('known answers: metrics', () => {
  const yHat = matrix(3, 3, answer('relu_l1', 'y_hat'))
  const moments = reference.rowMoments(y, yHat, exact)
  const column = (i: number): number[] => [0, 1, 2].map(n => at(moments, n, i))
  const total = (i: number): number => column(i).reduce((sum, value) => sum + value)
  same('fvu', 'metrics', [total(3) / reference.variance(y, exact)])
  same('nmse_uncentred', 'metrics', [total(3) / total(0)])
  same('cosine', 'metrics', [[0, 1, 2].reduce((sum, n) => sum + column(1)[n]! / Math.sqrt(column(0)[n]! * column(2)[n]!), 0) / 3])
  same('l2_ratio', 'metrics', [[0, 1, 2].reduce((sum, n) => sum + Math.sqrt(column(2)[n]! / column(0)[n]!), 0) / 3])
  same('relative_bias', 'metrics', [total(2) / total(1)])
  const { codes, z } = reference.sparseEncode({ rule: 'positive', relu: true, k: 0, x, weight: coder.W_enc, bias: coder.b_enc }, exact)
  const major = reference.featureMajor({ codes, features: 6, z })
  same('density', 'metrics', major.fired.map(count => count / 3))
  same('l0', 'metrics', [codes.index.length / 3])
})

test('sparse verbs equal dense formulas', () => {
  const codes = raggedPattern(5, 13, 6, 11), z = Array.from(planeWithZeros(6, codes.index.length))
  const dense = spread(codes, z, 11), weight = coarse(7, 11, 5), g = coarse(8, 13, 5)
  const decoded = reference.matmul({ contract: 'columns', activation: 'linear', a: dense, b: reference.transposed(weight) }, exact)
  assert.ok(reference.sparseDecode({ codes, z, weight }, exact).data.every((value, i) => Math.abs(value - decoded.data[i]!) < 1e-12))
  const all = reference.matmul({ contract: 'columns', activation: 'linear', a: g, b: weight }, exact)
  const sampled = reference.sparseSample({ codes, g, weight, gate: z, penalty: 0 }, exact).out
  codes.starts.slice(1).forEach((end, n) => {
    for (let i = codes.starts[n]!; i < end; i++) assert.is(sampled[i], z[i] === 0 ? 0 : at(all, n, codes.index[i]!))
  })
  const major = reference.featureMajor({ codes, features: 11, z })
  const scattered = reference.scatterGradient([term(major, z, g)], 11, 5, exact)
  const product = reference.matmul({ contract: 'rows', activation: 'linear', a: dense, b: g }, exact)
  assert.ok(scattered.gradient.data.every((value, i) => Math.abs(value - product.data[i]!) < 1e-12))
})

test('ranking: NaN, larger, lower index; −0 ties with 0', () => {
  const p = reference.from([[1, NaN, -0, 0, Infinity, 1, NaN, -Infinity]])
  assert.equal(reference.select(p, { rule: 'topk', relu: false, k: 8 }).codes.index, [1, 6, 4, 0, 5, 2, 3, 7])
  assert.equal(reference.select(p, { rule: 'positive', relu: false, k: 0 }).codes.index, [0, 1, 4, 5, 6])
  assert.equal(reference.select(p, { rule: 'topk', relu: true, k: 4, subset: [0, 2, 3, 5] }).z, [1, 1, 0, 0])
})

test('Philox: the vectors that its authors published', () => {
  const f = 0xFFFFFFFF
  assert.equal(reference.philox([0, 0], [0, 0, 0, 0]), [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8])
  assert.equal(reference.philox([f, f], [f, f, f, f]), [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD])
  const pi = [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344] as const
  assert.equal(reference.philox([0xA4093822, 0x299F31D0], pi), [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1])
})

test('bf16 and f16: every bit pattern is its own, ties go to even, the rest is as IEEE 754 has it', () => {
  for (const storage of ['bf16', 'f16'] as const) {
    for (let bits = 0; bits < 0x10000; bits++) {
      const value = reference.fromBits(storage, bits)
      if (Number.isNaN(value)) continue
      const stays = Object.is(reference.roundTo(storage, value), value) && reference.toBits(storage, value) === bits
      if (!stays) assert.unreachable(`${storage} ${bits}: ${value}`)
    }
  }
  assert.is(reference.roundTo('bf16', 1 + 2 ** -8), 1)
  assert.is(reference.roundTo('bf16', 1 + 3 * 2 ** -8), 1 + 2 ** -6)
  assert.is(reference.roundTo('f16', 65519), 65504)
  assert.is(reference.roundTo('f16', 65520), Infinity)
  assert.is(reference.roundTo('f16', -(2 ** -25)), -0)
  assert.is(reference.roundTo('f16', 3 * 2 ** -26), 2 ** -24)
})

test('erfc against published values', () => {
  for (const [x, value] of [
    [0.5, 0.479500122186953462], [1, 0.157299207050285131], [2.5, 4.06952017444958939e-4], [3.5, 7.43098372341412745e-7],
    [-1, 1.84270079294971487], [6, 2.15197367124989132e-17],
  ] as const) {
    assert.ok(Math.abs(reference.erfc(x) / value - 1) < 1e-12, `erfc(${x}) is ${reference.erfc(x)}`)
  }
})

test('a coin rounds to one of the two neighbours', () => {
  const r = reference.coin(3), seen = new Set<number>()
  for (let i = 0; i < 50; i++) seen.add(r(1 + 2 ** -30))
  assert.equal([...seen].sort(), [1, 1 + 2 ** -23])
  assert.is(r(0.5), 0.5)
  assert.is(reference.neighbour(0, -1), -(2 ** -149))
  assert.is(reference.neighbour(-1, 1), -1 + 2 ** -24)
  assert.ok(random(1, 40, 40).data.every(value => Math.fround(value) === value))
})

test.run()
