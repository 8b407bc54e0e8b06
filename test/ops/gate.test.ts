// gate: every activation over its whole range, in place or not.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { gate } from '../../lib/tensor/ops.ts'
import { each } from './backend.ts'
import { random } from './cases.ts'
import { gate as truth, matrix } from './reference.ts'
import { close, expected, sameBits } from './tolerance.ts'

const ACTIVATIONS = ['linear', 'relu', 'geluTanh', 'geluErf', 'silu', 'quickGelu'] as const

for (const activation of ACTIVATIONS) {
  each(`${activation}: shapes, in place or not`, async b => {
    for (const [rows, width] of [[1, 1], [0, 4], [3, 7], [31, 33], [2, 5000]] as const) {
      const left = random(1, rows, width, -6, 6), right = random(2, rows, width), out = b.room(rows, width)
      gate({ a: b.up(left), b: b.up(right), activation, out })
      const apart = await b.down(out)
      close(`${rows}×${width}`, apart, expected(r => truth(activation, left, right, r).data))
      const a = b.up(left), second = b.up(right)
      gate({ a, b: b.up(right), activation, out: a })
      sameBits('out is a', await b.down(a), apart)
      gate({ a: b.up(left), b: second, activation, out: second })
      sameBits('out is b', await b.down(second), apart)
    }
  })

  each(`${activation}: the whole range`, async b => {
    const special = [-3e38, 3e38, -1e4, 1e4, -100, 100, -88.8, -89, -104, 1e-30, -1e-30, 1e-44, -1e-44, -0, 0, Infinity, -Infinity, NaN].map(Math.fround)
    const values = [...Array.from({ length: 2600 }, (_, i) => Math.fround((i - 1300) / 50)), ...special]
    const a = matrix(values.length, 1, values), ones = matrix(values.length, 1, () => 1), out = b.room(values.length, 1)
    gate({ a: b.up(a), b: b.up(ones), activation, out })
    const actual = await b.down(out), wanted = expected(r => truth(activation, a, ones, r).data, 2)   // neighbours share their error
    values.forEach((x, i) => {
      const one = (all: Float64Array): Float64Array => all.subarray(i, i + 1)
      close(`${activation}(${x})`, [actual[i]!], { truth: one(wanted.truth), plain: one(wanted.plain), allowed: one(wanted.allowed) })
    })
    if (activation !== 'linear') assert.is(Math.abs(actual[values.indexOf(-Infinity)]!), 0)
  })
}

each('an element has the same bits wherever it stands', async b => {
  const left = random(3, 40, 50, -9, 9), right = random(4, 40, 50), out = b.room(40, 50), row = b.room(1, 2000)
  gate({ a: b.up(left), b: b.up(right), activation: 'silu', out })
  gate({ a: b.up(matrix(1, 2000, left.data)), b: b.up(matrix(1, 2000, right.data)), activation: 'silu', out: row })
  sameBits('one long row', await b.down(row), await b.down(out))
})

test.run()
