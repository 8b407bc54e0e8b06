// token_loss: next-token loss and divergence of each row.
import { test } from 'uvu'
import { tokenLoss } from '../../lib/tensor/ops.ts'
import { each } from './backend.ts'
import type { Bench } from './backend.ts'
import { random, randomIntegers } from './cases.ts'
import { matrix, NO_TARGET, tokenLoss as truth } from './reference.ts'
import type { Matrix } from './reference.ts'
import { close, expectedAll, sameBits } from './tolerance.ts'

async function run(b: Bench, logits: Matrix, targets: number[], reference?: Matrix): Promise<{ loss: Float64Array, kl: Float64Array }> {
  const loss = b.room(1, logits.rows), kl = b.room(1, logits.rows)
  tokenLoss({ logits: b.up(logits), targets: b.ints(targets, 'u32'), ...(reference && { reference: b.up(reference), kl }), loss })
  return { loss: await b.down(loss), kl: reference ? await b.down(kl) : new Float64Array() }
}

async function check(b: Bench, what: string, logits: Matrix, targets: number[], reference: Matrix): Promise<void> {
  const args = { logits, targets, reference }
  const { loss, kl } = await run(b, logits, targets, reference)
  const [losses, divergences] = expectedAll(r => {
    const result = truth(args, r)
    return [result.loss, result.kl]
  })
  close(`${what} loss`, loss, losses!)
  close(`${what} kl`, kl, divergences!)
  sameBits(`${what}, without reference`, (await run(b, logits, targets)).loss, loss)
}

each('shapes, rows without target, wide and narrow logits', async b => {
  for (const [rows, vocabulary] of [[1, 1], [0, 3], [3, 7], [7, 31], [33, 16], [5, 257], [4, 2053]] as const) {
    for (const spread of [0.01, 1, 30]) {
      const targets = randomIntegers(1, rows, vocabulary).map((id, n) => n % 3 === 2 ? NO_TARGET : id)
      const logits = (seed: number): Matrix => random(seed, rows, vocabulary, -spread, spread)
      await check(b, `${rows}×${vocabulary} ±${spread}`, logits(2), targets, logits(3))
    }
  }
})

each('equal logits, huge logits, one that takes all', async b => {
  const targets = [0, 4, 32]
  await check(b, 'equal', matrix(3, 33, () => 7), targets, matrix(3, 33, () => -7))
  await check(b, 'about 10,000', random(4, 3, 33, 9999, 10001), targets, random(5, 3, 33, -10001, -9999))
  await check(b, 'one takes all', matrix(3, 33, (_, v) => v === 4 ? 90 : -90), targets, matrix(3, 33, (_, v) => v === 5 ? 60 : -60))
})

each('NaN stays in its row', async b => {
  const logits = random(6, 4, 19)
  logits.data[25] = NaN
  const { loss } = await run(b, logits, [0, 0, 0, 0])
  if (!Number.isNaN(loss[1]) || loss.filter(Number.isNaN).length !== 1) throw new Error(`losses ${loss}`)
})

test.run()
