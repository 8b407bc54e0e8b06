// Who may import whom: arrows in lib/ go only towards native, and each corner of the C++ sources sees only its own headers.
import { posix } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { code, files, none, read } from './sources.ts'

/** Folders of lib/ in the order of dependency: each may import from those before it. */
const ORDER = ['native', 'tensor', 'safetensors', 'tokenizer', 'hub', 'text', 'optim', 'model', 'transcoder', 'train', 'evaluate', 'view', 'cli']
/** What may be imported from other packages, and where. */
const PACKAGES: Record<string, RegExp> = {
  'node-gyp-build': /^lib\/native\//,
  '@huggingface/jinja': /^lib\/tokenizer\//,
  '@huggingface/hub': /^lib\/hub\//,
  commander: /^lib\/cli\//,
}
const CONTRACT = ['src/op_table.h', 'src/view.h', 'src/status.h', 'src/expect.h', 'src/narrow.h']
const HOST_SEAM = 'cuda_on_host.h'   // the emulation's header: only cuda/device knows that there are two compilers

const folder = (path: string) => path.split('/').length > 2 ? path.split('/')[1]! : ''

/** The broken rule, or ''. `path` is a file of lib/, `target` what its import line says. */
function broken(path: string, target: string): string {
  if (target.startsWith('node:')) return ''
  if (!target.startsWith('.')) {
    const where = PACKAGES[target]
    if (!where) return `the package is not one of ${Object.keys(PACKAGES).join(', ')}`
    return where.test(path) ? '' : `only ${where.source} may import it`
  }
  if (!target.endsWith('.ts')) return "own files are imported as './name.ts'"
  const to = posix.normalize(posix.join(posix.dirname(path), target))
  if (!to.startsWith('lib/')) return 'it lies outside lib/'
  if (to === 'lib/index.ts') return 'nobody imports lib/index.ts'
  if (path === 'lib/index.ts' || folder(path) === folder(to)) return ''
  const allowed = ORDER.slice(0, ORDER.indexOf(folder(path)))
  return allowed.includes(folder(to)) ? '' : `${folder(path)} may import ${allowed.join(' ') || 'nothing outside itself'}`
}

