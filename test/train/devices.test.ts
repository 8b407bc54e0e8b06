// The same training on every device beside the CPU: on sums whose order is laid down the weights are the CPU's to the bit, and
// with a skip matrix, whose products are the tensor core's own, the loss follows the CPU's curve.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { devices } from '../../lib/native/backend.ts'
import { type Device, openDevice } from '../../lib/tensor/device.ts'
import type { ArrayOf } from '../../lib/tensor/dtype.ts'
import { type Activation, relu, topK } from '../../lib/transcoder/activation.ts'
import { Deaths } from '../../lib/train/deaths.ts'
import type { Settings } from '../../lib/train/settings.ts'
import { Trainee } from '../../lib/train/step.ts'
import { Workspace } from '../../lib/train/workspace.ts'
import { isAsked } from '../ops/asked.ts'
import { randomFloats } from '../ops/cases.ts'

const D = 40, F = 160, BATCH = 96, STEPS = 30

interface Trained { readonly losses: number[], readonly encoder: ArrayOf['f32'], readonly decoder: ArrayOf['f32'] }

/** A run of thirty steps on fixed rows: an MLP's stand-in, y = |x| + a rotation of x. */
async function trained(device: Device, activation: Activation, skip: boolean): Promise<Trained> {
  const settings: Settings = {
    layers: [0], features: F, activation, skip, tokens: BATCH * STEPS, batch: BATCH, steps: STEPS, rate: 4e-3, warmUp: 5, decay: 0.2,
    seed: 1, reads: 'mlpInput', writes: 'mlpOutput', shuffle: 1, loss: 'fvu', auxiliary: activation.kind === 'topk' ? 1 / 32 : 0, deadAfter: 10 * BATCH,
  }
  const trainee = new Trainee(device, settings, 0, D, D, 'auto'), work = new Workspace(device, settings, D, D), deaths = new Deaths(F, settings.deadAfter)
  const losses: number[] = []
  for (let step = 0; step < STEPS; step++) {
    const x = randomFloats(100 + step, BATCH * D)
    work.x.write(x)
    work.y.write(x.map((value, i) => Math.abs(value) + 0.5 * x[i % D === D - 1 ? i + 1 - D : i + 1]!))
    const told = await (await trainee.enqueue(work, step, deaths.now)).figures
    deaths.tell(told.fired, BATCH)
    losses.push(told.loss)
  }
  const encoder = await trainee.parameters.encoder.value.read() as Float32Array, decoder = await trainee.parameters.decoder.value.read() as Float32Array
  trainee.dispose()
  work.dispose()
  return { losses, encoder, decoder }
}

const cases = [['TopK', topK(8), false], ['ReLU', relu({ l1: 1e-3 }), false], ['TopK with a skip matrix', topK(8), true]] as const
const report = devices().devices.filter(isAsked)
const isFused = report.some(({ device, bits }) => device === 'cpu' && bits !== 'baseline')

for (const [name, activation, skip] of cases) {
  let cpu: Trained | undefined
  for (const { device } of report) {
    test(`${name} on ${device}`, async () => {
      using opened = openDevice(device)
      const run = await trained(opened, activation, skip)
      cpu ??= run
      assert.ok(run.losses.at(-1)! < 0.8 * run.losses[0]!, `the loss goes down: ${run.losses.join(' ')}`)
      run.losses.forEach((loss, step) => assert.ok(Math.abs(loss - cpu!.losses[step]!) <= 0.02 * cpu!.losses[step]!, `step ${step}: ${loss}, CPU ${cpu!.losses[step]}`))
      if (skip || !isFused) return
      assert.equal(run.losses, cpu.losses)
      assert.equal(run.encoder, cpu.encoder)
      assert.equal(run.decoder, cpu.decoder)
      assert.is(opened.memory().used, 0)
    })
  }
}

test.run()
