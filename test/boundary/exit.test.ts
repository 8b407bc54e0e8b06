// A process ends while the queue is full: the right exit code, no crash, and soon.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { child } from './child.ts'

// 500 products of about 10 ms each: none of these processes may wait for them all.
const BUSY = `
const device = openDevice('cpu')
const a = device.tensor('f32', 640, 640), c = device.tensor('f32', 640, 640)
fillRandom({ out: a, distribution: 'uniform', seed: 1, low: 0, high: 1 })
for (let i = 0; i < 500; i++) matmul({ a, b: a, c })
`
const clean = (ended: { code: number | null, signal: string | null, stderr: string }, code: number) =>
  assert.equal([ended.code, ended.signal], [code, null], ended.stderr)

test('process.exit', async () => {
  clean(await child(`${BUSY} process.exit(7)`), 7)
})

test('process.exit with a read outstanding', async () => {
  clean(await child(`${BUSY} c.read().then(() => console.log('read'), () => console.log('rejected')); setTimeout(() => process.exit(5), 20)`), 5)
})

test('the natural end, nothing awaited: the process does not wait for the queue', async () => {
  clean(await child(BUSY), 0)
})

test('the natural end waits for what is awaited', async () => {
  const ended = await child(`
    const device = openDevice('cpu')
    const a = device.tensor('f32', 64, 64), c = device.tensor('f32', 64, 64)
    fill({ out: a, value: 1 })
    for (let i = 0; i < 50; i++) matmul({ a, b: a, c })
    c.read().then(data => console.log(data[0]))`)
  clean(ended, 0)
  assert.is(ended.stdout.trim(), '64')
})

test('an uncaught error', async () => {
  const ended = await child(`${BUSY} throw new Error('on purpose')`)
  clean(ended, 1)
  assert.match(ended.stderr, 'on purpose')
})

test('an error that is never caught at the await', async () => {
  const ended = await child(`
    const device = openDevice('cpu')
    const out = device.tensor('f32', 1, 3)
    embedRows({ ids: device.from(Uint32Array.of(9), 1, 1), table: device.from(new Float32Array(9), 3, 3), out })
    await out.read()`)
  clean(ended, 1)
  assert.match(ended.stderr, /embed_rows failed/)
})

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`${signal} without a handler`, async () => {
    const ended = await child(`${BUSY} console.log('full'); setInterval(() => {}, 1000)`, { onLine: (_, kill) => kill(signal) })
    assert.equal([ended.code, ended.signal], [null, signal])
  })
}

test('SIGINT with a handler that exits', async () => {
  const ended = await child(`
    process.on('SIGINT', () => process.exit(130))
    ${BUSY} console.log('full'); await c.read()`, { onLine: (_, kill) => kill('SIGINT') })
  clean(ended, 130)
})

test('an idle device keeps no process alive', async () => {
  clean(await child(`const device = openDevice('cpu'); globalThis.kept = device; fill({ out: device.tensor('f32', 2, 2), value: 1 }); await device.wait()`), 0)
})

test.run()
