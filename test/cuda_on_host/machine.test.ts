// The emulation against the definitions of what it emulates: collectives, products, copies, barrier objects, orders, the interface.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { build, run, works } from './build.ts'

const CHECKS = ['shuffles', 'votes', 'halves', 'fragments', 'warpgroup', 'orders', 'coordinates', 'named', 'copies', 'pipeline', 'atomics',
  'arithmetic', 'memory', 'limits', 'failure', 'contexts']

for (const tool of ['plain', 'asan', 'tsan'] as const) {
  const on = works(tool) ? test : test.skip
  on(`${tool}: every check holds on every device`, async () => {
    const { code, text } = run(await build('machine', tool), [])
    assert.is(code, 0, text)
    assert.equal(text.trim().split('\n'), CHECKS.flatMap(name => [0, 1, 2].map(device => `ok ${name} ${device}`)))
  })
}

test.run()
