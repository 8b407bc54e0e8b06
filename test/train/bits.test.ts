// A whole training gives the same bits for any number of threads and any instruction set of one class, in any screening mode.
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { LanguageModel } from '../../lib/model/model.ts'
import { train } from '../../lib/train/loop.ts'
import { weightsOf } from './killer.ts'
import { victimOptions } from './victim.ts'

const VICTIM = fileURLToPath(new URL('victim.js', import.meta.url))

// sha256 of the weights of a victim trained under some environment; undefined where the processor lacks what is asked for.
async function trained(folder: string, name: string, kind: string, env: Record<string, string>): Promise<string | undefined> {
  const out = join(folder, name)
  const { status, stderr } = spawnSync(process.execPath, [VICTIM, out, kind], { env: { ...process.env, ...env }, encoding: 'utf8' })
  if (status !== 0 && /for TRANSWELD_ISA/.test(stderr)) return undefined
  assert.is(status, 0, stderr)
  return weightsOf(out)
}

for (const kind of ['topk', 'relu'] as const) {
  test(`${kind}: threads and instruction sets`, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'transweld-bits-'))
    try {
      const one = await trained(folder, 'one', kind, { TRANSWELD_THREADS: '1', TRANSWELD_ISA: '' })
      assert.is(await trained(folder, 'three', kind, { TRANSWELD_THREADS: '3', TRANSWELD_ISA: '' }), one)
      for (const isa of ['avx2', 'avxvnni', 'avx512']) {
        const other = await trained(folder, isa, kind, { TRANSWELD_ISA: isa })
        if (other !== undefined) assert.is(other, one, isa)
      }
    } finally { await rm(folder, { recursive: true, force: true }) }
  })

  test(`${kind}: screening modes`, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'transweld-bits-')), digests: string[] = []
    using model = await LanguageModel.open('examples/codelm')
    try {
      for (const screen of ['none', 'bf16', 'int8', 'auto'] as const) {
        const out = join(folder, screen)
        for await (const event of train({ ...victimOptions(model, kind), out, screen })) void event
        digests.push(await weightsOf(out))
      }
      assert.is(new Set(digests).size, 1)
    } finally { await rm(folder, { recursive: true, force: true }) }
  })
}

test('after the first steps nothing is allocated', async () => {
  using model = await LanguageModel.open('examples/codelm')
  const held: number[] = []
  for await (const event of train({ ...victimOptions(model, 'topk'), auxiliary: 0, screen: 'int8' })) {
    if (event.event === 'step') { const { used, cached } = model.device.memory(); held.push(used + cached) }
  }
  assert.is(held.length, 24)
  assert.equal(new Set(held.slice(4)).size, 1, held.join(' '))
})

test.run()
