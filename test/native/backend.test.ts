// Which device is used and why: asked for and missing, a library that is absent, damaged, foreign, of another contract, good.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { root } from '../../lib/native/load.ts'
import { child } from '../boundary/child.ts'

const folder = mkdtempSync(join(tmpdir(), 'transweld-backend-'))
const compiler = ['cc', 'gcc', 'clang'].find(name => spawnSync(name, ['--version']).status === 0)
const compiled = compiler ? test : test.skip

/** Compiles a C library; its source sees op_table.h. */
function library(name: string, source: string): string {
  const path = join(folder, `${name}.so`)
  const { status, stderr } = spawnSync(compiler!, ['-shared', '-fPIC', '-I', join(root(), 'src'), '-x', 'c', '-', '-o', path], { input: source, encoding: 'utf8' })
  assert.is(status, 0, stderr)
  return path
}

/** The kernels that a checkout may have built for the CPU are no part of these tests. */
const ALONE = { TRANSWELD_CUDA_HOST_LIBRARY: '' }

/** What `devices()` says in a process with this library. */
async function report(path: string): Promise<{ devices: { device: string, name: string }[], refused: { path: string, reason: string }[], notes: string[] }> {
  const ended = await child('console.log(JSON.stringify(devices()))', { env: { ...ALONE, TRANSWELD_CUDA_LIBRARY: path } })
  assert.is(ended.code, 0, ended.stderr)
  return JSON.parse(ended.stdout)
}

const OPENS = 'try { const d = openDevice(); console.log(d.device) } catch (error) { console.log(error.code, error.message) }'

test.after(() => rmSync(folder, { recursive: true }))

test('nothing asked for: the CPU, in silence', async () => {
  const ended = await child(OPENS)
  assert.equal([ended.stdout.trim(), ended.stderr], ['cpu', ''])
})

test('cuda:0 asked for and missing: the path and the words of the loader', async () => {
  const path = join(folder, 'nowhere.so')
  const { stdout } = await child(OPENS, { env: { TRANSWELD_DEVICE: 'cuda:0', TRANSWELD_CUDA_LIBRARY: path } })
  assert.match(stdout, /^ERR_DEVICE_MISSING expected TRANSWELD_DEVICE cuda:0 but it is not here; .*nowhere\.so: cannot open shared object file.*doctor/)
  const byName = await child('try { openDevice("cuda:0") } catch (error) { console.log(error.code) }', { env: { TRANSWELD_CUDA_LIBRARY: path } })
  assert.is(byName.stdout.trim(), 'ERR_DEVICE_MISSING')
})

test('without TRANSWELD_CUDA_LIBRARY both places are tried, until one loads', async () => {
  const { stdout } = await child('console.log(JSON.stringify(devices().refused))', { env: ALONE })
  const refused = JSON.parse(stdout) as { path: string, reason: string }[]
  const built = existsSync(join(root(), 'build-cuda/Release/transweld_cuda.so'))
  assert.is(refused.length, built ? 1 : 2, stdout)
  assert.ok(refused.every(({ path, reason }) => path.endsWith('transweld_cuda.so') && /cannot open shared object file/.test(reason)), stdout)
})

test('a wrong variable is an error that names it', async () => {
  for (const [name, value] of [['TRANSWELD_DEVICE', 'gpu'], ['TRANSWELD_ISA', 'sse9'], ['TRANSWELD_THREADS', 'many'], ['TRANSWELD_THREADS', '0']] as const) {
    const { stdout } = await child(OPENS, { env: { [name]: value } })
    assert.match(stdout, /^ERR_INVALID_ARGUMENT /)
    assert.match(stdout, name)
  }
})

test('a damaged library is refused with the words of the loader', async () => {
  const path = join(folder, 'damaged.so')
  writeFileSync(path, 'not a library')
  const { refused, devices } = await report(path)
  assert.is(refused.length, 1)
  assert.match(refused[0]!.reason, /damaged\.so/)
  assert.equal(devices.map(one => one.device), ['cpu'])
})

compiled('a library of somebody else', async () => {
  const { refused } = await report(library('foreign', 'int somebody(void) { return 1; }'))
  assert.match(refused[0]!.reason, /undefined symbol: transweld_table/)
})

compiled('a library that refuses our contract', async () => {
  const { refused } = await report(library('refusing', '#include "op_table.h"\nconst tw_op_table* transweld_table(uint32_t abi) { (void)abi; return 0; }'))
  assert.match(refused[0]!.reason, new RegExp(`refuses contract ${OURS} .* another version`))
})

const OURS = Number(/#define TW_ABI (\d+)u/.exec(readFileSync(join(root(), 'src/op_table.h'), 'utf8'))![1])

const TABLE = (version: string, size: string) => `
#include "op_table.h"
static uint32_t none(tw_device* out, uint32_t room, char* why, uint32_t bytes) {
  (void)out; (void)room; const char* words = "the driver is too old"; for (uint32_t i = 0; i < bytes; i++) if (!(why[i] = words[i])) break; return 0; }
static tw_op_table table = {.abi_version = ${version}, .struct_size = ${size}, .devices = none};
const tw_op_table* transweld_table(uint32_t abi) { (void)abi; return &table; }`

compiled('a library of another contract, or with a shorter table', async () => {
  const newer = await report(library('newer', TABLE('TW_ABI + 1', 'sizeof(tw_op_table)')))
  assert.match(newer.refused[0]!.reason, new RegExp(`speaks contract ${OURS + 1} .* but contract ${OURS} `))
  const shorter = await report(library('shorter', TABLE('TW_ABI', '64')))
  assert.match(shorter.refused[0]!.reason, new RegExp(`a table of 64 bytes, but contract ${OURS} with a table of \\d+ bytes is needed`))
})

compiled('a good library that finds no device says why', async () => {
  const path = library('empty', TABLE('TW_ABI', 'sizeof(tw_op_table)'))
  const { refused, devices, notes } = await report(path)
  assert.equal(refused, [])
  assert.equal(devices.map(one => one.device), ['cpu'])
  assert.ok(notes.includes('cuda: the driver is too old'), notes.join())
  const { stdout } = await child(OPENS, { env: { TRANSWELD_DEVICE: 'cuda:0', TRANSWELD_CUDA_LIBRARY: path } })
  assert.match(stdout, /^ERR_DEVICE_MISSING .*the driver is too old/)
})

test.run()
