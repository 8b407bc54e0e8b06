// embed_rows: rows of a table, scaled or not, plus rows of positions; to the bit.
import { test } from 'uvu'
import { embedRows } from '../../lib/tensor/ops.ts'
import { each } from './backend.ts'
import { random, randomIntegers } from './cases.ts'
import { embedRows as truth, matrix, nearest, stored } from './reference.ts'
import { sameBits } from './tolerance.ts'

each('with and without positions, every storage', async b => {
  for (const [count, vocabulary, width] of [[1, 1, 1], [0, 3, 5], [7, 31, 33], [33, 5, 16], [5, 11, 257]] as const) {
    const ids = randomIntegers(1, count, vocabulary), places = randomIntegers(2, count, 9)
    for (const storage of ['f32', 'bf16', 'f16'] as const) {
      const table = random(3, vocabulary, width), positions = random(4, 9, width)
      const kept = { table: stored(table, storage), positions: stored(positions, storage) }
      const out = b.room(count, width)
      embedRows({ ids: b.ints(ids, 'u32'), table: b.up(table, storage), out })
      sameBits(`${storage} ${count}×${width}`, await b.down(out), truth({ ids, table: kept.table }, nearest).data)
      embedRows({ ids: b.ints(ids, 'u32'), table: b.up(table, storage), places: b.ints(places, 'u32'), positions: b.up(positions, storage), out })
      sameBits(`${storage} ${count}×${width} with positions`, await b.down(out), truth({ ids, ...kept, places }, nearest).data)
    }
  }
})

each('a scale, and integers with the scales of their rows', async b => {
  for (const [count, vocabulary, width] of [[1, 1, 1], [0, 3, 5], [7, 31, 33], [33, 5, 16], [5, 11, 259]] as const) {
    const ids = randomIntegers(1, count, vocabulary), places = randomIntegers(2, count, 9), scale = Math.fround(27.7)
    const table = random(3, vocabulary, width), positions = random(4, 9, width)
    const integers = matrix(vocabulary, width, randomIntegers(5, vocabulary * width, 255).map(value => value - 127)), tableScales = random(6, 1, vocabulary)
    const placed = { places: b.ints(places, 'u32'), positions: b.up(positions) }, what = `${count}×${width}`, out = b.room(count, width)
    embedRows({ ids: b.ints(ids, 'u32'), table: b.up(table), scale, out })
    sameBits(`${what} scaled`, await b.down(out), truth({ ids, table, scale }, nearest).data)
    embedRows({ ids: b.ints(ids, 'u32'), table: b.up(table), scale, ...placed, out })
    sameBits(`${what} scaled, positions`, await b.down(out), truth({ ids, table, scale, places, positions }, nearest).data)
    const whole = { table: b.up(integers, 'i8'), tableScales: b.up(tableScales) }
    embedRows({ ids: b.ints(ids, 'u32'), ...whole, out })
    sameBits(`${what} i8`, await b.down(out), truth({ ids, table: integers, tableScales }, nearest).data)
    embedRows({ ids: b.ints(ids, 'u32'), ...whole, scale, ...placed, out })
    sameBits(`${what} i8 scaled, positions`, await b.down(out), truth({ ids, table: integers, tableScales, scale, places, positions }, nearest).data)
  }
})

test.run()
