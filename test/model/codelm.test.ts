// The shipped model against its own reference: what transformers in f32 make of it.
import { readFile } from 'node:fs/promises'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { heldOutIds } from '../../lib/evaluate/held-out.ts'
import { LanguageModel } from '../../lib/model/model.ts'
import { evenStarts } from '../../lib/model/pass.ts'
import { tokenLoss } from '../../lib/tensor/ops.ts'

interface Reference {
  prompts: { text: string, ids: number[], top: { ids: number[], logits: number[] }[], logsumexp: number[], next_logprob: number[] }[]
  heldOut: { tokens: number, chunk: number, first_ids: number[], mean_nll: number, chunk_mean_nll: number[] }
}

const FOLDER = 'examples/codelm'
const test = suite<{ model: LanguageModel, reference: Reference }>('codelm')
test.before(async context => {
  context.model = await LanguageModel.open(FOLDER)
  context.reference = JSON.parse(await readFile(`${FOLDER}/reference.json`, 'utf8')) as Reference
})
test.after(context => { context.model.dispose() })

test('its size', ({ model }) => {
  assert.is(model.parameters, 2_615_424)
  assert.equal([model.config.layers, model.config.width, model.config.context, model.config.vocabulary], [4, 192, 256, 4096])
})

test('logits of every prompt to 1e-4, and their log-sum-exp', async ({ model, reference }) => {
  const tokenizer = await model.tokenizer()
  assert.ok(reference.prompts.length >= 5)
  for (const { text, ids, top, logsumexp, next_logprob } of reference.prompts) {
    assert.equal([...tokenizer.encode(text)], ids)
    const { columns, data } = await model.logits(ids)
    for (const [t, { ids: best, logits }] of top.entries()) {
      const row = data.subarray(t * columns, (t + 1) * columns)
      for (const [i, id] of best.entries()) assert.ok(Math.abs(row[id]! - logits[i]!) < 1e-4, `${text}: token ${t}, id ${id}`)
      const sum = Math.log(row.reduce((total, x) => total + Math.exp(x), 0))
      assert.ok(Math.abs(sum - logsumexp[t]!) < 1e-4)
      if (t < next_logprob.length) assert.ok(Math.abs(row[ids[t + 1]!]! - sum - next_logprob[t]!) < 1e-4)
    }
  }
})

test('mean loss of the first 8192 held-out tokens to 1e-5, of each window to 5e-5', async ({ model, reference: { heldOut } }) => {
  const ids = await heldOutIds(model, `${FOLDER}/text/held-out.txt.gz`, heldOut.tokens), rows = 2048, { chunk } = heldOut
  assert.equal([...ids.subarray(0, heldOut.first_ids.length)], heldOut.first_ids)
  const { device } = model, pass = model.pass(rows)
  const logits = device.tensor('f32', rows, 4096), targets = device.tensor('u32', 1, rows), loss = device.tensor('f32', 1, rows)
  const means: number[] = []
  for (let at = 0; at < ids.length; at += rows) {
    const some = ids.subarray(at, at + rows)
    pass.begin(some, evenStarts(rows, chunk))
    await pass.blocks(0, 4)
    pass.logits(0, rows, logits)
    targets.write(some.map((_, n) => (n + 1) % chunk ? some[n + 1]! : 0xFFFFFFFF))
    tokenLoss({ logits, targets, loss })
    const nats = await loss.read()
    for (let w = 0; w < rows; w += chunk) means.push(nats.subarray(w, w + chunk).reduce((sum, x) => sum + x, 0) / (chunk - 1))
  }
  for (const one of [pass, logits, targets, loss]) one.dispose()
  for (const [w, mean] of heldOut.chunk_mean_nll.entries()) assert.ok(Math.abs(means[w]! - mean) < 5e-5, `window ${w}: ${means[w]} against ${mean}`)
  assert.ok(Math.abs(means.reduce((a, b) => a + b) / means.length - heldOut.mean_nll) < 1e-5)
})

test.run()
