// What the sources of the CUDA backend may not say. One compiler's dialect, two compilers: only cuda/device knows which one reads.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { breaches, code, files, none, read } from './sources.ts'

interface Law { readonly why: string, readonly breach: RegExp, readonly allowed?: RegExp }

const DEVICE = /^cuda\/device\//
const CONTEXT = /^cuda\/(table\.cu|context\.(cu|h))$/
const OWN_MATHS = ['__(exp|exp10|log|log2|log10|pow|sin|cos|tan|tanh)f', '__fdividef', '__frsqrt_rn', '__frcp_rn', 'rsqrtf',
  '(exp|exp2|log|log2|log1p|expm1|tanh|erf|erfc|pow)f']

const LAWS: readonly Law[] = [
  { why: 'which lanes are active is the scheduler\'s affair: name the mask', breach: /__activemask/ },
  { why: 'the order of atomic float additions is not fixed, so the bits would not be',
    breach: /\batomicAdd(_\w+)?\s*(\(\s*\(?|<\s*)(float|double)\b/ },
  { why: 'a kernel prints nothing and stops nothing: it reports a fault', breach: /\b(printf|assert|__trap)\s*\(/ },
  { why: 'nobody spins on memory: blocks do not wait for each other', breach: /(?<!\basm )\bvolatile\b/, allowed: CONTEXT },
  { why: 'only cuda/device knows which compiler reads',
    breach: /^\s*#\s*(if|ifdef|ifndef|elif)\b|__CUDA_ARCH|TRANSWELD_CUDA_ON_HOST/, allowed: DEVICE },
  { why: 'instructions are named in cuda/device', breach: /\basm\b/, allowed: DEVICE },
  { why: 'kernels are launched by launch(), which says what went wrong', breach: /<<</, allowed: /^cuda\/device\/launch\.h$/ },
  { why: 'memory, streams and waiting belong to the context',
    breach: /\bcuda(Malloc|Free|Memcpy|Stream\w+\(|Event\w+\(|DeviceSynchronize)/, allowed: CONTEXT },
  { why: 'the contract has its own exp, log, tanh and erf, and no approximate division or root',
    breach: new RegExp(`\\b(${OWN_MATHS.join('|')})\\s*\\(`) },
]

/** The laws that a text breaks, each with the place and the reason. */
function broken(path: string, text: string): string[] {
  const bare = code(text, { quotes: true })
  return LAWS.filter(({ allowed }) => !allowed?.test(path))
    .flatMap(({ why, breach }) => breaches(path, bare, breach).map(place => `${place}  (${why})`))
}

test('each law can be broken, and a comment breaks none', () => {
  const planted = ['x = __activemask();', 'atomicAdd((float*)p, v);', 'assert(n > 0);', 'volatile int* flag = p;', '#ifdef __CUDA_ARCH__',
    'asm volatile("x");', 'run<<<1, 32>>>(p);', 'cudaStreamSynchronize(s);', 'y = expf(x);']
  assert.is(planted.length, LAWS.length)
  planted.forEach((line, i) => {
    assert.is(broken('cuda/x.cu', `${line}\n`).length, 1, line)
    assert.ok(broken('cuda/x.cu', `${line}\n`)[0]!.includes(LAWS[i]!.why), line)
    assert.is(broken('cuda/x.cu', `// ${line}\n`).length, 0, line)
  })
  assert.is(broken('cuda/device/x.h', 'asm volatile("x");\n').length, 0)
})

test('the kernels keep the laws', () => {
  const paths = files(['cuda'], ['.cu', '.h'])
  assert.ok(paths.length > 20, `only ${paths.length} files seen`)
  none(paths.flatMap(path => broken(path, read(path))))
})

test('the emulation has no atomic addition of floats: one would not compile', () => {
  const atomics = code(read('test/cuda_on_host/atomics.h'), { quotes: true })
  assert.match(atomics, /atomicAdd/)
  none(breaches('test/cuda_on_host/atomics.h', atomics, /\b(float|double)\b(?!.*= delete;)/))
})

test.run()
