// Whole or not there: failures, full disks and kills at any moment leave the old content and no litter.
import { fork, spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { TransweldError } from '../../lib/native/error.ts'
import { replaceFile, writeFolder } from '../../lib/safetensors/atomic.ts'
import { recover } from '../../lib/safetensors/leftover.ts'

const full = Object.assign(new Error('write'), { code: 'ENOSPC' })
const code = (promise: Promise<unknown>) => promise.then(() => 'done', (e: unknown) => e instanceof TransweldError ? `${e.code} ${e.message}` : e)

// A child that writes the same file and folder over and over until it is killed.
if (process.argv[2] === 'write for ever') {
  for (let i = 0; ; i++) {
    const text = String(i).repeat(200_000)
    await replaceFile(join(process.argv[3]!, 'file'), text)
    await writeFolder(join(process.argv[3]!, 'folder'), async f => { for (const name of 'abc') await writeFile(join(f, name), text) }, { replace: true })
    if (i === 0) process.send!('going')
  }
}
// A child whose files may have 64 KiB (1 KiB blocks by `ulimit -f`): to the program it looks like a full disk.
if (process.argv[2] === 'write too much') {
  process.on('SIGXFSZ', () => {})
  const said = await code(replaceFile(join(process.argv[3]!, 'file'), new Uint8Array(1 << 20)))
  process.stdout.write(String(said))
  process.exit()
}

let folder = ''
test.before.each(async () => { folder = await mkdtemp(join(tmpdir(), 'transweld-')) })
test.after.each(async () => { await rm(folder, { recursive: true }) })

test('replaceFile: text, bytes, a writer, and what was there before', async () => {
  const path = join(folder, 'file')
  await replaceFile(path, 'é')
  await replaceFile(path, Uint8Array.of(1, 2))
  assert.equal([...await readFile(path)], [1, 2])
  await replaceFile(path, async file => { await file.writeFile('three') })
  assert.is(await readFile(path, 'utf8'), 'three')
  assert.match(String(await code(replaceFile(path, async file => { await file.writeFile('half'); throw full }))), /^ERR_FILE cannot write .*: the disk is full \(ENOSPC\)/)
  assert.is(await readFile(path, 'utf8'), 'three')
  assert.match(String(await code(replaceFile(join(folder, 'no', 'file'), ''))), /ERR_FILE .*does not exist/)
  assert.match(String(await code(replaceFile(folder, ''))), /ERR_FILE/)
  assert.equal(await readdir(folder), ['file'])
})

test('many writers of one file at once: one of them wins, whole', async () => {
  const path = join(folder, 'file')
  await Promise.all(Array.from({ length: 20 }, (_, i) => replaceFile(path, String.fromCharCode(97 + i).repeat(100_000))))
  const text = await readFile(path, 'utf8')
  assert.is(text, text[0]!.repeat(100_000))
  assert.equal(await readdir(folder), ['file'])
})

test('writeFolder: filled, refused, replaced, failed', async () => {
  const path = join(folder, 'parent', 'step-1')
  await writeFolder(path, async f => { await mkdir(join(f, 'deep')); await writeFile(join(f, 'deep', 'x'), '1') })
  assert.is(await readFile(join(path, 'deep', 'x'), 'utf8'), '1')
  assert.match(String(await code(writeFolder(path, async () => {}))), /ERR_OUTPUT_EXISTS/)
  assert.match(String(await code(writeFolder(path, async f => { await writeFile(join(f, 'x'), '2'); throw full }, { replace: true }))), /ERR_FILE .*disk is full/)
  assert.equal(await readdir(path), ['deep'])
  await writeFolder(path, async f => { await writeFile(join(f, 'x'), '2') }, { replace: true })
  assert.equal(await readdir(path), ['x'])
  await mkdir(join(folder, 'empty'))
  await writeFolder(join(folder, 'empty'), async f => { await writeFile(join(f, 'x'), '3') })
  assert.equal((await readdir(folder)).sort(), ['empty', 'parent'])
  assert.equal(await readdir(join(folder, 'parent')), ['step-1'])
})

test('leftovers of the dead are taken away, of the living kept; a folder moved aside comes back', async () => {
  const dead = spawnSync(process.execPath, ['-e', '']).pid
  for (const name of [`.file.${dead}.0.0.partial`, `.file.${process.pid}.0.999.partial`, `.file.1.0.0.partial`, '.file.x.partial', '.other.1.0.0.partial']) await writeFile(join(folder, name), '')
  await replaceFile(join(folder, 'file'), 'new')
  assert.equal((await readdir(folder)).sort(), ['.file.1.0.0.partial', '.file.x.partial', '.other.1.0.0.partial', 'file'])
  await mkdir(join(folder, `.step.${dead}.0.1.old`))
  await mkdir(join(folder, `.step.${dead}.0.0.partial`))
  await recover(join(folder, 'step'))
  assert.ok((await readdir(folder)).includes('step'))
  await mkdir(join(folder, `.step.${dead}.0.3.old`))
  await recover(join(folder, 'step'))
  assert.not((await readdir(folder)).some(name => name.startsWith('.step')))
  await recover(join(folder, 'absent', 'path'))
})

test('a real write that fails half-way', async () => {
  if (process.platform === 'win32') return
  await writeFile(join(folder, 'file'), 'old')
  const self = fileURLToPath(import.meta.url)
  const child = spawnSync('/bin/bash', ['-c', 'ulimit -f 64; exec "$0" "$@"', process.execPath, self, 'write too much', folder], { encoding: 'utf8' })
  assert.match(child.stdout, /^ERR_FILE cannot write .*larger than this system allows/, child.stderr)
  assert.is(await readFile(join(folder, 'file'), 'utf8'), 'old')
  assert.equal(await readdir(folder), ['file'])
})

test('killed at random moments, file and folder are whole', async () => {
  const self = fileURLToPath(import.meta.url)
  for (let round = 0; round < 6; round++) {
    const child = fork(self, ['write for ever', folder])
    await new Promise(resolve => child.once('message', resolve))
    await new Promise(resolve => setTimeout(resolve, 3 + 7 * round))
    child.kill('SIGKILL')
    await new Promise(resolve => child.once('exit', resolve))
    await recover(join(folder, 'file'))
    await recover(join(folder, 'folder'))
    const [file, a, b, c] = await Promise.all(['file', 'folder/a', 'folder/b', 'folder/c'].map(name => readFile(join(folder, name), 'utf8')))
    assert.ok(file!.length % 200_000 === 0 && file === file!.slice(0, file!.length / 200_000).repeat(200_000))
    assert.ok(a === b && b === c && a!.length % 200_000 === 0)
    assert.equal((await readdir(folder)).sort(), ['file', 'folder'])
  }
})

test.run()