/** What the import, export-from and require lines of TypeScript name. */
function imports(text: string): string[] {
  const plain = code(text, { quotes: false })
  const bare = code(text, { quotes: true }) // tells a keyword from the same word in quotes
  return [...plain.matchAll(/\b(?:from|import|require)\s*\(?\s*'([^'\n]+)'/g)]
    .filter(match => bare.startsWith(match[0].slice(0, 4), match.index)).map(match => match[1]!)
}

/** What the #include lines of C++ name, with their delimiter. */
function includes(text: string): string[] {
  return [...code(text, { quotes: false }).matchAll(/^\s*#\s*include\s*(["<][^">\n]+)[">]/gm)].map(match => match[1]!)
}

test('the reader of import lines sees every form and no comment', () => {
  const text = "import a from './a.ts'\nimport type { B } from \"./b.ts\"\nexport * from './c.ts'\n// import './no.ts'\n"
    + "/** import { x } from 'transweld' */\nconst d = await import('./d.ts')\nconst e = require('e')\nconst s = `// ${1}`; import './f.ts'\nf('from', 'g')\n"
  assert.equal(imports(text.replaceAll('"', "'")), ['./a.ts', './b.ts', './c.ts', './d.ts', 'e', './f.ts'])
  assert.equal(includes('#include "x.h"\n// #include <no.h>\n#  include <napi.h>\n'), ['"x.h', '<napi.h'])
})

test('the law itself can be broken', () => {
  assert.is(broken('lib/tensor/ops.ts', '../native/check.ts'), '')
  assert.is.not(broken('lib/native/check.ts', '../tensor/ops.ts'), '')
  assert.is.not(broken('lib/text/list.ts', '../train/loop.ts'), '')
  assert.is.not(broken('lib/cli/main.ts', '../index.ts'), '')
  assert.is.not(broken('lib/model/model.ts', 'node-gyp-build'), '')
  assert.is.not(broken('lib/model/model.ts', './config.js'), '')
})

test('lib/: every folder is known, every arrow points towards native', () => {
  const sources = files(['lib'], ['.ts'])
  assert.ok(sources.length > 10, `only ${sources.length} files seen`)
  const unknown = [...new Set(sources.map(folder))].filter(name => name && !ORDER.includes(name))
  none(unknown.map(name => `lib/${name} has no place in the order`))
  let seen = 0
  const found = sources.flatMap(path => imports(read(path)).flatMap(target => {
    seen++
    const rule = broken(path, target)
    return rule ? [`${path} imports '${target}': ${rule}`] : []
  }))
  assert.ok(seen > 10, `only ${seen} imports seen`)
  none(found)
})

/** The rule that an #include line of `path` breaks, or ''. `target` is the name with its opening delimiter. */
function brokenInclude(path: string, target: string, sources: readonly string[]): string {
  const name = target.slice(1)
  const bound = path.startsWith('src/bind/')
  if (/^(napi|node_api|js_native_api|node|v8|uv)[.\w-]*\.h$/.test(name)) return bound ? '' : 'only src/bind may see Node'
  if (/^cuda/.test(name) && !name.includes('/')) {
    if (name === HOST_SEAM) return path.startsWith('cuda/device/') ? '' : 'only cuda/device may see the emulation'
    return path.startsWith('cuda/') && name === 'cuda_runtime.h' ? '' : 'only cuda/ sees CUDA, and of it cuda_runtime.h alone'
  }
  if (/^<(cublas|cudnn|cutlass|cute|cub|thrust|nv|mma|cooperative_groups)[/._L]/.test(target)) return 'the kernels are our own'
  if (target.startsWith('<')) return ''
  const to = [posix.join(posix.dirname(path), name), `src/${name}`].map(candidate => posix.normalize(candidate))
    .find(candidate => sources.includes(candidate))
  if (!to) return 'there is no such file beside it or in src/'
  const backend = /^(src\/cpu|cuda)\//.exec(path)?.[0]
  if (backend) return to.startsWith(backend) || CONTRACT.includes(to) ? '' : `a backend sees ${CONTRACT.join(', ')} and its own folder`
  return to.startsWith('src/bind/') && !bound ? 'nothing below sees the binding' : ''
}

test('the law of #include lines can be broken', () => {
  const sources = ['src/op_table.h', 'src/registry.h', 'src/bind/args.h', 'src/cpu/lanes.h']
  assert.is(brokenInclude('src/cpu/x.cc', '"lanes.h', sources), '')
  assert.is(brokenInclude('src/cpu/x.cc', '"../op_table.h', sources), '')
  assert.is(brokenInclude('src/bind/x.cc', '<napi.h', sources), '')
  assert.is(brokenInclude('cuda/x.cu', '<cuda_runtime.h', sources), '')
  assert.is(brokenInclude('cuda/x.cu', '"../src/op_table.h', sources), '')
  assert.is(brokenInclude('cuda/device/x.h', '"cuda_on_host.h', sources), '')
  assert.is.not(brokenInclude('cuda/x.cu', '"cuda_on_host.h', sources), '')
  assert.is.not(brokenInclude('cuda/x.cu', '<cublas_v2.h', sources), '')
  assert.is.not(brokenInclude('cuda/x.cu', '<cub/cub.cuh', sources), '')
  assert.is.not(brokenInclude('cuda/x.cu', '<cuda_fp16.h', sources), '')
  assert.is.not(brokenInclude('cuda/x.cu', '"../src/cpu/lanes.h', sources), '')
  assert.is.not(brokenInclude('src/cpu/x.cc', '<cuda_runtime.h', sources), '')
  assert.is.not(brokenInclude('src/cpu/x.cc', '<napi.h', sources), '')
  assert.is.not(brokenInclude('src/cpu/x.cc', '"registry.h', sources), '')
  assert.is.not(brokenInclude('src/registry.cc', '"bind/args.h', sources), '')
  assert.is.not(brokenInclude('src/registry.cc', '"gone.h', sources), '')
})

test('src/: a backend sees the contract alone, and only src/bind sees Node', () => {
  const sources = files(['src', 'cuda'], ['.cc', '.h', '.cu', '.cuh'])
  assert.ok(sources.some(path => path.startsWith('src/cpu/')) && sources.some(path => path.startsWith('src/bind/')))
  none(sources.flatMap(path => includes(read(path)).flatMap(target => {
    const rule = brokenInclude(path, target, sources)
    return rule ? [`${path} includes ${target}: ${rule}`] : []
  })))
})

test.run()
