// One contract, three pages: src/op_table.h, the addon's rows (offsets taken by the compiler), and lib/native/abi.ts.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import * as ops from '../../lib/tensor/ops.ts'
import { DTYPES, SIGNATURES } from '../../lib/native/abi.ts'
import { native, root } from '../../lib/native/load.ts'
import { DTYPE_CODE } from '../../lib/tensor/dtype.ts'

const header = readFileSync(join(root(), 'src/op_table.h'), 'utf8').replace(/\/\*[^]*?\*\//g, '')
const rows = native().signatures()
const VIEW_BYTES = 40

/** Fields of `typedef struct tw_<name> { ... }`, in order, with nested structs and arrays spelled out. */
function fieldsOf(struct: string): string[] {
  const body = new RegExp(`typedef struct ${struct} \\{([^]*?)\\} ${struct};`).exec(header)?.[1]
  assert.ok(body, `${struct} in op_table.h`)
  return body.split(';').map(line => line.trim()).filter(Boolean).flatMap(declaration => {
    const [, type, names] = /^(\w+)\s+([^]*)$/.exec(declaration)!
    return names!.split(',').flatMap(part => {
      const [, name, count] = /^(\w+)(?:\[(\d+)\])?$/.exec(part.trim())!
      const all = count ? Array.from({ length: Number(count) }, (_, i) => `${name}[${i}]`) : [name!]
      return all.flatMap(one => type === 'tw_pattern' || type === 'tw_term' ? fieldsOf(type).map(inner => `${one}.${inner}`) : [one])
    })
  }).filter(name => name !== 'size' && name !== 'reserved')
}

test('the addon binds the ops of lib/native/abi.ts, in order, field by field', () => {
  assert.equal(rows.map(row => row.name), Object.keys(SIGNATURES))
  for (const row of rows) {
    assert.equal(row.fields.map(field => `${field.kind} ${field.name}`), [...SIGNATURES[row.name as keyof typeof SIGNATURES]], row.name)
  }
})

test('the addon binds every field of op_table.h, in order', () => {
  for (const row of rows) assert.equal(row.fields.map(field => field.name), fieldsOf(`tw_${row.name}_args`), row.name)
})

test('the ops of op_table.h are the ops of the addon', () => {
  const entries = [...header.matchAll(/^ {2}tw_op ([^;]*);/gm)].flatMap(match => match[1]!.split(',').map(name => name.trim().replace('*', '')))
  assert.equal(entries, rows.map(row => row.name))
})

test('offsets ascend without a gap that a field could hide in', () => {
  for (const { name, bytes, fields } of rows) {
    let end = 4
    for (const field of fields) {
      const size = /^(in|out|inout)/.test(field.kind) ? VIEW_BYTES : field.kind === 'u64' ? 8 : 4
      assert.ok(field.offset >= end && field.offset - end <= 4, `${name}.${field.name} at ${field.offset} after ${end}`)
      end = field.offset + size
    }
    assert.ok(bytes >= end && bytes - end <= 4, `${name} ends at ${end} of ${bytes}`)
  }
})

test('every op has its function', () => {
  for (const { name } of rows) {
    const camel = name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase())
    assert.type((ops as unknown as Record<string, unknown>)[camel], 'function', camel)
  }
})

test('dtype codes are those of view.h', () => {
  const view = readFileSync(join(root(), 'src/view.h'), 'utf8')
  for (const [name, code] of Object.entries(DTYPE_CODE)) {
    assert.match(view, new RegExp(`TW_${name.toUpperCase()} = ${code}\\b`))
    assert.is(DTYPES[code], name)
  }
})

test('a call with the wrong numbers is refused, never read past', () => {
  const device = native().open('', 0, 0)
  const owner = {}, block = native().alloc(device, 64, owner), reduce = Object.keys(SIGNATURES).indexOf('reduce_rows')
  const call = (...numbers: number[]) => () => native().enqueue(device, reduce, Float64Array.from(numbers), numbers.length)
  const view = [block, 0, 1, 4, 4, 0], out = [block, 8, 1, 4, 4, 0]
  call(1, ...view, ...out)()
  assert.throws(call(1, ...view), /fewer numbers/)
  assert.throws(call(1, ...view, ...out, 1), /more numbers/)
  assert.throws(call(1, ...view, -1), /reduce_rows needs out/)
  assert.throws(() => native().enqueue(device, reduce, new Float64Array(2), 13), /fewer numbers/)
  assert.throws(() => native().enqueue(device, 99, new Float64Array(2), 2), /no such op/)
  for (const bad of [[block, 0, 1, 17, 17, 0], [block, 13, 1, 4, 4, 0], [block, 0, 5, 4, 4, 0], [block, 0, 2, 4, 2 ** 53, 0], [block, 0, 2 ** 53, 1, 1, 0],
    [block, 2 ** 53, 1, 1, 1, 0], [block, 0, 1, 9, 9, 5], [block, 0, 2, 4, 3, 0]]) assert.throws(call(1, ...bad, ...out), /inside its block/, String(bad))
  for (const bad of [[block, 0.5, 1, 1, 1, 0], [block, -1, 1, 1, 1, 0], [block, NaN, 1, 1, 1, 0], [block, 0, 1, 1, 1, 6]]) assert.throws(call(1, ...bad, ...out))
  assert.throws(call(1, block + 1, 0, 1, 1, 1, 0, ...out), /disposed/)
  assert.throws(call(1, block + 2 ** 24, 0, 1, 1, 1, 0, ...out), /disposed/)
  assert.throws(call(1, NaN, 0, 1, 1, 1, 0, ...out))
  native().release(block)
  assert.throws(call(1, ...view, ...out), /disposed/)
  native().close(device)
  assert.throws(call(1, ...view, ...out), /disposed/)
})

test.run()
