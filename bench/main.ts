// npm run bench [-- NAME...] [--json FILE]: measures, prints the table, and writes the same as JSON.
//
// NAME is part of a row's name or shape ("step", "sparse_encode int8", "F 24576"); without any, everything is measured.
import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { openDevice } from '../lib/tensor/device.ts'
import { Limits } from './limits.ts'
import { describe, threads } from './machine.ts'
import { Peers } from './peer.ts'
import { line, table } from './report.ts'
import { type Bench, type Case, type Measured, rowsOf } from './row.ts'
import { cases as attentions } from './attention.ts'
import { cases as calls } from './calls.ts'
import { cases as delays } from './delay.ts'
import { cases as demo } from './demo.ts'
import { cases as encodes } from './encode.ts'
import { cases as models, clear } from './model.ts'
import { cases as ops } from './ops.ts'
import { cases as products } from './product.ts'
import { cases as steps } from './step.ts'

const ALL: readonly Case[] = [...products, ...encodes, ...steps, ...ops, ...attentions, ...calls, ...delays, ...demo, ...models]

const { values, positionals } = parseArgs({ allowPositionals: true, options: { json: { type: 'string' } } })
const chosen = positionals.length === 0 ? ALL : ALL.filter(({ name, shape }) => positionals.some(part => `${name} ${shape}`.includes(part)))
if (chosen.length === 0) {
  process.stderr.write(`expected names or parts of names but received ${positionals.join(' ')}. There are:\n${[...new Set(ALL.map(({ name }) => name))].join('\n')}\n`)
  process.exit(2)
}

const python = process.env.TRANSWELD_PEER_PYTHON
const peers = python ? await Peers.start(python, threads()) : undefined
if (!peers) process.stderr.write('TRANSWELD_PEER_PYTHON names no Python with PyTorch: the columns of peers stay empty\n')
const bench: Bench = { device: openDevice(), peers, limits: new Limits() }
const measured: { which: Case, result: Measured }[] = []
await bench.limits.measure(bench)
for (const which of chosen) {
  const result = await which.measure(bench)
  await peers?.dropAll()
  measured.push({ which, result })
  for (const row of rowsOf(which, result, bench.limits)) process.stderr.write(line(row) + '\n')
}
const machine = describe(bench.device, peers?.version), limits = bench.limits.summary()
const rows = measured.flatMap(({ which, result }) => rowsOf(which, result, bench.limits))
process.stdout.write('\n' + table(machine, limits, rows))
if (values.json !== undefined) await writeFile(values.json, JSON.stringify({ ...machine, limits, rows }, null, 1) + '\n')
peers?.stop()
await clear()
bench.device.dispose()
