// The real CUDA library on a machine without an NVIDIA driver: it loads, says why it has no device, and nothing else suffers.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { root } from '../../lib/native/load.ts'
import { child, command } from '../boundary/child.ts'

const LIBRARY = join(root(), 'build-cuda/Release/transweld_cuda.so')
const DRIVERS = ['/proc/driver/nvidia/version', '/usr/lib/x86_64-linux-gnu/libcuda.so.1', '/usr/lib64/libcuda.so.1', '/usr/lib/wsl/lib/libcuda.so.1']

const driver = DRIVERS.find(existsSync)
const reason = !existsSync(LIBRARY) ? 'the CUDA library is not built here (npm run build:cuda, with nvcc 13)'
  : driver ? `this machine has an NVIDIA driver (${driver})` : ''
if (reason) console.log(`skipped: ${reason}`)
const driverless = reason ? test.skip : test

const ENV = { TRANSWELD_CUDA_LIBRARY: LIBRARY, TRANSWELD_CUDA_HOST_LIBRARY: '' }
const WORDS = /no NVIDIA driver is loaded here .*35/

driverless('it loads, and a note says in words why it shows no device', async () => {
  const { code, stdout, stderr } = await child('console.log(JSON.stringify(devices()))', { env: ENV })
  assert.is(code, 0, stderr)
  const report = JSON.parse(stdout) as { devices: { device: string }[], refused: unknown[], notes: string[] }
  assert.equal(report.devices.map(one => one.device), ['cpu'])
  assert.equal(report.refused, [])
  assert.match(report.notes.find(note => note.startsWith('cuda: ')) ?? '', WORDS)
})

driverless('cuda:0 asked for: ERR_DEVICE_MISSING with that reason', async () => {
  const { stdout } = await child('try { openDevice("cuda:0") } catch (error) { console.log(error.code, error.message) }', { env: ENV })
  assert.match(stdout, /^ERR_DEVICE_MISSING expected device cuda:0 but it is not here; /)
  assert.match(stdout, WORDS)
})

driverless('nothing asked for: the CPU works beside it', async () => {
  const body = 'const d = openDevice(), t = d.tensor("f32", 1, 3); fill({ out: t, value: 2 }); console.log(d.device, [...await t.read()].join())'
  const { code, stdout, stderr } = await child(body, { env: ENV })
  assert.equal([code, stdout.trim(), stderr], [0, 'cpu 2,2,2', ''])
})

driverless('doctor: the reason, what to do, and that the CPU works', async () => {
  const { code, stdout } = await command(['doctor'], { env: ENV })
  assert.is(code, 0, stdout)
  assert.match(stdout, /^note +cuda: no NVIDIA driver is loaded here/m)
  assert.match(stdout, /^CUDA driver +none found$/m)
  assert.match(stdout, /No NVIDIA driver is loaded \(or the container was started without access to the GPU\)/)
  assert.not.match(stdout, /No CUDA library is here/)
  assert.match(stdout, /^verdict +cpu works$/m)
})

test.run()
