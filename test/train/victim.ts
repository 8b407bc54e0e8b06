// The run that the kill and resume tests interrupt: a small training with checkpoints after nearly every step.
// node victim.js OUT SEED [resume]: prints a line per event, `done` last.
import { LanguageModel } from '../../lib/model/model.ts'
import { relu, topK } from '../../lib/transcoder/activation.ts'
import { train } from '../../lib/train/loop.ts'
import type { TrainOptions } from '../../lib/train/settings.ts'

/** The options that every run of the same kind has. AuxK is on after a few steps, and a block is more than one batch. */
export function victimOptions(model: LanguageModel, kind: 'topk' | 'relu'): TrainOptions {
  return {
    model, text: 'examples/codelm/text/held-out.txt.gz', layers: [0, 2], features: 256, activation: kind === 'topk' ? topK(8) : relu({ l1: 2e-3 }),
    skip: kind === 'topk', tokens: 24 * 512, batch: 512, shuffle: 3, seed: 5, rate: 2e-3, deadAfter: 2048,
  }
}

const [out, kind, resume] = process.argv.slice(2)
if (out !== undefined && process.argv[1]?.endsWith('victim.js')) {
  using model = await LanguageModel.open('examples/codelm')
  for await (const event of train({ ...victimOptions(model, kind as 'topk' | 'relu'), out, resume: resume === 'resume', checkpointSeconds: 0 })) console.log(event.event, event.step)
}
