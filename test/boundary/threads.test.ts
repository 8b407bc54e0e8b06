// Devices of one process that were opened with different numbers of threads share one pool: none gets more of it than it asked for.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { patternFixed } from '../../lib/tensor/codes.ts'
import { openDevice } from '../../lib/tensor/device.ts'
import { sparseEncode } from '../../lib/tensor/ops.ts'
import { randomFloats } from '../ops/cases.ts'

const N = 500, D = 33, F = 700, K = 9

/** The codes of fixed rows, on a device opened with so many threads. */
async function encoded(threads: number): Promise<unknown[]> {
  process.env.TRANSWELD_THREADS = String(threads)
  using device = openDevice('cpu')
  const codes = patternFixed(device, N, K, F), z = codes.plane()
  const x = device.from(randomFloats(1, N * D), N, D), weight = device.from(randomFloats(2, F * D), F, D)
  for (let again = 0; again < 20; again++) sparseEncode({ rule: 'topk', x, weight, codes, z, counts: device.tensor('u64', 1, 4) })
  return [await codes.index.read(), await z.read()]
}

test('three threads, then two, one and three again', async () => {
  const first = await encoded(3)
  for (const threads of [2, 1, 3]) assert.equal(await encoded(threads), first, `${threads} threads`)
})

test.run()
