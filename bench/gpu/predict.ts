// What the CUDA kernels of a training step should take on an H100: the compiler's report on their registers and shared memory, beside the
// roofline of the bytes and operations that launches.ts says they cost. Nothing here is measured.
//
//   node dist/bench/gpu/predict.js [--report FILE_OR_FOLDER] [--out FILE]
//
// The report is what `npm run build:cuda` leaves beside its objects. A kernel of the report that has no row, or a row without its
// kernel, is an error: this table cannot go stale in silence.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Coder } from '../shapes.ts'
import { ASSUMED, H100, REACHED, residence, roofline } from './chip.ts'
import { APART, LAUNCHES, type Launch } from './launches.ts'
import { candidates, chunkOf, type Mode, splitsOf } from './screening.ts'
import { root } from './source.ts'
import { type Usage, usages } from './usage.ts'

const SHAPES: readonly Coder[] = [
  { N: 8192, D: 768, F: 24576, K: 32 }, { N: 16384, D: 2304, F: 65536, K: 64 }, { N: 4096, D: 4096, F: 131072, K: 64 },
]
const MODES: readonly Mode[] = ['bf16', 'int8', 'none']
const PART = `${REACHED * 100} %`

const nameOf = (kernel: string): string => kernel.split('<')[0]!

/** What the report and the rows do not have in common, in words. */
function gaps(report: ReadonlyMap<string, Usage>): string[] {
  const names = new Set([...report.keys()].map(nameOf)), rows = new Set(LAUNCHES.map(({ kernel }) => nameOf(kernel)))
  return [
    ...[...names].filter(name => !rows.has(name) && !APART.some(([begins]) => name.startsWith(begins)))
      .map(name => `${name} is in the compiler's report but has no row in launches.ts`),
    ...LAUNCHES.filter(({ kernel }) => !report.has(kernel))
      .map(({ kernel }) => `${kernel} has a row in launches.ts but is not in the compiler's report`),
    ...APART.filter(([begins]) => ![...names].some(name => name.startsWith(begins)))
      .map(([begins]) => `${begins} is left out in launches.ts but no kernel begins so`),
  ]
}

interface Predicted { readonly row: Launch, readonly seconds: number, readonly bound: string, readonly launches: number, readonly memory: number }

/** The kernels of a step, each with its time; launches included. */
function predict(shape: Coder, mode: Mode): Predicted[] {
  return LAUNCHES.filter(({ modes }) => modes.includes(mode)).map(row => {
    const work = row.work(shape, mode), launches = work.launches ?? 1, { seconds, bound } = roofline(work)
    return { row, seconds: seconds + launches * ASSUMED.secondsOfLaunch, bound, launches, memory: work.memory ?? 0 }
  })
}
const total = (list: readonly Predicted[]): number => list.reduce((sum, { seconds }) => sum + seconds, 0)

/** What a step cannot be faster than: its product on tensor cores, and every input and output of its ops once. */
function floorOf({ N, D, F, K }: Coder): { readonly product: number, readonly bytes: number, readonly seconds: number } {
  const P = N * K, touched = F * (1 - Math.exp(-P / F))
  const moments = 2 * 24 * F * D, copies = 2 * 2 * F * D, gathered = 2 * 4 * D * touched   // w, m, v of both; the bf16 copy read, and made again
  const dense = 4 * N * D * 9, codes = 4 * P * 12   // x twice, y, ŷ and dy written and read by loss, sample, scatter and reduce
  const bytes = moments + copies + gathered + dense + codes, product = 2 * N * F * D / (H100.operationsPerSecond.bf16 * REACHED)
  return { product, bytes, seconds: product + bytes / (H100.bytesPerSecond * REACHED) }
}

const number = (value: number, digits = 3): string =>
  value === 0 ? '' : value >= 1000 ? Math.round(value).toString() : Number(value.toPrecision(digits)).toString()
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map((_, i) => i < 2 ? '---' : '---:'), ...rows].map(cells => `| ${cells.join(' | ')} |`).join('\n')

const COLUMNS = ['op', 'kernel', 'screen', 'threads', 'registers', 'spilled B', 'shared KB', 'blocks a multiprocessor (limit)', 'occupancy',
  'memory MB', 'cache MB', 'Gop', 'op/B', 'launches', 'predicted µs', 'bound', 'share of the step %']

