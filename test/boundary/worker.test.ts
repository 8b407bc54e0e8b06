// Worker threads each load the addon, half of them are terminated with jobs queued; and the addon loaded twice in one thread.
import { createRequire } from 'node:module'
import { Worker } from 'node:worker_threads'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { addonPath } from '../../lib/native/load.ts'
import { fill, openDevice } from '../../lib/index.ts'
import { ENTRY } from './child.ts'

const BODY = `
import { workerData, parentPort } from 'node:worker_threads'
const { openDevice, fillRandom, matmul, fill } = await import(workerData.entry)
const device = openDevice('cpu')
const n = workerData.size
const a = device.tensor('f32', n, n), c = device.tensor('f32', n, n)
fill({ out: a, value: 1 })
for (let i = 0; i < workerData.jobs; i++) matmul({ a, b: a, c })
parentPort.postMessage('queued')
parentPort.postMessage((await c.read())[0])
`

function started(size: number, jobs: number): Worker {
  return new Worker(new URL(`data:text/javascript,${encodeURIComponent(BODY)}`), { workerData: { entry: ENTRY, size, jobs } })
}

test('eight workers, half of them terminated with a full queue', async () => {
  using device = openDevice('cpu')
  using mine = device.tensor('f32', 8, 8)
  fill({ out: mine, value: 3 })
  const results = await Promise.all(Array.from({ length: 8 }, (_, i) => new Promise<unknown>((done, failed) => {
    const isShort = i % 2 === 0, worker = started(isShort ? 64 : 512, isShort ? 20 : 1000)
    worker.on('error', failed)
    worker.on('message', message => {
      if (message !== 'queued') worker.terminate().then(() => done(message), failed)
      else if (!isShort) worker.terminate().then(() => done('terminated'), failed)
    })
  })))
  assert.equal(results, [64, 'terminated', 64, 'terminated', 64, 'terminated', 64, 'terminated'])
  assert.ok((await mine.read()).every(value => value === 3), 'the main thread is not disturbed')
})

test('a worker that ends by itself with jobs queued', async () => {
  const body = BODY.slice(0, BODY.indexOf('parentPort.postMessage('))
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(body)}`), { workerData: { entry: ENTRY, size: 512, jobs: 1000 } })
  assert.is(await new Promise((done, failed) => worker.on('exit', done).on('error', failed)), 0)
})

test('the addon loaded twice: two instances that do not know each other', () => {
  const require = createRequire(import.meta.url)
  const { path } = addonPath()
  const one = require(path) as { open(library: string, index: number, limit: number): number, close(device: number): void, memory(device: number): object }
  delete require.cache[require.resolve(path)]
  const two = require(path) as typeof one
  assert.is.not(one, two)
  const device = two.open('', 0, 0)
  two.memory(device)
  const before = [one, two].map(addon => addon.open('', 0, 0))
  one.close(before[0]!)
  two.memory(before[1]!)
  two.close(before[1]!)
  two.close(device)
  assert.throws(() => two.memory(device), /disposed/)
})

test.run()
