// A killed run that is resumed ends in the same bits: the short version; `npm run test:kill` is the long one.
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { killAndCompare } from './killer.ts'

for (const kind of ['topk', 'relu'] as const) {
  test(`${kind}: killed three times and resumed, the weights are the same to the bit`, async () => {
    const seen = await killAndCompare(kind, 3, i => 20 + 90 * i)
    assert.is(seen.kills, 3)
    assert.ok(seen.same, `differed after ${seen.kills} kills`)
  })
}

test.run()
