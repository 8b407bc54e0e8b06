// Every op on every device beside the CPU. Where op_table.h gives the order of a sum, a GPU computes the very bits of a CPU with
// fused multiply-add; what it leaves to the hardware must still not depend on the order of threads and blocks, which is
// what the devices of the host's emulation differ in.
import { createHash } from 'node:crypto'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { devices } from '../../lib/native/backend.ts'
import { isAsked } from './asked.ts'
import { digests } from './digests.ts'

/** Results that are the hardware's own: sums of tensor cores. */
const OWN = /^(matmul|attend)/
const here = devices().devices.filter(isAsked)
const cpu = here.find(({ device }) => device === 'cpu')
const others = here.filter(({ device }) => device !== 'cpu')
const hash = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** The names whose digests differ. */
const different = (one: Record<string, string>, two: Record<string, string>, own: boolean): string[] =>
  Object.keys(one).filter(name => (own || !OWN.test(name)) && one[name] !== two[name])

test('the results that are compared are many, and few of them are the hardware\'s own', async () => {
  const names = Object.keys(await digests(hash))
  assert.ok(names.length > 40 && 3 * names.filter(name => OWN.test(name)).length < names.length, names.join(', '))
})

/** By the hardware that is one: a class of bits, and the emulation, whose orders of threads differ and whose arithmetic does not. */
const firsts = new Map<string, { device: string, results: Record<string, string> }>()
for (const { device, name, code, bits } of others) {
  test(`${device} (${name}, ${code}): the bits of a CPU with fused multiply-add, whatever the order`, async () => {
    const results = await digests(hash, device)
    assert.equal(Object.keys(results).filter(key => results[key]!.startsWith('differs')), [], 'the same codes in every mode of screening')
    if (cpu?.bits !== 'baseline') assert.equal(different(await digests(hash), results, false), [], 'against the CPU')
    const hardware = device.startsWith('cuda-host:') ? 'cuda-host' : bits
    const first = firsts.get(hardware) ?? { device, results }
    firsts.set(hardware, first)
    assert.equal(different(first.results, results, true), [], `against ${first.device}`)
  })
}

test.run()
