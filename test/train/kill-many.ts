// Twenty SIGKILLs at random moments, for each activation; prints the seed. Run by `npm run test:kill`.
import { killAndCompare } from './killer.ts'

const seed = Number(process.argv[2] ?? Date.now() % 1e6)
let state = seed
const random = (): number => { state = (Math.imul(state, 1664525) + 1013904223) >>> 0; return state / 2 ** 32 }
let failed = 0
for (const kind of ['topk', 'relu'] as const) {
  const { kills, runs, same } = await killAndCompare(kind, 20, () => 400 * random())
  console.log(`${kind}: ${kills} kills over ${runs} runs, seed ${seed}: ${same ? 'the same bits' : 'THE WEIGHTS DIFFER'}`)
  if (!same) failed++
}
console.log(`\n${2 - failed} passed, ${failed} failed, 0 skipped`)
process.exitCode = failed ? 1 : 0
