// A frozen model is linear, its transposes fit, and the sum of all that its maps carry from embedding, MLPs and biases is the
// forward pass itself.
import { readdirSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { LanguageModel } from '../../lib/model/model.ts'
import type { FrozenModel, FrozenPlace } from '../../lib/model/frozen.ts'
import { siteWidth } from '../../lib/model/site.ts'
import { devices } from '../../lib/native/backend.ts'
import { axpy, cast } from '../../lib/tensor/ops.ts'
import type { Tensor } from '../../lib/tensor/tensor.ts'
import { isAsked } from '../ops/asked.ts'
import { random } from '../ops/cases.ts'
import { failsWith, MODEL, PROMPT } from './tiny.ts'

const FAMILIES = 'test/golden/families'
/** One of each kind of block; every device runs the first three, the CPU all. */
const FOLDERS = [MODEL, ...readdirSync(FAMILIES).filter(name => !name.includes('.')).map(name => `${FAMILIES}/${name}`)]
const KEEP = [
  'residualBefore', 'attentionNormalised', 'values', 'attentionMixed', 'attentionOutput', 'attentionWrite', 'mlpInput', 'mlpOutput', 'mlpWrite',
] as const
const BATCH = 3

/** A model frozen at a prompt, and its maps in numbers. */
class Bench {
  readonly model: LanguageModel
  readonly frozen: FrozenModel
  constructor(model: LanguageModel, frozen: FrozenModel) { this.model = model; this.frozen = frozen }

  columns({ site }: FrozenPlace): number { return site === 'logits' ? this.model.config.vocabulary : siteWidth(site, this.model.config) }
  up(data: ArrayLike<number>, columns: number): Tensor<'f32'> { return this.model.device.from(Float32Array.from(data), data.length / columns, columns) }
  async run(from: FrozenPlace, to: FrozenPlace, data: ArrayLike<number>, transpose = false): Promise<Float32Array> {
    const [a, b] = transpose ? [to, from] : [from, to]
    using x = this.up(data, this.columns(a)), out = this.model.device.tensor('f32', x.rows, this.columns(b))
    this.frozen[transpose ? 'transpose' : 'map']({ from, to, x, out })
    return await out.read()
  }
  random(place: FrozenPlace, seed: number, batch = BATCH): Float64Array { return random(seed, batch * this.frozen.tokens, this.columns(place)).data }
}

async function on(folder: string, device: string, work: (bench: Bench) => Promise<void>): Promise<void> {
  using model = await LanguageModel.open(folder, { device })
  const hasNorm = model.weights.blocks[0]!.beforeAttention !== undefined
  using frozen = await model.freeze(PROMPT.map(id => id % model.config.vocabulary), { keep: KEEP.filter(site => hasNorm || site !== 'attentionNormalised') })
  await work(new Bench(model, frozen))
}

function most(values: ArrayLike<number>): number {
  let largest = 0
  for (let i = 0; i < values.length; i++) largest = Math.max(largest, Math.abs(values[i]!))
  return largest
}
const near = (what: string, a: ArrayLike<number>, b: ArrayLike<number>, tolerance = 1e-5): void => {
  assert.is(a.length, b.length, what)
  const scale = Math.max(most(a), most(b), 1e-20)
  for (let i = 0; i < a.length; i++) assert.ok(Math.abs(a[i]! - b[i]!) <= tolerance * scale, `${what}: ${a[i]} and ${b[i]} at ${i}, of ${scale}`)
}
const inner = (a: ArrayLike<number>, b: ArrayLike<number>): number => { let sum = 0; for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!; return sum }

/** Pairs of places that lie after one another: all kinds of beginnings and ends. */
function pairs({ config, weights }: LanguageModel): [FrozenPlace, FrozenPlace][] {
  const top = config.layers - 1, hasNorm = weights.blocks[0]!.beforeAttention !== undefined
  const place = (layer: number) => (site: FrozenPlace['site']): FrozenPlace => ({ site, layer }), below = place(0), above = place(top)
  const from = (['residualBefore', 'mlpWrite', 'mlpOutput', 'values', 'attentionInput'] as const).map(below)
  const to = [...(['residualAfter', 'attentionMixed', 'mlpInput'] as const).map(above), { site: 'finalInput' }, { site: 'logits' }] as FrozenPlace[]
  const near: [FrozenPlace, FrozenPlace][] = [
    [below('attentionInput'), below('attentionWrite')], [above('mlpOutput'), above('mlpWrite')], [above('residualBefore'), above('residualBefore')],
    ...(hasNorm ? [[below('attentionNormalised'), below('values')] as [FrozenPlace, FrozenPlace]] : []),
  ]
  return [...from.flatMap(a => to.map((b): [FrozenPlace, FrozenPlace] => [a, b])), ...near]
}

async function laws(bench: Bench): Promise<void> {
  for (const [i, [from, to]] of pairs(bench.model).entries()) {
    const what = `${from.site} to ${to.site}`, x = bench.random(from, i + 1), z = bench.random(from, i + 50), y = bench.random(to, i + 100)
    const mixed = x.map((v, k) => 2 * v - 3 * z[k]!)
    const [ax, az, both] = await Promise.all([x, z, mixed].map(data => bench.run(from, to, data))) as [Float32Array, Float32Array, Float32Array]
    const aty = await bench.run(from, to, y, true)
    near(`${what} is linear`, both, ax.map((v, k) => 2 * v - 3 * az[k]!))
    const left = inner(ax, y), right = inner(x, aty), scale = Math.sqrt(inner(ax, ax) * inner(y, y))
    assert.ok(Math.abs(left - right) <= 1e-5 * scale, `${what}: ⟨Ax, y⟩ = ${left}, ⟨x, Aᵀy⟩ = ${right}, of ${scale}`)
    const first = bench.frozen.tokens * bench.columns(from)
    near(`${what}: a pass alone`, await bench.run(from, to, x.subarray(0, first)), ax.subarray(0, bench.frozen.tokens * bench.columns(to)), 0)
  }
}

// Every vector that enters the stream, where it enters: embedding, what the MLPs add, and the biases on the way.
async function sums(bench: Bench): Promise<void> {
  const { model, frozen } = bench, { config, weights } = model, { tokens } = frozen
  const total = { finalInput: new Float64Array(tokens * config.width), logits: new Float64Array(tokens * config.vocabulary) }
  const add = async (from: FrozenPlace, values: ArrayLike<number>): Promise<void> => {
    for (const site of ['finalInput', 'logits'] as const) (await bench.run(from, { site }, values)).forEach((v, i) => { total[site][i]! += v })
  }
  const everywhere = async (from: FrozenPlace, bias: Tensor | undefined, take = (b: Float32Array): Float32Array => b): Promise<void> => {
    if (bias === undefined) return
    const row = take(await bias.read() as Float32Array)
    await add(from, Float32Array.from({ length: tokens * row.length }, (_, i) => row[i % row.length]!))
  }
  await add({ site: 'residualBefore', layer: 0 }, await frozen.at('residualBefore', 0).read() as Float32Array)
  for (const [layer, block] of weights.blocks.entries()) {
    await everywhere({ site: 'attentionInput', layer }, block.beforeAttention?.bias)
    const values = (config.heads + config.keyHeads) * config.headWidth
    await everywhere({ site: 'values', layer }, block.qkv.bias, b => b.subarray(values))
    await everywhere({ site: 'attentionOutput', layer }, block.mixed.bias)
    await everywhere({ site: 'attentionWrite', layer }, block.afterAttention?.bias)
    await add({ site: 'mlpWrite', layer }, await frozen.at('mlpWrite', layer).read() as Float32Array)
  }
  await everywhere({ site: 'finalInput' }, weights.last.bias)
  near('all that enters, at the last norm', total.finalInput, await frozen.at('finalInput').read() as Float32Array, 2e-5)
  const cap = config.logitCap, last = total.logits.subarray((tokens - 1) * config.vocabulary)
  near('all that enters, at the logits', cap > 0 ? last.map(x => cap * Math.tanh(x / cap)) : last, await frozen.logits.read() as Float32Array, 2e-5)
}

async function reproduces(bench: Bench): Promise<void> {
  const { model, frozen } = bench
  for (let layer = 0; layer < model.config.layers; layer++) {
    const read = async (site: typeof KEEP[number]): Promise<Float32Array> => await frozen.at(site, layer).read() as Float32Array
    for (const [from, to] of [['values', 'attentionMixed'], ['mlpOutput', 'mlpWrite'], ['residualBefore', 'attentionNormalised']] as const) {
      if (to === 'attentionNormalised' && model.weights.blocks[layer]!.beforeAttention === undefined) continue
      near(`${from} to ${to} of layer ${layer}`, await bench.run({ site: from, layer }, { site: to, layer }, await read(from)), await read(to))
    }
  }
}

for (const { device } of devices().devices.filter(isAsked)) {
  for (const folder of device === 'cpu' ? FOLDERS : FOLDERS.slice(0, 3)) {
    test(`${device}, ${folder}: linear, transposed, and the sum of all that enters is the forward pass`, () => on(folder, device, async bench => {
      await laws(bench)
      await reproduces(bench)
      await sums(bench)
    }))
  }
}

test('a batch of passes has the bits of each alone, attention by layer is what the maps are made of', () => on(MODEL, 'cpu', async ({ model, frozen }) => {
  const { width } = model.config, x = random(9, 2 * frozen.tokens, width).data
  using stream = model.device.from(Float32Array.from(x), 2 * frozen.tokens, width)
  using copy = model.device.tensor('f32', stream.rows, width), out = model.device.tensor('f32', stream.rows, width)
  cast({ source: stream, out: copy })
  frozen.attention(1, copy)
  frozen.map({ from: { site: 'residualBefore', layer: 1 }, to: { site: 'attentionWrite', layer: 1 }, x: stream, out })
  axpy({ alpha: 1, x: stream, beta: 1, y: out, out })
  assert.equal(await copy.read(), await out.read())
}))

test('what cannot be asked is refused in words', () => on(MODEL, 'cpu', async ({ model, frozen }) => {
  const room = (rows: number): Tensor<'f32'> => model.device.tensor('f32', rows, model.config.width)
  using x = room(frozen.tokens), out = room(frozen.tokens), odd = room(5)
  const at = (site: FrozenPlace['site'], layer?: number): FrozenPlace => ({ site, layer })
  await failsWith('ERR_INVALID_ARGUMENT', /leads to/, () => frozen.map({ from: at('mlpWrite', 1), to: at('mlpInput', 1), x, out }))
  await failsWith('ERR_INVALID_ARGUMENT', /leads to/, () => frozen.map({ from: at('mlpInput', 0), to: at('residualAfter', 2), x, out }))
  await failsWith('ERR_INVALID_ARGUMENT', /layer/, () => frozen.map({ from: at('mlpWrite', 3), to: at('finalInput'), x, out }))
  await failsWith('ERR_INVALID_ARGUMENT', /from of map/, () => frozen.map({ from: at('mlpHidden' as never, 0), to: at('finalInput'), x, out }))
  await failsWith('ERR_SHAPE_MISMATCH', /x of map/, () => frozen.map({ from: at('mlpWrite', 0), to: at('finalInput'), x: odd, out: odd }))
  await failsWith('ERR_SHAPE_MISMATCH', /out of map/, () => frozen.map({ from: at('mlpWrite', 0), to: at('logits'), x, out }))
  await failsWith('ERR_INVALID_ARGUMENT', /kept/, () => frozen.at('residualAfter', 0))
  using low = model.device.tensor('bf16', frozen.tokens, model.config.width)
  await failsWith('ERR_SHAPE_MISMATCH', /f32 for x of map .*bf16/, () => frozen.map({ from: at('residualBefore', 0), to: at('mlpInput', 0), x: low, out }))
  await failsWith('ERR_SHAPE_MISMATCH', /f32 for x of map .*undefined/, () => frozen.map({ from: at('mlpWrite', 0), to: at('finalInput'), out } as never))
  frozen.dispose()
  await failsWith('ERR_DISPOSED', /frozen/, () => frozen.at('mlpWrite', 0))
  await failsWith('ERR_DISPOSED', /frozen/, () => frozen.map({ from: at('mlpWrite', 0), to: at('finalInput'), x, out }))
}))

test.run()