function kernels(report: ReadonlyMap<string, Usage>, shape: Coder): string {
  const steps = MODES.map(mode => ({ mode, list: predict(shape, mode) }))
  const lines = LAUNCHES.flatMap(row => {
    const usage = report.get(row.kernel)!, threads = row.threads(shape), dynamic = row.dynamicBytes?.(shape) ?? 0
    const { blocks, by, occupancy } = residence(usage, threads, dynamic)
    const held = [String(threads), String(usage.registers), String(usage.spillBytes),
      `${number(usage.sharedBytes / 1024) || 0} + ${number(dynamic / 1024) || 0}`, `${blocks} (${by})`, `${Math.round(occupancy * 100)} %`]
    // One line for the modes in which a kernel does the same: its costs, and what it is of each step.
    const same = new Map<string, { modes: Mode[], shares: string[] }>()
    for (const { mode, list } of steps) {
      const mine = list.find(one => one.row === row)
      if (!mine) continue
      const { operations = 0, memory = 0, cache = 0 } = row.work(shape, mode)
      const costs = [number(memory / 1e6), number(cache / 1e6), number(operations / 1e9), memory ? number(operations / memory) : '',
        String(mine.launches), number(mine.seconds * 1e6), mine.bound].join(' | ')
      const line = same.get(costs) ?? { modes: [], shares: [] }
      line.modes.push(mode)
      line.shares.push(number(mine.seconds / total(list) * 100, 2))
      same.set(costs, line)
    }
    return [...same].map(([costs, { modes, shares }]) =>
      [row.op, `\`${row.kernel}\``, modes.length === MODES.length ? 'all' : modes.join(', '), ...held, costs, shares.join(' / ')])
  })
  return table(COLUMNS, lines)
}

function stepTable(shape: Coder): string {
  const floor = floorOf(shape), ops = [...new Set(LAUNCHES.map(({ op }) => op))]
  const rows = MODES.map(mode => {
    const list = predict(shape, mode), of = (op: string): number => total(list.filter(({ row }) => row.op === op))
    return [`screen ${mode}`, number(total(list) * 1e3), number(floor.seconds * 1e3), number(total(list) / floor.seconds),
      number(of('encode') / floor.product), String(list.reduce((sum, one) => sum + one.launches, 0)), ...ops.map(op => number(of(op) * 1e3))]
  })
  return table(['step', 'predicted ms', 'floor ms', 'step / floor', 'encode / bf16 product', 'launches', ...ops.map(op => `${op} ms`)], rows)
}

function section(report: ReadonlyMap<string, Usage>, shape: Coder): string {
  const { N, D, F, K } = shape, floor = floorOf(shape)
  const plans = (['bf16', 'int8'] as const).map(mode => {
    const rows = chunkOf(shape, mode), { splits, share } = splitsOf(shape, rows)
    return `${mode}: ${number(candidates(shape, mode))} candidates a row (assumed), ${rows} rows at a time, ${splits} splits of ${share} tiles`
  })
  return `## N ${N}, D ${D}, F ${F}, K ${K} (predicted)

Floor: ${number(2 * N * F * D / 1e9)} Gop of the product at ${PART} of the bf16 rate, ${number(floor.product * 1e3)} ms,
and ${number(floor.bytes / 1e6)} MB at ${PART} of the bandwidth, ${number((floor.seconds - floor.product) * 1e3)} ms. Screened product:

${plans.map(plan => `- ${plan}`).join('\n')}

${stepTable(shape)}

${kernels(report, shape)}
`
}

function document(report: ReadonlyMap<string, Usage>): string {
  const rate = (value: number): string => number(value / 1e12, 4), peak = H100.operationsPerSecond
  const sources = [...new Set(LAUNCHES.map(({ kernel, from }) => `\`${nameOf(kernel)}\`: ${from}`))]
  return `# Predicted figures of the CUDA kernels

**Every time below is predicted, none is measured: no GPU was available.** \`node dist/bench/gpu/predict.js\` writes this page from the
compiler's report on ${H100.code} (registers, spills, static shared memory) and from the bytes and operations that bench/gpu/launches.ts
gives each kernel; how, and what is assumed, is said in [bench/gpu/README.md](../gpu/README.md).

Device: ${H100.name}, ${H100.processors} multiprocessors. Published peaks: memory ${rate(H100.bytesPerSecond)} TB/s; bf16 ${rate(peak.bf16)},
int8 ${rate(peak.int8)}, f32 ${rate(peak.f32)} TFLOP/s or TOP/s, dense. Assumed, not published: the second cache at
${rate(ASSUMED.cacheBytesPerSecond)} TB/s, ${ASSUMED.secondsOfLaunch * 1e6} µs a launch. Times are at ${PART} of the peak that bounds them. Shares are
of the steps with the screens named, in the order ${MODES.join(' / ')}.

${SHAPES.map(shape => section(report, shape)).join('\n')}
## Where blocks come from

Threads and dynamic shared memory, by constants of cuda/tile.h unless another file is named:

${sources.map(source => `- ${source}`).join('\n')}
`
}

const { values } = parseArgs({ options: { report: { type: 'string' }, out: { type: 'string' } } })
const path = values.report ?? join(root, 'build-cuda/CMakeFiles/cuda_objects.dir/cuda')
try {
  const report = usages(path, H100.code), missing = gaps(report)
  if (missing.length) throw new Error(`expected a row for every kernel and a kernel for every row but received:\n${missing.join('\n')}`)
  const text = document(report)
  if (values.out !== undefined) writeFileSync(values.out, text)
  else process.stdout.write(text)
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`)
  process.exitCode = 1
}
