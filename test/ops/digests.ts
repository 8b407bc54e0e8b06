// Every op once at sizes that are cut into several tiles and given to several threads, each result as a digest.
import {
  adamStep, attend, attendFrozen, attendPattern, axpy, cast, embedRows, featureMajor, fill, fillRandom, gate, gatherRows, matmul, norm,
  normFrozen, reconLoss, reduceRows, rope, rowMoments, scatterRows, screenBytes, screenRows, sparseDecode, sparseEncode, sparseSample,
  sparseScatter, tokenLoss, unitRows,
} from '../../lib/tensor/ops.ts'
import { patternFixed, patternRagged } from '../../lib/tensor/codes.ts'
import { openDevice } from '../../lib/tensor/device.ts'
import type { Tensor } from '../../lib/tensor/tensor.ts'
import { hostileRows, random, randomIntegers } from './cases.ts'

const N = 301, D = 133, F = 1103, K = 19
const ADAM = { rate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, correction1: 0.1, correction2: 0.001 }

/** Name of a result → digest of its bytes, on one device. */
export async function digests(digest: (bytes: Uint8Array) => string, name = 'cpu'): Promise<Record<string, string>> {
  using device = openDevice(name)
  const results: Record<string, string> = {}
  const keep = async (name: string, tensor: Tensor, count = tensor.rows * tensor.columns): Promise<void> => {
    const values = (await tensor.read()).subarray(0, count)
    results[name] = digest(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
  }
  const up = (seed: number, rows: number, columns: number, low = -1, high = 1): Tensor<'f32'> =>
    device.from(Float32Array.from(random(seed, rows, columns, low, high).data), rows, columns)
  const room = (rows: number, columns: number): Tensor<'f32'> => device.tensor('f32', rows, columns)
  const hostile = device.from(Float32Array.from(hostileRows(5, N, D).data, value => Number.isFinite(value) ? value : 0), N, D)

  const x = up(1, N, D), weight = up(2, F, D), bias = up(3, 1, F, -3, 0), g = up(4, N, D)
  const counts = device.tensor('u64', 1, 4)
  for (const [what, rows] of [['', x], [' of hostile rows', hostile]] as const) {
    for (const screen of ['none', 'bf16', 'int8'] as const) {
      const bytes = screenBytes(device, screen, F, D)
      if (screen !== 'none' && bytes === 0) continue
      const shadow = device.tensor('i8', 1, bytes)
      if (screen !== 'none') screenRows({ screen, weight, shadow })
      const fixed = patternFixed(device, N, K, F), ragged = patternRagged(device, N, N * F, F), z = fixed.plane(), positive = ragged.plane()
      sparseEncode({ rule: 'topk', screen, ...(screen !== 'none' && { shadow }), x: rows, weight, bias, codes: fixed, z, counts })
      // One name for all modes: another digest than the plain one is another result.
      for (const [name, tensor] of [['index', fixed.index], ['z', z]] as const) await same(`topk ${name}${what}`, tensor)
      sparseEncode({ rule: 'positive', screen, ...(screen !== 'none' && { shadow }), x: rows, weight, bias, codes: ragged, z: positive, counts })
      const needed = Number((await counts.read())[0])
      for (const [name, tensor] of [['index', ragged.index], ['z', positive]] as const) await same(`positive ${name}${what}`, tensor, needed)
    }
  }
  async function same(name: string, tensor: Tensor, count?: number): Promise<void> {
    const before = results[name]
    await keep(name, tensor, count)
    if (before !== undefined && before !== results[name]) results[name] = 'differs between screens'
  }

  const codes = patternFixed(device, N, K, F), z = codes.plane(), s = codes.plane(), out = room(N, D), sum = room(1, 1)
  sparseEncode({ rule: 'topk', x, weight, bias, codes, z, counts })
  sparseDecode({ codes, z, weight, out })
  await keep('decode', out)
  const norms = room(1, F)
  unitRows({ weight, norms })
  await keep('norms', norms)
  sparseSample({ codes, g, weight, gate: z, norms, penalty: 0.1, out: s, penaltySum: sum })
  await keep('sample', s)
  await keep('penalty', sum)
  const major = { featureStarts: device.tensor('u64', 1, F + 1), rows: device.tensor('u32', 1, N * K), slots: device.tensor('u32', 1, N * K) }
  const fired = device.tensor('u32', 1, F)
  featureMajor({ codes, z, ...major, fired })
  for (const [name, tensor] of Object.entries({ ...major, fired })) await keep(name, tensor)
  const terms = [{ ...major, plane: z, dense: g }, { ...major, plane: s, dense: x }]
  const gradient = room(F, D), gradientBias = room(1, F)
  sparseScatter({ mode: 'gradient', terms, gradient, gradientBias })
  await keep('gradient', gradient)
  await keep('gradient of bias', gradientBias)
  const updated = { weight: up(6, F, D), m: up(7, F, D, -0.1, 0.1), v: up(8, F, D, 0, 0.1) }, newNorms = room(1, F)
  sparseScatter({ mode: 'adam', terms, ...updated, adam: ADAM, project: true, unit: true, selfPenalty: 0.1, norms: newNorms })
  for (const [name, tensor] of Object.entries({ ...updated, newNorms })) await keep(`update ${name}`, tensor)

  const dy = room(N, D), stats = room(1, 8)
  for (const loss of ['fvu', 'sumMse'] as const) {
    reconLoss({ loss, y: x, yHat: out, dy, stats })
    await keep(`${loss} dy`, dy)
    await keep(`${loss} stats`, stats)
  }
  const stepped = { weight: up(9, N, D), m: up(10, N, D, -0.1, 0.1), v: up(11, N, D, 0, 0.1) }
  adamStep({ ...stepped, gradient: g, ...ADAM })
  await keep('adam', stepped.weight)
  unitRows({ weight: stepped.weight, target: 1 })
  await keep('unit', stepped.weight)
  for (const distribution of ['uniform', 'normal'] as const) {
    fillRandom({ distribution, seed: 3, offset: 5, low: 0.1, high: 2, out })
    await keep(distribution, out)
  }
  fill({ value: 0.3, out })
  await keep('fill', out)
  const index = device.from(Uint32Array.from(randomIntegers(12, 500, N)), 1, 500), gathered = room(500, D)
  gatherRows({ source: x, index, out: gathered })
  await keep('gather', gathered)
  const low = { bf16: device.tensor('bf16', N, D), f16: device.tensor('f16', N, D) }
  for (const [name, tensor] of Object.entries(low)) {
    cast({ source: x, out: tensor })
    await keep(name, tensor)
  }
  const moments = room(N, 4), column = room(1, D), product = room(N, F), square = room(D, D)
  rowMoments({ a: x, b: g, out: moments })
  await keep('moments', moments)
  axpy({ alpha: 0.3, x, beta: -0.7, y: g, out })
  await keep('axpy', out)
  reduceRows({ scale: 0.1, x, out: column })
  await keep('reduce', column)
  for (const activation of ['linear', 'relu', 'geluTanh', 'geluErf'] as const) {
    matmul({ activation, a: x, b: weight, bias, c: product })
    await keep(`matmul ${activation}`, product)
  }
  matmul({ a: low.bf16, b: weight, c: product })
  await keep('matmul bf16', product)
  matmul({ contract: 'rows', a: x, b: g, c: square })
  await keep('matmul rows', square)
  const lowWeight = device.tensor('bf16', F, D)
  cast({ source: weight, out: lowWeight })
  matmul({ a: hostile, b: lowWeight, arithmetic: 'rounded', c: product })
  await keep('matmul rounded', product)
  const few = room(5, F)
  matmul({ a: x.view(0, 5), b: lowWeight, bias, cap: 30, c: few })
  await keep('matmul few rows', few)
  const codes8 = device.from(Int8Array.from(randomIntegers(18, D * F, 255), value => value - 127), D, F)
  matmul({ contract: 'across', a: x, b: codes8, bScales: up(19, 1, D, 0.01, 0.02), c: product })
  await keep('matmul across', product)
  embedRows({ ids: index, table: x, places: index, positions: g, out: gathered })
  await keep('embed', gathered)
  const integers = device.from(Int8Array.from(randomIntegers(14, N * D, 255), value => value - 127), N, D)
  embedRows({ ids: index, table: integers, tableScales: device.from(Float32Array.from(random(15, 1, N).data), 1, N), scale: 27.7, out: gathered })
  await keep('embed i8', gathered)
  for (const kind of ['layer', 'rms'] as const) {
    norm({ kind, epsilon: 1e-5, x, gain: column, out })
    await keep(`norm ${kind}`, out)
    const inverse = room(N, 7), small = up(16, 1, 19)
    norm({ kind, groups: 7, epsilon: 1e-5, x, gain: small, bias: small, inverse, out })
    for (const [name, tensor] of Object.entries({ inverse, out })) await keep(`norm ${kind} of groups, ${name}`, tensor)
    for (const transpose of [false, true]) {
      normFrozen({ kind, groups: 7, x, gain: small, inverse, transpose, accumulate: true, out })
      await keep(`norm frozen ${kind} ${transpose}`, out)
    }
  }
  for (const activation of ['linear', 'relu', 'geluTanh', 'geluErf', 'silu', 'quickGelu'] as const) {
    gate({ a: hostile, b: g, activation, out })
    await keep(`gate ${activation}`, out)
  }
  const turned = up(17, N, D)
  rope({ x: turned, heads: 7, places: device.from(Uint32Array.from(randomIntegers(18, N, F)), 1, N), angles: up(19, F, 14) })
  await keep('rope', turned)
  scatterRows({ source: x, index: device.from(Uint32Array.from(randomIntegers(20, N, 500)), 1, N), out: gathered })
  await keep('scatter rows', gathered)
  attend({ heads: 7, scale: 0.2, q: x, k: g, v: x, starts: device.from(Uint32Array.of(0, 7, 280, N), 1, 4), out })
  await keep('attend', out)
  const shared = { heads: 7, keyHeads: 1, scale: 2, window: 270, cap: 3, q: x, k: g.view(0, N, 0, 19), v: x.view(0, N, 19, 38) }
  attend({ ...shared, starts: device.from(Uint32Array.of(0, 2, N), 1, 3), out })
  await keep('attend, shared keys', out)
  const decoded = room(2, D), last = device.from(Uint32Array.of(N - 2), 1, 1)
  attend({ ...shared, q: x.view(N - 2, N), starts: device.from(Uint32Array.of(0, 2), 1, 2), keyStarts: device.from(Uint32Array.of(2), 1, 1), keyCounts: last, out: decoded })
  await keep('attend, from a cache', decoded)
  const pattern = room(7 * N, N), back = room(N, 19)
  attendPattern({ heads: 7, keyHeads: 1, scale: 2, window: 270, cap: 3, q: x, k: shared.k, out: pattern })
  await keep('attend pattern', pattern)
  attendFrozen({ heads: 7, keyHeads: 1, pattern, x: shared.v, out })
  await keep('attend frozen', out)
  attendFrozen({ heads: 7, keyHeads: 1, pattern, x, transpose: true, out: back })
  await keep('attend frozen, transposed', back)
  const loss = room(1, N), kl = room(1, N)
  tokenLoss({ logits: x, targets: device.from(Uint32Array.from(randomIntegers(13, N, D)), 1, N), reference: g, loss, kl })
  await keep('token loss', loss)
  await keep('kl', kl)
  return results
}
