// `npm run check`: what can be said about the code without running the product. That everything compiles, the examples of the
// documentation too; that the API pages are those of the sources; the laws of test/laws. The last line is
// `N passed, N failed, N skipped`.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

process.chdir(dirname(dirname(fileURLToPath(import.meta.url))))
const sum = { passed: 0, failed: 0, skipped: 0 }
const run = (...args) => spawnSync(process.execPath, args, { encoding: 'utf8', maxBuffer: 1 << 26 })
function report(what, ok, text = '') {
  sum[ok ? 'passed' : 'failed']++
  console.log(`${ok ? 'ok' : 'FAILED'}: ${what}`)
  if (!ok) console.log(text.trim())
}

/** Compiles the examples as a user's modules: 'transweld' is resolved through package.json's exports. */
function checkExamples(examples) {
  const found = examples(['README.md', 'CONTRIBUTING.md', ...readdirSync('docs').filter(name => name.endsWith('.md')).map(name => join('docs', name))])
  const folder = 'build/examples'
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  found.forEach(({ code }, i) => writeFileSync(join(folder, `example-${i}.ts`), `${code}\nexport {}\n`))
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({
    extends: '../../tsconfig.json',
    compilerOptions: { noEmit: true, incremental: false, tsBuildInfoFile: null, noUnusedLocals: false, rootDir: '../..', types: ['node'] },
    include: ['*.ts'],
  }))
  const { status, stdout, stderr } = run('node_modules/typescript/bin/tsc', '-p', folder)
  const text = `${stdout}${stderr}`.replace(/^\S*?example-(\d+)\.ts\((\d+),/gm, (_, i, line) => {
    const [file, start] = found[Number(i)].place.split(':')
    return `${file}:${Number(start) + Number(line) - 1} (`
  })
  report(`${found.length} examples of the documentation compile`, status === 0 && found.length > 0, text || 'no example found')
}

const ready = spawnSync(process.execPath, ['test/ready.mjs'], { stdio: 'inherit' })
report('packages, addon and TypeScript are built', ready.status === 0)
if (!sum.failed) {
  checkExamples((await import('../dist/test/docs/extract.js')).examples)
  const pages = run('docs/generate.mjs', '--check')
  report('the API pages are those of the sources', pages.status === 0, pages.stdout + pages.stderr)
  const laws = run('test/run.mjs', 'laws/')
  console.log(laws.stdout.trim().split('\n').slice(0, -1).join('\n').trim())
  const [, passed, failed, skipped] = /(\d+) passed, (\d+) failed, (\d+) skipped\s*$/.exec(laws.stdout) ?? [0, 0, 1, 0]
  sum.passed += Number(passed)
  sum.failed += Number(failed)
  sum.skipped += Number(skipped)
}
console.log(`\n${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`)
process.exitCode = sum.failed ? 1 : 0
