// One name for an op everywhere: its entry in the contract, its arguments, its CPU and its CUDA file, its function in
// lib/tensor/ops.ts, its test and its row in the bench share one stem, so that one search finds all of them.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { code, files, none, read } from './sources.ts'

const contract = code(read('src/op_table.h'), { quotes: false })
const stems = [...contract.matchAll(/^\s*tw_op\s+([^;]+);/gm)].flatMap(match => match[1]!.split(',').map(name => name.replace('*', '').trim()))
const camel = (stem: string) => stem.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase())

test('the contract lists its ops', () => {
  assert.ok(stems.length >= 15, `only ${stems.join(' ')} read`)
  assert.is(new Set(stems).size, stems.length)
  for (const verb of ['sparse_encode', 'sparse_decode', 'sparse_sample', 'feature_major', 'sparse_scatter']) assert.ok(stems.includes(verb), verb)
})

/** Those of the stems for which `holds` is false. */
const missing = (holds: (stem: string) => boolean) => stems.filter(stem => !holds(stem))

test('arguments in the contract', () => none(missing(stem => contract.includes(`} tw_${stem}_args;`))))

test('a file in src/cpu', () => {
  const paths = files(['src/cpu'], ['.cc'])
  none(missing(stem => paths.includes(`src/cpu/${stem}.cc`)))
})

test('a file in cuda', () => {
  const paths = files(['cuda'], ['.cu'])
  none(missing(stem => paths.includes(`cuda/${stem}.cu`)))
})

test('a function in lib/tensor/ops.ts', () => {
  const ops = code(read('lib/tensor/ops.ts'), { quotes: true })
  none(missing(stem => new RegExp(`\\b${camel(stem)}\\b`).test(ops)))
})

test('a test in test/ops', () => {
  const paths = files(['test/ops'], ['.test.ts'])
  none(missing(stem => paths.includes(`test/ops/${stem}.test.ts`)))
})

test('a row in the bench', () => {
  const text = files(['bench'], ['.ts']).map(read).join('\n')
  none(missing(stem => new RegExp(`\\b(${stem}|${camel(stem)})\\b`).test(text)))
})

test.run()
