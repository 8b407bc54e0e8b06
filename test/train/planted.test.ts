// A planted dictionary is recovered: rows are sums of a few of 48 known directions, and training must find the directions.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openDevice } from '../../lib/tensor/device.ts'
import { topK } from '../../lib/transcoder/activation.ts'
import { Deaths } from '../../lib/train/deaths.ts'
import type { Settings } from '../../lib/train/settings.ts'
import { Trainee } from '../../lib/train/step.ts'
import { Workspace } from '../../lib/train/workspace.ts'

const D = 24, PLANTED = 48, ACTIVE = 3, F = 96, BATCH = 512, STEPS = 1500

// Uniform numbers that are the same on every machine (mulberry32).
function uniform(seed: number): () => number {
  let a = seed
  return () => {
    a = (a + 0x6D2B79F5) | 0
    let t = Math.imul(a ^ (a >>> 15), 1 | a)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

function directions(count: number, random: () => number): Float64Array[] {
  return Array.from({ length: count }, () => {
    const v = Float64Array.from({ length: D }, () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()))
    const norm = Math.hypot(...v)
    return v.map(x => x / norm)
  })
}

// Mean over planted directions of the largest cosine to a row of the matrix [F, D].
function meanMaxCosine(planted: readonly Float64Array[], rows: Float32Array): number {
  let total = 0
  for (const d of planted) {
    let best = -1
    for (let f = 0; f < F; f++) {
      let dot = 0, square = 0
      for (let k = 0; k < D; k++) { dot += d[k]! * rows[f * D + k]!; square += rows[f * D + k]! ** 2 }
      if (square > 0) best = Math.max(best, dot / Math.sqrt(square))
    }
    total += best
  }
  return total / planted.length
}

test('mean max cosine of decoder rows to planted directions is at least 0.95', async () => {
  using device = openDevice('cpu')
  const random = uniform(7), planted = directions(PLANTED, random)
  const settings: Settings = {
    layers: [0], features: F, activation: topK(ACTIVE), skip: false, tokens: BATCH * STEPS, batch: BATCH, steps: STEPS, rate: 4e-3, warmUp: 50, decay: 0.2,
    seed: 1, reads: 'mlpInput', writes: 'mlpOutput', shuffle: 1, loss: 'fvu', auxiliary: 1 / 32, deadAfter: 50 * BATCH,
  }
  const trainee = new Trainee(device, settings, 0, D, D, 'auto'), work = new Workspace(device, settings, D, D), deaths = new Deaths(F, settings.deadAfter)
  const rows = new Float32Array(BATCH * D)
  let fvu = 1
  for (let step = 0; step < STEPS; step++) {
    rows.fill(0)
    for (let n = 0; n < BATCH; n++) {
      for (let a = 0; a < ACTIVE; a++) {
        const d = planted[Math.floor(random() * PLANTED)]!, size = 0.5 + random()
        for (let k = 0; k < D; k++) rows[n * D + k]! += size * d[k]!
      }
    }
    work.x.write(rows)
    work.y.write(rows)
    const told = await (await trainee.enqueue(work, step, deaths.now)).figures
    deaths.tell(told.fired, BATCH)
    fvu = told.fvu
  }
  const found = meanMaxCosine(planted, await trainee.parameters.decoder.value.read() as Float32Array)
  assert.ok(found >= 0.95, `mean max cosine ${found.toFixed(4)}, fvu ${fvu.toFixed(4)}, dead ${deaths.now.length}`)
  trainee.dispose()
  work.dispose()
})

test.run()
