// Every planted fault is found by the tool that promises it, in all three orders, at the line marked in its file; without the fault
// the same kernels are clean under every tool. A tool that finds nothing would pass every other test.
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { root } from '../../lib/native/load.ts'
import { build, run, works } from './build.ts'
import type { Tool } from './build.ts'

const FOLDER = 'test/cuda_on_host/faults'
const ORDERS = [0, 1, 2] // a device each: forward, reverse, seeded

/** What finds a fault. wrong: the value; refused: the launch or the next wait fails; asan, tsan: that tool's report. */
type Found = 'wrong' | 'refused' | 'asan' | 'tsan'
const FAULTS: Record<string, Found[]> = {
  divergent_barrier: ['refused'],
  early_overwrite: ['wrong'],
  exited_lane: ['refused'],
  global_race: ['tsan'],
  missing_arrival: ['refused'],
  missing_barrier: ['wrong', 'tsan'],
  missing_bulk_wait: ['wrong', 'tsan'],
  missing_copies_wait: ['wrong'],
  missing_init_barrier: ['tsan'],
  missing_product_wait: ['wrong'],
  missing_second_barrier: ['wrong', 'tsan'],
  missing_warp_sync: ['tsan'],
  past_allocation: ['refused', 'asan'],
  past_shared_array: ['asan'],
  short_mask: ['refused'],
  stack_overflow: ['refused'],
  uninitialised_memory: ['wrong'],
}

const tools = (['plain', 'asan', 'tsan'] as Tool[]).map(tool => ({ tool, here: works(tool) }))
const has = (tool: Tool) => tools.some(one => one.tool === tool && one.here)
const toolOf = (found: Found): Tool => found === 'asan' || found === 'tsan' ? found : 'plain'
const on = (tool: Tool) => has(tool) ? test : test.skip

/** `name.cu:LINE` of the line marked in the file, or '' where no line is promised. */
function marked(name: string): string {
  const lines = readFileSync(join(root(), FOLDER, `${name}.cu`), 'utf8').split('\n')
  const at = lines.findIndex(line => line.includes('// found here'))
  return at < 0 ? '' : `${name}.cu:${at + 1}`
}

test('every fault of the folder is on the list', () => {
  const files = readdirSync(join(root(), FOLDER)).filter(name => name.endsWith('.cu')).map(name => name.slice(0, -3)).sort()
  assert.equal(Object.keys(FAULTS).sort(), files)
})

for (const { tool } of tools) {
  on(tool)(`${tool}: without its fault every kernel is right in every order`, async () => {
    const { code, text } = run(await build('driver', tool), ['sound', 'all'])
    assert.is(code, 0, text)
    assert.equal(text.trim().split('\n').map(line => line.trim()), Object.keys(FAULTS).flatMap(name => ORDERS.map(order => `${name} ${order} right`)))
  })
}

for (const [name, ways] of Object.entries(FAULTS)) {
  for (const found of ways) {
    const tool = toolOf(found)
    on(tool)(`${tool}: ${name} is found in every order`, async () => {
      const program = await build('driver', tool)
      for (const order of ORDERS) {
        const { code, text } = run(program, ['faulty', name, String(order)])
        if (tool === 'plain') {
          assert.is(code, 0, text)
          assert.match(text, new RegExp(`^${name} ${order} ${found} `))
        } else if (name !== 'missing_init_barrier' || !text.includes(' refused ')) {
          assert.ok(code, `nothing was reported in order ${order}: ${text}`)
          assert.match(text, tool === 'asan' ? /ERROR: AddressSanitizer/ : /WARNING: ThreadSanitizer: data race/)
        }
        const promised = found !== 'wrong' && !(found === 'refused' && name === 'past_allocation') // a broken red zone names no line
        if (promised) assert.ok(text.includes(marked(name)), `order ${order}: no ${marked(name)} in ${text}`)
      }
    })
  }
}

on('plain')('a report names both places of a divergent barrier, and the arrivals that are missing', async () => {
  const program = await build('driver', 'plain')
  assert.match(run(program, ['faulty', 'divergent_barrier', '0']).text, /thread \(32,0,0\) of block \(0,0,0\) at .*\.cu:\d+, others at .*\.cu:\d+/)
  assert.match(run(program, ['faulty', 'missing_arrival', '0']).text, /64 of 64 threads wait, .* for 1 more arrivals/)
})

on('plain')('a fault that only a sanitizer finds gives right values without it', async () => {
  const program = await build('driver', 'plain')
  for (const name of ['missing_warp_sync', 'global_race', 'past_shared_array']) {
    for (const order of ORDERS) assert.match(run(program, ['faulty', name, String(order)]).text, new RegExp(`^${name} ${order} right`))
  }
})

test.run()
