// screen_rows: a shadow is a function of its weights alone, row by row, and belongs to one shape and one mode.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { screenBytes } from '../../lib/tensor/ops.ts'
import { each } from './backend.ts'
import { hostileRows, random } from './cases.ts'
import { screensOf, shadowOf } from './encode.ts'
import { matrix } from './reference.ts'
import { sameBits } from './tolerance.ts'

each('the same bytes twice, for plain and hostile weights', async b => {
  for (const [features, width] of [[1, 1], [33, 7], [67, 31], [300, 129], [64, 192]] as const) {
    for (const weight of [random(1, features, width), hostileRows(2, features, width), matrix(features, width)]) {
      for (const screen of screensOf(b, weight)) {
        const first = await b.down(shadowOf(b, screen, b.up(weight)))
        assert.is(first.length, screenBytes(b.device, screen, features, width))
        sameBits(`${screen} ${features}×${width}`, await b.down(shadowOf(b, screen, b.up(weight))), first)
      }
    }
  }
})

each('a changed row changes the shadow', async b => {
  const weight = random(3, 40, 33)
  for (const screen of screensOf(b, weight)) {
    const before = await b.down(shadowOf(b, screen, b.up(weight)))
    const changed = matrix(40, 33, weight.data.map((value, i) => i >= 33 * 17 && i < 33 * 18 ? -value : value))
    const after = await b.down(shadowOf(b, screen, b.up(changed)))
    assert.ok(after.some((value, i) => value !== before[i]), screen)
  }
})

each('an instruction set has the screens that pay on it', async b => {
  const known: Readonly<Record<string, readonly string[]>> =
    { avx512vnni: ['bf16', 'int8'], avx512: ['int8'], avxvnni: ['int8'], avx2: ['int8'], baseline: [] }
  const wanted = known[b.device.code]
  if (wanted) assert.equal(screensOf(b, random(4, 64, 64)), wanted, b.device.code)
})

test.run()
