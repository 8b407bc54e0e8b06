// Every family and variant against transformers in f32, on every device of the machine: logits, and input and output of every MLP.
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { devices } from '../../lib/native/backend.ts'
import { LanguageModel } from '../../lib/model/model.ts'
import { isAsked } from '../ops/asked.ts'
import { CASES, type Computed, distance, FAMILIES, golden, run } from './golden.ts'
import { sameBits } from './tiny.ts'

const test = suite('families')
const here = devices().devices.filter(isAsked).map(({ device }) => device)

test('there are models, and devices', () => {
  assert.ok(CASES.length >= 20)
  assert.ok(here.length > 0)
})

for (const device of here) {
  for (const name of CASES) {
    test(`${name} on ${device} agrees with transformers, and packed prompts have the bits of single ones`, async () => {
      using model = await LanguageModel.open(`${FAMILIES}/${name}`, { device })
      const { prompts, known } = await golden(name), { width: D, vocabulary: V } = model.config, packed = await run(model, prompts)
      for (const [i, ids] of prompts.entries()) {
        const [alone] = await run(model, [ids])
        for (const [what, columns] of [['inputs', D], ['outputs', D], ['logits', V]] as [keyof Computed, number][]) {
          const { absolute, relative } = distance(packed[i]![what], known[i]![what], columns)
          if (process.env.SHOW) console.log(name, device, i, what, absolute.toExponential(1), relative.toExponential(1))
          assert.ok(absolute <= 1e-4 && relative <= 1e-5, `${what} of prompt ${i}: ${absolute} off, ${relative} of the row's largest`)
          assert.ok(sameBits(packed[i]![what], alone![what]), `${what} of prompt ${i} alone`)
        }
      }
    })
  }
}

test.run()
