// The CUDA library as it was built here: one exported symbol, an old enough C library, no file of NVIDIA's, its size; and its hot
// kernels keep their sums in registers: a spilled one is a kernel several times slower than its plan, and no test of values sees it.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { CUDA, faults, shared } from './elf.ts'
import { none, read, root } from './sources.ts'
import { allUsages, kernelOf, unread, usages } from './usage.ts'

const LIBRARY = join(root, 'build-cuda/Release/transweld_cuda.so')
const MOST_BYTES = 8e6
const HOT = /^(sparse_encode|sparse_decode|sparse_sample|sparse_scatter|matmul|attend)\.cu$/

const reason = unread()
if (reason) console.log(`skipped: ${reason}`)
const built = reason ? test.skip : test

test('the words of ptxas are read', () => {
  const entry = '_ZN9transweld46_GLOBAL__N__006bb00b_13_embed_rows_cu_0eb5e50421embed_rows_add_kernelILi1EffEEvNS_4WalkE'
  const text = `ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function '${entry}' for 'sm_80'
ptxas info    : Function properties for ${entry}
    16 bytes stack frame, 4 bytes spill stores, 8 bytes spill loads
ptxas info    : Used 36 registers, used 0 barriers, 16 bytes cumulative stack size, 488 bytes cmem[0]
ptxas info    : Compile time = 27.612 ms
`
  assert.equal(usages(text + text.replace('sm_80', 'sm_90a')), ['sm_80', 'sm_90a'].map(code =>
    ({ kernel: 'embed_rows_add_kernel', code, stackBytes: 16, spillBytes: 12, registers: 36 })))
  assert.is(kernelOf('_ZN9transweld4deep11fill_kernelEPfm'), 'fill_kernel')
})

built('exports, libraries, versions', () => none(faults(shared(LIBRARY), CUDA)))

built('every symbol that the C library renewed is bound to its old version', () => {
  // The first link, without the floor, breaks the law: so the second is the one that mends it.
  const plain = faults(shared(join(root, 'build-cuda/floor/transweld_cuda_unfloored.so')), CUDA)
  assert.ok(plain.length === 0 || plain.some(fault => /asks for GLIBC_/.test(fault)), plain.join())
  assert.ok(shared(LIBRARY).versions.length > 0)
})

built(`at most ${MOST_BYTES / 1e6} MB, stripped`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'transweld-strip-'))
  try {
    execFileSync('strip', ['--strip-unneeded', '-o', join(folder, 'stripped.so'), LIBRARY])
    const { size } = statSync(join(folder, 'stripped.so'))
    assert.ok(size > 1e5 && size <= MOST_BYTES, `${size} bytes`)
  } finally { rmSync(folder, { recursive: true }) }
})

built('machine code of four architectures for every kernel, and words about all of them', () => {
  const all = allUsages()
  const { cuda } = JSON.parse(read('sources.json')) as { cuda: string[] }
  assert.equal([...all.keys()].sort(), cuda.map(path => path.slice('cuda/'.length)).sort())
  const found = [...all].filter(([file]) => !/^(table|context)\.cu$/.test(file)).flatMap(([file, list]) => {
    const kernels = [...new Set(list.map(one => one.kernel))]
    if (!kernels.length) return [`${file} has no kernel`]
    return kernels.filter(kernel => !['sm_80', 'sm_90a', 'sm_100', 'sm_120'].every(code => list.some(one => one.kernel === kernel && one.code === code)))
      .map(kernel => `${file}: ${kernel} is not there for every architecture`)
  })
  none(found)
})

built('no hot kernel spills a register', () => {
  const hot = [...allUsages()].filter(([file]) => HOT.test(file))
  assert.is(hot.length, 6)
  none(hot.flatMap(([file, list]) => list.filter(one => one.spillBytes > 0)
    .map(one => `${file}: ${one.kernel} for ${one.code}: ${one.spillBytes} bytes spilled, ${one.registers} registers`)))
})

test.run()
