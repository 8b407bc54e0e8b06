// Nothing grows: native bytes come back to where they were, and resident memory reaches a plateau.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { embedRows, fill, matmul, openDevice } from '../../lib/index.ts'

const MIB = 2 ** 20

/** Resident megabytes after each of `rounds` rounds. */
async function resident(rounds: number, round: () => Promise<void> | void): Promise<number[]> {
  const sizes: number[] = []
  for (let i = 0; i < rounds; i++) {
    await round()
    globalThis.gc!()
    await new Promise(done => setTimeout(done, 1))
    sizes.push(process.memoryUsage.rss() / MIB)
  }
  return sizes
}

/** The last third is no larger than the middle third, within `slack` MiB. */
function assertPlateau(sizes: number[], slack: number): void {
  const third = Math.floor(sizes.length / 3)
  const middle = Math.max(...sizes.slice(third, 2 * third)), end = Math.min(...sizes.slice(2 * third))
  assert.ok(end <= middle + slack, `resident MiB: ${sizes.map(size => size.toFixed(0)).join(' ')}`)
}

test('tensors, disposed: 2 GiB in all', async () => {
  using device = openDevice('cpu')
  assertPlateau(await resident(30, async () => {
    for (let i = 0; i < 64; i++) {
      using t = device.tensor('f32', 512, 512)
      fill({ out: t, value: i })
    }
    await device.wait()
  }), 16)
  assert.is(device.memory().used, 0)
})

test('tensors, forgotten', async () => {
  using device = openDevice('cpu', { memoryLimit: 256 * MIB })
  assertPlateau(await resident(30, () => { for (let i = 0; i < 32; i++) fill({ out: device.tensor('f32', 512, 512), value: i }) }), 48)
  for (let i = 0; i < 50 && device.memory().used > 0; i++) {
    globalThis.gc!()
    await new Promise(done => setTimeout(done, 5))
  }
  assert.is(device.memory().used, 0)
})

test('calls, reads and failed ops', async () => {
  using device = openDevice('cpu')
  using a = device.tensor('f32', 16, 16), c = device.tensor('f32', 16, 16), ids = device.from(Uint32Array.of(99), 1, 1), row = device.tensor('f32', 1, 16)
  fill({ out: a, value: 1 })
  const before = device.memory().used
  assertPlateau(await resident(30, async () => {
    for (let i = 0; i < 2000; i++) matmul({ a, b: a, c })
    for (let i = 0; i < 200; i++) embedRows({ ids, table: a, out: row })
    await Promise.allSettled([...Array.from({ length: 100 }, () => c.read()), row.read(), device.wait()])
  }), 16)
  assert.is(device.memory().used, before)
})

test('devices, opened and disposed', async () => {
  assertPlateau(await resident(30, async () => {
    for (let i = 0; i < 10; i++) {
      using device = openDevice('cpu')
      fill({ out: device.tensor('f32', 256, 256), value: 1 })
      await device.wait()
    }
  }), 16)
})

test.run()
