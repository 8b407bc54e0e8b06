// A model's weights: one file, shards behind an index, and indexes that lie.
import { cp, mkdtemp, rm, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { TransweldError, type ErrorCode } from '../../lib/native/error.ts'
import { openWeights } from '../../lib/safetensors/weights.ts'
import { writeSafetensors } from '../../lib/safetensors/writer.ts'

let folder = ''
test.before.each(async () => {
  folder = await mkdtemp(join(tmpdir(), 'transweld-'))
  const tensor = (value: number) => ({ dtype: 'F32', shape: [1], data: new Float32Array([value]) }) as const
  await writeSafetensors(join(folder, 'one.safetensors'), { a: tensor(1), b: tensor(2) })
  await writeSafetensors(join(folder, 'two.safetensors'), { c: tensor(3) })
})
test.after.each(async () => { await rm(folder, { recursive: true }) })

const index = (map: unknown) => writeFile(join(folder, 'model.safetensors.index.json'), JSON.stringify({ metadata: {}, weight_map: map }))
async function refused(code: ErrorCode, words: RegExp): Promise<void> {
  const error = await openWeights(folder).then(() => undefined, (e: unknown) => e)
  assert.instance(error, TransweldError)
  assert.is((error as TransweldError).code, code)
  assert.match((error as TransweldError).message, words)
}

test('shards read as one', async () => {
  await index({ c: 'two.safetensors', a: 'one.safetensors', b: 'one.safetensors' })
  const weights = await openWeights(folder)
  assert.equal(weights.names, ['c', 'a', 'b'])
  assert.equal(await Promise.all(weights.names.map(async n => (await weights.readFloat32(n)).data[0])), [3, 1, 2])
  assert.is(weights.entry('c').dtype, 'F32')
  assert.throws(() => weights.entry('d'), /lists no tensor "d"/)
  await weights.close()
})

test('a single file goes first', async () => {
  await index({ c: 'two.safetensors' })
  await cp(join(folder, 'one.safetensors'), join(folder, 'model.safetensors'))
  const weights = await openWeights(folder)
  assert.equal(weights.names, ['a', 'b'])
  await weights.close()
})

test('what is missing or lies is named', async () => {
  await refused('ERR_FILE', /expected model.safetensors or model.safetensors.index.json/)
  await index({ a: 'one.safetensors', c: 'two.safetensors' })
  await unlink(join(folder, 'two.safetensors'))
  await refused('ERR_FILE', /two.safetensors, which is missing/)
  await index({ z: 'one.safetensors' })
  await refused('ERR_FORMAT', /places tensor "z" in one.safetensors, which does not hold it/)
  for (const name of ['../one.safetensors', '/etc/passwd', 'sub/one.safetensors', 'one.bin', '', 3, null]) {
    await index({ a: name })
    await refused('ERR_FORMAT', /name of a .safetensors file beside it/)
  }
  for (const map of [{}, [], null, 'x']) {
    await index(map)
    await refused('ERR_FORMAT', /expected "weight_map"/)
  }
  await writeFile(join(folder, 'model.safetensors.index.json'), '{"weight_map":')
  await refused('ERR_FORMAT', /not valid JSON/)
})

test.run()
