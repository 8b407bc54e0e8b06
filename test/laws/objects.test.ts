// The built addon: no instruction-set object may lend its code to the rest of the program, two symbols leave it, and it
// loads wherever Node 20 does.
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ADDON, CUDA, faults, shared } from './elf.ts'
import { files, none, read, root } from './sources.ts'

const BUILT = 'build/Release/transweld.node'

const onLinux = process.platform === 'linux' ? test : test.skip // ELF and binutils

onLinux('instruction-set objects define no weak symbol', () => {
  // A weak (W, V) or unique (u) symbol may be the copy that the linker keeps for everybody: an inline function compiled
  // for AVX-512 then runs on a chip without it.
  const { isa } = JSON.parse(read('sources.json')) as { isa: string[] }
  const objects = files(['build/Release/obj.target'], ['.o']).filter(path => /\/isa_\w+\/src\//.test(path))
    .filter(path => isa.some(source => path.endsWith(source.replace(/\.cc$/, '.o'))))
  const variants = process.arch === 'x64' ? 5 : 1
  assert.is(objects.length, isa.length * variants, `${objects.length} objects of ${isa.length} sources`)
  assert.ok(objects.length > 0)
  const weak = objects.flatMap(path => execFileSync('nm', [join(root, path)], { encoding: 'utf8' }).split('\n')
    .filter(line => / [WVu] /.test(line)).map(line => `${path}: ${line.slice(17)}`))
  none(weak)
})

onLinux('the addon: exports, libraries, versions', () => {
  none(faults(shared(join(root, BUILT)), ADDON))
})

onLinux('the reader of shared libraries finds each fault', () => {
  const sound = shared(join(root, BUILT))
  const bad = [
    { ...sound, exports: [...sound.exports, 'stray'] },
    { ...sound, needed: [...sound.needed, 'libgomp.so.1'] },
    { ...sound, versions: [...sound.versions, 'GLIBC_2.34'] },
    { ...sound, versions: [...sound.versions, 'GLIBCXX_3.4.30'] },
    { ...sound, versions: [...sound.versions, 'CXXABI_1.3.13'] },
    { ...sound, versions: [] },
    { ...sound, tags: [...sound.tags, 'RUNPATH'] },
    { ...sound, tags: [...sound.tags, 'TEXTREL'] },
    { ...sound, flags: ['NOW'] },
    { ...sound, flags: ['NODELETE'] },
  ]
  for (const library of bad) assert.is(faults(library, ADDON).length, 1, JSON.stringify(faults(library, ADDON)))
  assert.is(faults(sound, CUDA).length, 1)
})

test.run()
