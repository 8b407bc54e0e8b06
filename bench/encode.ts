// sparse_encode in each screening mode, beside PyTorch's bare product (ratio 1 is "the product alone") and its product with
// bias and topk. On Gaussian weights, where screening is hardest, and on a coder trained on rows near few dimensions.
import { sparseEncode } from '../lib/tensor/ops.ts'
import type { Tensor } from '../lib/tensor/tensor.ts'
import { type ScreenMode, screenModes, Shadows } from '../lib/transcoder/screen.ts'
import { ours, race } from './clock.ts'
import { Stock } from './data.ts'
import type { Bench, Case, Measured } from './row.ts'
import { CODERS, type Coder, DEMO, words } from './shapes.ts'
import { Training } from './training.ts'

const MODES = ['none', 'bf16', 'int8'] as const

async function encode(bench: Bench, { N, D, F, K }: Coder, mode: ScreenMode, x: Tensor, weight: Tensor, bias: Tensor): Promise<Measured> {
  const { device, peers, limits } = bench, operations = 2 * N * D * F, dtype = mode === 'none' ? 'f32' as const : mode
  if (!screenModes(device, F, D).includes(mode)) return { milliseconds: null }
  using stock = new Stock(device)
  const codes = stock.codes(N, K, F).pattern, z = codes.plane(), counts = stock.room(1, 4, 'u64')
  const shadows = new Shadows(weight), shadow = shadows.of(mode)
  const made = peers ? [await peers.make('product', { M: N, K: D, N: F, dtype: 'f32' }), await peers.make('encode', { N, D, F, K })] : []
  const sides = made.filter(peer => peer !== undefined)
  const [milliseconds, ...theirs] = await race([
    await ours(device, () => sparseEncode({ x, weight, bias, shadow, screen: mode, rule: 'topk', codes, z, counts })), ...sides.map(peer => peer.run),
  ])
  const [, candidates, plain] = await counts.read()
  shadows.dispose()
  z.dispose()
  limits.saw(dtype, operations, milliseconds!)
  const bytes = 4 * (N * D + F + 2 * N * K) + { f32: 4, bf16: 2, int8: 1 }[dtype] * F * D
  return {
    milliseconds: milliseconds!, peers: sides.map(({ name }, i) => ({ name, milliseconds: theirs[i]! })), work: { operations, dtype, bytes },
    figures: { candidatesPerRow: Number(candidates) / N, plainRows: Number(plain), gigaopsPerSecond: operations / milliseconds! / 1e6 },
  }
}

const gaussian = (shape: Coder, mode: ScreenMode): Case => ({
  name: `sparse_encode ${mode}`, shape: words(shape),
  async measure(bench) {
    const { N, D, F } = shape
    using stock = new Stock(bench.device)
    return await encode(bench, shape, mode, stock.normal(N, D), stock.normal(F, D, 1 / Math.sqrt(D)), stock.zeros(1, F))
  },
})

const STEPS = 300
const trained = (shape: Coder, mode: ScreenMode): Case => ({
  name: `sparse_encode ${mode}, trained`, shape: words(shape),
  async measure(bench) {
    using training = new Training(bench.device, shape, { screen: 'auto', rank: Math.ceil(shape.D / 8) })
    await training.run(STEPS)
    const { encoder, encoderBias } = training.trainee.parameters
    return await encode(bench, shape, mode, training.bench.x, encoder.value, encoderBias.value)
  },
})

export const cases: readonly Case[] = [...CODERS, DEMO].flatMap(shape => [
  ...MODES.map(mode => gaussian(shape, mode)), ...(shape.D < 768 ? MODES.map(mode => trained(shape, mode)) : []),
])
