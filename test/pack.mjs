// Proves the package, not the checkout: in a copy, makes the prebuilt addon and the tarball, with the CUDA library where this machine
// can build it; installs it into an empty folder with scripts off and again from the lock file; loads it by import and require
// and runs its command. Every claim is one check; the last line is `N passed, N failed, N skipped`.
import { spawn, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { missing, product } from './cmake.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const place = realpathSync(mkdtempSync(join(tmpdir(), 'transweld-pack-')))
const copy = join(place, 'copy')
const empty = join(place, 'user')
let passed = 0
let failed = 0
let skipped = 0
process.on('exit', () => rmSync(place, { recursive: true, force: true }))
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130))

function check(what, faults) {
  if (faults.length) failed++
  else passed++
  console.log(`${faults.length ? 'FAILED' : 'ok'}: ${what}`)
  for (const fault of faults) console.log(`  ${fault}`)
}
const close = () => {
  console.log(`\n${passed} passed, ${failed} failed, ${skipped} skipped`)
  process.exit(failed ? 1 : 0)
}

/** Runs a command of the chain; its output is shown when it fails, and what depends on it is then not tried. */
async function step(what, cwd, command, args, env = {}) {
  const start = Date.now()
  console.log(`${what} ...`)
  const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } })
  const said = { out: '', all: '' }
  child.stdout.setEncoding('utf8').on('data', chunk => { said.out += chunk; said.all += chunk })
  child.stderr.setEncoding('utf8').on('data', chunk => { said.all += chunk })
  const code = await new Promise(done => child.on('error', () => done(-1)).on('close', (status, signal) => done(status ?? signal)))
  console.log(`  ${((Date.now() - start) / 1000).toFixed(1)} s`)
  if (code !== 0) {
    console.log(said.all)
    check(what, [`ended with ${code}`])
    close()
  }
  return said
}

// Settings that npm hands down belong to this checkout, not to the folders below; the prefix would send installs back here.
for (const name of ['npm_config_local_prefix', 'npm_package_json', 'INIT_CWD']) delete process.env[name]
const npm = process.env.npm_execpath ? [process.execPath, process.env.npm_execpath] : ['npm']
const runNpm = (what, cwd, ...args) => step(what, cwd, npm[0], [...npm.slice(1), ...args], { npm_config_loglevel: 'warn', JOBS: 'max' })
const QUIET = ['--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline']

// The files that git knows or would add.
const listed = spawnSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'],
  { cwd: root, encoding: 'utf8', maxBuffer: 1 << 26 })
const tracked = listed.status === 0 ? [...new Set(listed.stdout.split('\0'))].filter(file => file && existsSync(join(root, file))) : []
check('the checkout has files', tracked.length > 20 ? [] : [`git lists ${tracked.length}: ${listed.stderr}`])
if (failed) close()
for (const file of tracked) {
  mkdirSync(dirname(join(copy, file)), { recursive: true })
  cpSync(join(root, file), join(copy, file))
}

await runNpm('packages of the copy', copy, 'ci', ...QUIET)
// The library is compiled in the checkout, where only what changed is, and lies in the copy as a build there leaves it.
const noCuda = missing('cuda')
if (noCuda) {
  skipped++
  console.log(`skipped: the CUDA library: ${noCuda}`)
} else {
  await step('CUDA library', root, process.execPath, ['test/cmake.mjs', 'cuda'])
  for (const file of [product('cuda'), 'build-cuda/.ready']) {
    mkdirSync(dirname(join(copy, file)), { recursive: true })
    cpSync(join(root, file), join(copy, file))
  }
}
await runNpm('prebuilt addon', copy, 'run', 'prebuilds')
const packing = await runNpm('tarball (builds dist/ from empty)', copy, 'pack', '--json')
const [tarball] = JSON.parse(packing.out.slice(packing.out.indexOf('[\n')))

/** Every file of the tarball has a reason to be there, and every module of lib/ is there. */
const ALLOWED = [/^package\.json$/, /^(README|LICENSE|CHANGELOG)(\.md)?$/, /^dist\/lib\/.+\.(js|d\.ts)$/, /^(src|cuda)\/.+/, /^docs\/.+\.md$/,
  /^prebuilds\/README\.md$/, /^prebuilds\/[a-z0-9]+-[a-z0-9]+\/transweld\.\w+\.node$/,
  /^prebuilds\/linux-[a-z0-9]+\/transweld_cuda\.so$/]
const names = tarball.files.map(file => file.path)
check('file list: nothing without a reason', names.filter(name => !ALLOWED.some(rule => rule.test(name))))
const modules = tracked.filter(file => /^lib\/.+\.ts$/.test(file)).map(file => `dist/${file.slice(0, -3)}`)
  .flatMap(stem => [`${stem}.js`, `${stem}.d.ts`])
const outputs = names.filter(name => name.startsWith('dist/'))
check('file list: dist/lib mirrors lib, no more and no less', [
  ...modules.filter(name => !names.includes(name)).map(name => `missing ${name}`),
  ...outputs.filter(name => !modules.includes(name)).map(name => `stale ${name}`),
  ...(modules.length ? [] : ['lib/ holds no module']),
])
const prebuilds = names.filter(name => name.endsWith('.node'))
const libraries = names.filter(name => name.endsWith('.so'))
check('file list: the essentials', ['package.json', 'README.md', 'LICENSE', 'dist/lib/index.js', 'dist/lib/cli/main.js', 'src/op_table.h']
  .filter(name => !names.includes(name)).map(name => `missing ${name}`).concat(prebuilds.length ? [] : ['no prebuilt addon']))
