// What the tests of evaluation share: text of the tiny model, suites made for the occasion, and every figure computed plainly:
// whole forward passes with hooks, and float64 loops over what was read back.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { LanguageModel } from '../../lib/model/model.ts'
import { evenStarts } from '../../lib/model/pass.ts'
import type { MlpHook } from '../../lib/model/site.ts'
import { fill, fillRandom } from '../../lib/tensor/ops.ts'
import type { Tensor } from '../../lib/tensor/tensor.ts'
import { type Activation, relu } from '../../lib/transcoder/activation.ts'
import { TranscoderSuite } from '../../lib/transcoder/suite.ts'
import { type Ends, Transcoder } from '../../lib/transcoder/transcoder.ts'
import { SIZE, someIds } from '../model/tiny.ts'

export const { layers: L, width: D, vocabulary: V, context: T } = SIZE

/** Writes text whose token ids are `someIds(count)`, and returns its path. */
export async function textOf(folder: string, count: number): Promise<string> {
  const path = join(folder, 'text.txt')
  await writeFile(path, Array.from(someIds(count), id => `w${id}`).join(' '))
  return path
}

/** A suite of one coder a layer of `layers`; `change` gets each tensor's data before it goes to the device. */
export function suiteOf(model: LanguageModel, layers: readonly number[], options: { readonly activation?: Activation, readonly features?: number, readonly ends?: Ends,
  readonly weights?: (layer: number) => Partial<Record<'encoder' | 'encoderBias' | 'decoder' | 'decoderBias', Float32Array | number>> } = {}): TranscoderSuite {
  const { device } = model, F = options.features ?? 40
  const coders = layers.map(layer => {
    const given = options.weights?.(layer) ?? {}
    const tensor = (name: keyof typeof given, rows: number, columns: number, draw: number): Tensor => {
      const value = given[name]
      if (value instanceof Float32Array) return device.from(value, rows, columns)
      const out = device.tensor('f32', rows, columns)
      if (value === undefined) fillRandom({ out, distribution: 'normal', seed: layer, offset: draw * 2 ** 20, low: 0, high: 0.3 })
      else fill({ out, value })
      return out
    }
    return new Transcoder(layer, options.ends ?? { reads: 'mlpInput', writes: 'mlpOutput' }, options.activation ?? relu(), {
      encoder: tensor('encoder', F, D, 0), encoderBias: tensor('encoderBias', 1, F, 1), decoder: tensor('decoder', F, D, 2), decoderBias: tensor('decoderBias', 1, D, 3),
    })
  })
  return new TranscoderSuite(coders, 'tiny', device)
}

/** Losses of a whole forward pass with a hook: nats a token, and KL from `reference` log-probabilities where given. */
export async function plainLosses(model: LanguageModel, ids: Uint32Array, mlp?: MlpHook, reference?: Float64Array): Promise<{ loss: number, kl: number, logp: Float64Array }> {
  const pass = model.pass(ids.length), out = model.device.tensor('f32', ids.length, V)
  pass.begin(ids, evenStarts(ids.length, T))
  await pass.blocks(0, L, mlp)
  pass.logits(0, ids.length, out)
  const logits = await out.read(), logp = new Float64Array(logits.length)
  pass.dispose()
  out.dispose()
  let loss = 0, kl = 0, count = 0
  for (let n = 0; n < ids.length; n++) {
    const row = logits.subarray(n * V, (n + 1) * V)
    let most = -Infinity, sum = 0
    for (const x of row) most = Math.max(most, x)
    for (const x of row) sum += Math.exp(x - most)
    const log = most + Math.log(sum)
    for (let v = 0; v < V; v++) logp[n * V + v] = row[v]! - log
    if ((n + 1) % T === 0) continue
    count++
    loss -= logp[n * V + ids[n + 1]!]!
    if (reference) for (let v = 0; v < V; v++) kl += Math.exp(reference[n * V + v]!) * (reference[n * V + v]! - logp[n * V + v]!)
  }
  return { loss: loss / count, kl: kl / count, logp }
}

/** What a layer's MLP reads and returns over the text, read back. */
export async function activations(model: LanguageModel, ids: Uint32Array, layer: number): Promise<{ x: Float32Array, y: Float32Array }> {
  const reads: Promise<unknown>[] = []
  await plainLosses(model, ids, (l, sites) => { if (l === layer) reads.push(sites.mlpInput.read(), sites.mlpOutput.read()) })
  const [x, y] = await Promise.all(reads) as [Float32Array, Float32Array]
  return { x, y }
}
