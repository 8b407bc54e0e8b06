// axpy: alpha·x + beta·y, a single row used for all, in place or not.
import { test } from 'uvu'
import { axpy } from '../../lib/tensor/ops.ts'
import { each } from './backend.ts'
import { random } from './cases.ts'
import { axpy as truth } from './reference.ts'
import { close, expected, sameBits } from './tolerance.ts'

const alpha = Math.fround(0.7), beta = Math.fround(-1.3)

each('whole, one row against many, and without y', async b => {
  for (const [rows, width] of [[1, 1], [0, 4], [3, 7], [31, 33], [5, 257]] as const) {
    for (const [xRows, yRows] of [[rows, rows], [1, rows], [rows, 1], [rows, -1]] as const) {
      const x = random(1, xRows, width), y = yRows < 0 ? undefined : random(2, yRows, width)
      const out = b.room(rows, width)
      axpy({ alpha, beta, x: b.up(x), ...(y && { y: b.up(y) }), out })
      close(`${xRows} and ${yRows} rows of ${width}`, await b.down(out), expected(r => truth({ alpha, x, beta, ...(y && { y }), rows }, r).data))
    }
  }
})

each('in place', async b => {
  const x = random(3, 9, 35), y = random(4, 9, 35), apart = b.room(9, 35)
  axpy({ alpha, beta, x: b.up(x), y: b.up(y), out: apart })
  const wanted = await b.down(apart)
  const first = b.up(x), second = b.up(y)
  axpy({ alpha, beta, x: first, y: b.up(y), out: first })
  sameBits('out is x', await b.down(first), wanted)
  axpy({ alpha, beta, x: b.up(x), y: second, out: second })
  sameBits('out is y', await b.down(second), wanted)
})

test.run()
