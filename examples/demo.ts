// The demo: transcoders for all four MLPs of a small language model, trained on a million tokens, evaluated, and shown on a page.
// The text is what the repository and its installation brought along: made-up problems, type declarations, read-me files.
import { rm } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Evaluation, evaluate, LanguageModel, replaceFile, reportData, reportPage, tellingFeatures, topK, train } from 'transweld'

process.chdir(join(dirname(fileURLToPath(import.meta.url)), '../..'))     // from dist/examples to the repository

const TEXT = ['examples/codelm/text/synthetic.txt.gz', 'node_modules/@types/node/*.d.ts', 'node_modules/*/README.md']
const HELD_OUT = ['examples/codelm/text/held-out.txt.gz', 'node_modules/commander/lib/*.js']
const TRANSCODERS = 'demo-out/transcoders', REPORT = 'demo-out/report.html'

using model = await LanguageModel.open('examples/codelm')
const { layers, width } = model.config
console.log(`${model.name}: ${layers} layers of width ${width}, ${model.parameters.toLocaleString('en')} parameters, on ${model.device.name} (${model.device.code})`)

await rm(TRANSCODERS, { recursive: true, force: true })
const run = train({
  model, text: TEXT, features: 2048, activation: topK(16), skip: true, tokens: 1e6, batch: 4096, rate: 2e-3, seed: 0, out: TRANSCODERS,
})
const { steps } = run.settings
console.log(`training: ${steps} steps of ${run.settings.batch} tokens, ${run.settings.features} features a layer`)
for await (const event of run) {
  if (event.event === 'done') {
    console.log(`trained in ${event.seconds.toFixed(1)} s, ${Math.round(event.tokens / event.seconds).toLocaleString('en')} tokens/s`)
  } else if (event.event === 'step' && (event.step % 20 === 1 || event.step === steps)) {
    const rate = Math.round(event.tokensPerSecond).toLocaleString('en'), fvu = event.layers.map(layer => layer.fvu.toFixed(4)).join(' ')
    console.log(`  step ${String(event.step).padStart(3)}  ${rate} tokens/s  fvu ${fvu}`)
  }
}
using suite = await run.suite()

console.log('evaluating on 65,536 tokens of other text')
const began = performance.now()
const evaluation = await evaluate({ model, suite, text: HELD_OUT, tokens: 65536 })
console.log(`evaluated in ${((performance.now() - began) / 1000).toFixed(1)} s\n`)
printTable(evaluation)

const features = await tellingFeatures({ model, suite, text: HELD_OUT, tokens: 65536 })
await replaceFile(REPORT, reportPage(reportData({ model, suite, evaluation, features, title: 'Transcoders of a small language model' })))
console.log(`\ntranscoders: ${resolve(TRANSCODERS)}\nreport:      ${resolve(REPORT)}`)

// FVU: share of the MLP's output that the transcoder misses. Recovered: share of the loss that zero ablation costs and splicing does not.
function printTable({ clean, layers, all }: Evaluation): void {
  console.log(`next-token loss of the untouched model: ${clean.toFixed(4)}`)
  console.log('layer     fvu      l0    dead   spliced      zero  recovered')
  for (const l of layers) {
    const dead = `${(100 * l.dead).toFixed(1)}%`
    console.log(`${String(l.layer).padEnd(5)} ${l.fvu.toFixed(4).padStart(7)} ${l.l0.toFixed(1).padStart(7)} ${dead.padStart(7)} ${lossColumns(l)}`)
  }
  console.log(`all   ${' '.repeat(23)} ${lossColumns(all)}`)
}

function lossColumns({ spliced, zero, recoveredZero }: Evaluation['all']): string {
  return [spliced, zero].map(loss => loss.toFixed(4).padStart(9)).join(' ') + `     ${recoveredZero.toFixed(4)}`
}
