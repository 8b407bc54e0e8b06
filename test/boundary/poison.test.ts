// An op that fails in the queue poisons what it should have written. The error surfaces at the await of whatever depends on
// it, names that op, and leaves everything else usable.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { axpy, embedRows, fill, matmul, openDevice } from '../../lib/index.ts'
import { rejection } from './child.ts'

const device = openDevice('cpu')
const table = device.from(new Float32Array(21).fill(1), 7, 3)
const good = device.from(Uint32Array.of(0, 6), 1, 2)
const bad = device.from(Uint32Array.of(0, 7), 1, 2)

test('the error names the op that failed six calls earlier, with its shapes', async () => {
  using out = device.tensor('f32', 2, 3), square = device.tensor('f32', 2, 2), last = device.tensor('f32', 2, 2)
  embedRows({ ids: bad, table, out })
  matmul({ a: out, b: out, c: square })
  for (let i = 0; i < 4; i++) axpy({ x: square, out: last })
  const error = await rejection(last.read())
  assert.is(error.code, 'ERR_INVALID_ARGUMENT')
  assert.match(error.message, /^embed_rows failed: .*ids \[1, 2\] u32, table \[7, 3\] f32, out \[2, 3\] f32$/)
  assert.is((await rejection(out.read())).message, error.message)
})

test('the rest stays usable, and inputs are not harmed', async () => {
  using out = device.tensor('f32', 2, 3)
  embedRows({ ids: bad, table, out })
  using other = device.tensor('f32', 2, 3)
  embedRows({ ids: good, table, out: other })
  assert.equal([...await other.read()], [1, 1, 1, 1, 1, 1])
  assert.equal([...await bad.read()], [0, 7])
  await device.wait()
})

test('a full overwrite heals, a part of one does not, and adding does not', async () => {
  using out = device.tensor('f32', 2, 3)
  embedRows({ ids: bad, table, out })
  fill({ out: out.view(0, 1), value: 2 })
  await rejection(out.read())
  axpy({ x: table.view(0, 2), y: out, out })
  await rejection(out.view(1, 2).read())
  fill({ out, value: 2 })
  assert.equal([...await out.read()], [2, 2, 2, 2, 2, 2])
  embedRows({ ids: bad, table, out })
  out.write(new Float32Array(6).fill(5))
  assert.equal([...await out.read()], [5, 5, 5, 5, 5, 5])
})

test('a poisoned accumulator stays poisoned', async () => {
  using out = device.tensor('f32', 2, 3), square = device.tensor('f32', 2, 2)
  fill({ out: square, value: 0 })
  embedRows({ ids: bad, table, out })
  matmul({ a: out, b: out, c: square, accumulate: true })
  matmul({ a: table.view(0, 2), b: table.view(0, 2), c: square, accumulate: true })
  assert.match((await rejection(square.read())).message, 'embed_rows failed')
  matmul({ a: table.view(0, 2), b: table.view(0, 2), c: square })
  assert.equal([...await square.read()], [3, 3, 3, 3])
})

test('an error that nobody reads disturbs nobody', async () => {
  for (let i = 0; i < 100; i++) {
    using out = device.tensor('f32', 2, 3)
    embedRows({ ids: bad, table, out })
  }
  await device.wait()
  assert.equal([...await table.view(0, 1).read()], [1, 1, 1])
})

test.run()
