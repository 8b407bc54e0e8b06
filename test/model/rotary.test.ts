// Rotary frequencies of every kind and style of config.json against those that transformers computes, to four units in the last place
// of f32: one for each side's power function, which is not exact, and as much again where llama3 and yarn mix by what it gave.
import { readFile } from 'node:fs/promises'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Rotary } from '../../lib/model/architecture.ts'
import { parsePlan } from '../../lib/model/config.ts'
import type { JsonObject } from '../../lib/model/fields.ts'
import type { ModelPlan } from '../../lib/model/plan.ts'
import { FAMILIES } from './golden.ts'
import { failsWith } from './tiny.ts'

interface Case {
  readonly name: string
  readonly config: JsonObject
  readonly answers: readonly { readonly length: number, readonly rotaries: readonly { readonly frequencies: number[], readonly factor: number }[] }[]
}

const test = suite('rotary')
const cases = JSON.parse(await readFile(`${FAMILIES}/rotary.json`, 'utf8')) as Case[]

for (const { name, config, answers } of cases) {
  test(name, () => {
    const { rotaries } = parsePlan(config, 'config.json').config
    for (const { length, rotaries: known } of answers) {
      assert.is(rotaries.length, known.length)
      for (const [i, { frequencies, factor }] of known.entries()) {
        const ours = rotaries[i]!, made = ours.frequencies(length)
        assert.is(ours.columns, 2 * frequencies.length)
        assert.is(ours.factor, Math.fround(factor))
        assert.is(made.length, frequencies.length)
        const ulps = Math.max(...frequencies.map((f, j) => Math.abs(made[j]! - f) / f * 2 ** 23))
        assert.ok(ulps <= 4, `${ulps} units in the last place at length ${length}`)
      }
    }
  })
}

const llama = (fields: object) => (): ModelPlan => parsePlan({ model_type: 'llama', hidden_size: 64, num_attention_heads: 4, ...fields }, 'config.json')

test('lengths that a model reaches: what stretches positions stretches the context', () => {
  const context = (fields: object): number => llama({ max_position_embeddings: 100, ...fields })().config.context
  assert.is(context({}), 100)
  assert.is(context({ rope_scaling: { type: 'linear', factor: 4 } }), 400)
  assert.is(context({ rope_scaling: { type: 'dynamic', factor: 2.5 } }), 250)
  assert.is(context({ rope_scaling: { type: 'yarn', factor: 4, original_max_position_embeddings: 20 } }), 100)
  assert.is(context({ rope_scaling: { type: 'yarn', factor: 4 } }), 400)
  const llama3 = { rope_type: 'llama3', factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 50 }
  assert.is(context({ rope_scaling: llama3 }), 100)
})

test('only the frequencies of "dynamic" depend on the length', () => {
  const only = (fields: object): Rotary => llama(fields)().config.rotaries[0]!
  const dynamic = only({ max_position_embeddings: 100, rope_scaling: { type: 'dynamic', factor: 2 } })
  assert.is(dynamic.fixedUpTo, 100)
  assert.equal(dynamic.frequencies(100), dynamic.frequencies(1))
  assert.not.equal(dynamic.frequencies(101), dynamic.frequencies(1))
  assert.is(only({ rope_scaling: { type: 'linear', factor: 2 } }).fixedUpTo, Infinity)
})

test('kinds and values that cannot be', async () => {
  const long = { rope_scaling: { rope_type: 'longrope' } }
  await failsWith('ERR_UNSUPPORTED', /rope_scaling\.rope_type = "longrope" .* known: default, linear, dynamic, llama3, yarn/, llama(long))
  await failsWith('ERR_UNSUPPORTED', /rope_scaling\.type = "mrope"/, llama({ rope_scaling: { type: 'mrope' } }))
  const unknown = { rope_parameters: { type: 'linear', factor: 2, finetuned: true } }
  await failsWith('ERR_UNSUPPORTED', /rope_parameters\.finetuned = true/, llama(unknown))
  await failsWith('ERR_UNSUPPORTED', /partial_rotary_factor = 0\.5/, llama({ rope_parameters: { partial_rotary_factor: 0.5 } }))
  await failsWith('ERR_UNSUPPORTED', /partial_rotary_factor = 0\.5/, llama({ partial_rotary_factor: 0.5 }))
  await failsWith('ERR_FORMAT', /above 0 for rope_scaling\.factor .* undefined/, llama({ rope_scaling: { type: 'linear' } }))
  await failsWith('ERR_FORMAT', /above 0 for rope_parameters\.factor .* -1/, llama({ rope_parameters: { rope_type: 'linear', factor: -1 } }))
  await failsWith('ERR_FORMAT', /rope_theta .* "10000"/, llama({ rope_theta: '10000' }))
  await failsWith('ERR_FORMAT', /an object for rope_scaling .* 4/, llama({ rope_scaling: 4 }))
  await failsWith('ERR_FORMAT', /head_dim .* received 7/, llama({ head_dim: 7 }))
})

test.run()
