// The demo's training, shortened: all four layers of examples/codelm with its text and recipe, beside the same recipe in plain
// PyTorch. A run is 8 steps, two whole blocks of activations; the tokenizer goes on in its thread while a peer has its turn.
import { dirname, join } from 'node:path'
import { createRequire } from 'node:module'
import { LanguageModel } from '../lib/model/model.ts'
import { train } from '../lib/train/loop.ts'
import { topK } from '../lib/transcoder/activation.ts'
import { race, type Side } from './clock.ts'
import { watchTimer } from './delay.ts'
import type { Case } from './row.ts'
import { DEMO, words } from './shapes.ts'

const root = dirname(createRequire(import.meta.url).resolve('transweld/package.json'))
const TEXT = ['examples/codelm/text/synthetic.txt.gz', 'node_modules/@types/node/*.d.ts', 'node_modules/*/README.md'].map(path => join(root, path))
const STEPS = 8
const WARM_UP = 12

export const cases: readonly Case[] = [{
  name: 'demo training, per 4096 tokens', shape: `codelm, 4 layers, skip, ${words(DEMO)}`,
  async measure({ device, peers, limits }) {
    const { N, D, F, K } = DEMO, folder = join(root, 'examples/codelm')
    using model = await LanguageModel.open(folder, { device })
    const events = train({ model, text: TEXT, features: F, activation: topK(K), skip: true, tokens: 1e6, batch: N, rate: 2e-3, seed: 0 })[Symbol.asyncIterator]()
    const steps = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) await events.next()
      await device.wait()
    }
    const lates: number[] = []
    const side: Side = async () => {
      const start = performance.now(), watch = watchTimer()
      await steps(STEPS)
      lates.push(watch.stop())
      return (performance.now() - start) / STEPS
    }
    try {
      await steps(WARM_UP)
      const peer = await peers?.make('demo_step', { model: join(folder, 'model.safetensors'), N, F, K, context: model.config.context, heads: model.config.heads, rate: 2e-3 })
      const [milliseconds, theirs] = await race([side, ...(peer ? [peer.run] : [])])
      const { layers } = model.config
      // The model's own products up to the last MLP: 12·D² weights a layer in f32, and the encoders at the fastest rate.
      const work = { operations: 2 * N * D * F * layers, dtype: 'fastest' as const, also: { operations: 2 * N * 12 * D * D * layers } }
      return {
        milliseconds: milliseconds!, peers: peer ? [{ name: peer.name, milliseconds: theirs! }] : [], work,
        figures: {
          tokensPerSecond: N / milliseconds! * 1e3, ...(theirs !== undefined && { peerTokensPerSecond: N / theirs * 1e3 }), timerDelayP99Milliseconds: Math.min(...lates),
          updateFloorMilliseconds: limits.floor({ bytes: layers * 4 * 6 * 2 * F * D }) ?? NaN,
        },
      }
    } finally { await events.return(undefined) }
  },
}]
