// What a call costs the event loop: checked in words, laid out, enqueued. Measured while the device is busy with something
// else, as in training, and once on a queue that sleeps and must be woken. And what the promises cost.
import { adamScalars } from '../lib/optim/adam.ts'
import type { Device } from '../lib/tensor/device.ts'
import { axpy, fill, matmul, sparseEncode, sparseScatter } from '../lib/tensor/ops.ts'
import { race, type Side } from './clock.ts'
import { Stock } from './data.ts'
import type { Case, Measured } from './row.ts'

const CALLS = 2000

// `busy` goes ahead in the queue and outlasts the calls.
function enqueueing(device: Device, call: () => void, busy?: () => void): Side {
  return async () => {
    busy?.()
    const start = performance.now()
    for (let i = 0; i < CALLS; i++) call()
    const milliseconds = (performance.now() - start) / CALLS
    await device.wait()
    return milliseconds
  }
}

const told = (milliseconds: number): Measured => ({ milliseconds, figures: { microseconds: milliseconds * 1e3 } })

function call(name: string, make: (stock: Stock) => () => void, isBusy = true): Case {
  return {
    name: `call ${name}`, shape: 'the smallest',
    async measure({ device }) {
      using stock = new Stock(device)
      const a = stock.normal(512, 1024), b = stock.normal(1024, 1024), c = stock.room(512, 1024)
      const once = make(stock), side = enqueueing(device, once, isBusy ? () => matmul({ a, b, c }) : undefined)
      for (let i = 0; i < 5; i++) await side()              // the compiler of JavaScript warms up
      return told((await race([side]))[0]!)
    },
  }
}

const promises: readonly Case[] = [
  {
    name: 'await wait', shape: 'idle queue',
    async measure({ device }) {
      const once = async (): Promise<number> => {
        const start = performance.now()
        for (let i = 0; i < CALLS; i++) await device.wait()
        return (performance.now() - start) / CALLS
      }
      return told((await race([once]))[0]!)
    },
  },
  {
    name: 'await read', shape: 'one f32',
    async measure({ device }) {
      using stock = new Stock(device)
      const one = stock.zeros(1, 1)
      const once = async (): Promise<number> => {
        const start = performance.now()
        for (let i = 0; i < CALLS; i++) await one.read()
        return (performance.now() - start) / CALLS
      }
      return told((await race([once]))[0]!)
    },
  },
]

const adam = adamScalars(1e-3, 1)

export const cases: readonly Case[] = [
  call('fill', stock => { const out = stock.room(1, 1); return () => fill({ out }) }),
  call('fill, sleeping queue', stock => { const out = stock.room(1, 1); return () => fill({ out }) }, false),
  call('axpy', stock => { const x = stock.zeros(1, 1), y = stock.zeros(1, 1), out = stock.room(1, 1); return () => axpy({ x, y, out }) }),
  call('matmul', stock => { const a = stock.zeros(1, 1), b = stock.zeros(1, 1), c = stock.room(1, 1); return () => matmul({ a, b, c }) }),
  call('sparse_encode', stock => {
    const { pattern: codes, z } = stock.codes(1, 1, 1), x = stock.zeros(1, 1), weight = stock.zeros(1, 1), bias = stock.zeros(1, 1), counts = stock.room(1, 4, 'u64')
    return () => sparseEncode({ x, weight, bias, rule: 'topk', codes, z, counts })
  }),
  call('sparse_scatter adam', stock => {
    const { pattern, z } = stock.codes(1, 1, 1), terms = [{ ...stock.byFeature(pattern), plane: z, dense: stock.zeros(1, 1) }]
    const [weight, m, v, bias, biasM, biasV] = Array.from({ length: 6 }, () => stock.zeros(1, 1))
    return () => sparseScatter({ mode: 'adam', terms, weight, m, v, bias, biasM, biasV, adam })
  }),
  ...promises,
]