check(`file list: ${noCuda ? 'no' : 'one'} CUDA library, beside an addon`, noCuda ? libraries
  : libraries.length === 1 && prebuilds.some(name => dirname(name) === dirname(libraries[0])) ? [] : [`${libraries.join(' ') || 'none'}`])

if (process.platform === 'linux') {
  const { ADDON, CUDA, shared, faults } = await import(pathToFileURL(join(copy, 'dist/test/laws/elf.js')).href)
  for (const name of [...prebuilds, ...libraries]) {
    const library = shared(join(copy, name))
    check(`${name}: exports, libraries, versions`, faults(library, prebuilds.includes(name) ? ADDON : CUDA))
    console.log(`  ${library.versions.sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).join(' ')}`)
  }
}

mkdirSync(empty)
writeFileSync(join(empty, 'package.json'), '{ "name": "user", "private": true }\n')
await runNpm('install with scripts off', empty, 'install', ...QUIET, join(copy, tarball.filename))
const lockfile = readFileSync(join(empty, 'package-lock.json'), 'utf8')
check('no install script in the lock file', lockfile.includes('hasInstallScript') ? ['package-lock.json says hasInstallScript'] : [])
rmSync(join(empty, 'node_modules'), { recursive: true })
const again = await runNpm('npm ci from that lock file, scripts on', empty, 'ci', '--no-audit', '--no-fund', '--prefer-offline')
check('npm ci runs nothing', /gyp|install script/i.test(again.all) ? [again.all.trim()] : [])

writeFileSync(join(empty, 'use.mjs'), `import * as transweld from 'transweld'
import { createRequire } from 'node:module'
const required = createRequire(import.meta.url)('transweld')
const names = Object.keys(transweld)
if (!names.length || names.some(name => required[name] !== transweld[name])) throw new Error('import and require differ')
if (typeof transweld.devices === 'function') await transweld.devices()
console.log(names.length)
`)
const used = await step('import and require', empty, process.execPath, ['use.mjs'])
check('import and require give the same exports', Number(used.out) > 0 ? [] : [used.all])
// The strictest reader of the declarations: nothing in them may lean on settings of this project.
writeFileSync(join(empty, 'use.ts'), "import * as transweld from 'transweld'\nexport const names: string[] = Object.keys(transweld)\n")
writeFileSync(join(empty, 'tsconfig.json'), JSON.stringify({
  compilerOptions: { target: 'es2022', lib: ['es2022', 'esnext.disposable'], module: 'nodenext', strict: true, skipLibCheck: false, noEmit: true,
    exactOptionalPropertyTypes: true, types: ['node'], typeRoots: [join(copy, 'node_modules/@types')] },
  files: ['use.ts'],
}))
await step("types compile in a user's project", empty, process.execPath, [join(copy, 'node_modules/typescript/bin/tsc'), '-p', '.'])
check('types compile under nodenext without skipLibCheck', [])
const doctor = await step('npx transweld doctor --json', empty, npm[0],
  [...npm.slice(1), 'exec', '--offline', '--', 'transweld', 'doctor', '--json'])
check('doctor speaks JSON and loaded the installed prebuild', (() => {
  try {
    return JSON.stringify(JSON.parse(doctor.out)).includes(join(empty, 'node_modules/transweld/prebuilds')) ? [] : [doctor.out]
  } catch (error) {
    return [error.message, doctor.out]
  }
})())

if (libraries.length) {
  const report = JSON.parse(doctor.out)
  const note = report.notes.find(words => words.startsWith('cuda: ')) ?? ''
  const cards = report.devices.filter(one => one.device.startsWith('cuda:')).length
  check('the installed CUDA library loads, and says why it shows no device where it shows none', [
    ...(report.cuda.refused.length ? [`refused: ${JSON.stringify(report.cuda.refused)}`] : []),
    ...(cards || /\(cudaError\w+, \d+;/.test(note) ? [] : [`no device and no reason: ${JSON.stringify(report.notes)}`]),
    ...(cards || report.cuda.driver || /no NVIDIA driver/.test(note) ? [] : [note]),
  ])
  check('where it shows none, the CPU is the device', cards || report.used.device === 'cpu' ? [] : [JSON.stringify(report.used)])
}

const kB = bytes => `${(bytes / 1000).toFixed(0)} kB`
const installed = readdirSync(join(empty, 'node_modules'), { recursive: true })
  .map(name => statSync(join(empty, 'node_modules', String(name)))).filter(stat => stat.isFile()).reduce((sum, stat) => sum + stat.size, 0)
console.log(`\ntarball ${kB(tarball.size)}, unpacked ${kB(tarball.unpackedSize)}, ${names.length} files`)
console.log(`installed with its dependencies ${kB(installed)}`)
for (const name of [...prebuilds, ...libraries]) console.log(`${name} ${kB(statSync(join(copy, name)).size)}`)
close()
