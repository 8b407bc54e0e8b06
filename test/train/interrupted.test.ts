// What a run refuses, and that nothing is lost: other settings, other text, a folder in use, a full disk, an abort.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { TransweldError } from '../../lib/native/error.ts'
import { LanguageModel } from '../../lib/model/model.ts'
import { openDevice } from '../../lib/tensor/device.ts'
import { topK } from '../../lib/transcoder/activation.ts'
import { TranscoderSuite } from '../../lib/transcoder/suite.ts'
import { savedSteps } from '../../lib/train/checkpoint.ts'
import type { TrainEvent } from '../../lib/train/event.ts'
import { train } from '../../lib/train/loop.ts'
import type { TrainOptions } from '../../lib/train/settings.ts'
import { weightsOf } from './killer.ts'
import { victimOptions } from './victim.ts'

const test = suite<{ folder: string, model: LanguageModel }>('interrupted')

test.before(async context => { context.model = await LanguageModel.open('examples/codelm') })
test.before.each(async context => { context.folder = await mkdtemp(join(tmpdir(), 'transweld-train-')) })
test.after.each(async context => { await rm(context.folder, { recursive: true, force: true }) })
test.after(context => { context.model.dispose() })

// Runs until `stop` says so (or to the end); returns the events.
async function run(options: TrainOptions, stop: (event: TrainEvent) => boolean = () => false): Promise<TrainEvent[]> {
  const events: TrainEvent[] = []
  for await (const event of train(options)) { events.push(event); if (stop(event)) break }
  return events
}

async function failsWith(code: string, words: RegExp, work: () => unknown): Promise<void> {
  try { await work() } catch (error) {
    assert.instance(error, TransweldError)
    assert.is((error as TransweldError).code, code, (error as Error).message)
    assert.match((error as Error).message, words)
    return
  }
  assert.unreachable(`expected ${code}`)
}

test('options are checked before anything is read', async ({ model }) => {
  const options = { model, text: 'README.md', features: 64, activation: topK(8), tokens: 8192 }
  await failsWith('ERR_UNKNOWN_OPTION', /"feature" for train: did you mean "features"/, () => train({ ...options, feature: 3 } as unknown as TrainOptions))
  await failsWith('ERR_INVALID_ARGUMENT', /from 1 to 64 .* received 65/, () => train({ ...options, activation: topK(65) }))
  await failsWith('ERR_INVALID_ARGUMENT', /from 0 to 3 for a layer but received 4/, () => train({ ...options, layers: [0, 4] }))
  await failsWith('ERR_INVALID_ARGUMENT', /at least one batch/, () => train({ ...options, tokens: 100 }))
  await failsWith('ERR_INVALID_ARGUMENT', /`out` folder to resume/, () => train({ ...options, resume: true }))
  await failsWith('ERR_UNSUPPORTED', /"mlpInput" for both/, () => train({ ...options, writes: 'mlpInput' }))
  await failsWith('ERR_INVALID_ARGUMENT', /topK\(k\) or relu/, () => train({ ...options, activation: 'topk' } as unknown as TrainOptions))
})

test('text that is missing, empty or too short', async ({ model, folder }) => {
  const options = { ...victimOptions(model, 'topk') }
  await failsWith('ERR_FILE', /no-such-file/, () => run({ ...options, text: join(folder, 'no-such-file.txt') }))
  await writeFile(join(folder, 'empty.txt'), ' \n')
  await failsWith('ERR_EMPTY_TEXT', /./, () => run({ ...options, text: join(folder, 'empty.txt') }))
  await writeFile(join(folder, 'short.txt'), 'a few words')
  await failsWith('ERR_EMPTY_TEXT', /./, () => run({ ...options, text: join(folder, 'short.txt') }))
})

test('a folder that is not empty is not touched without resume, and a strange one not with it', async ({ model, folder }) => {
  const out = join(folder, 'out'), options = { ...victimOptions(model, 'topk'), out, checkpointSeconds: 0 }
  await run(options, event => event.event === 'checkpoint')
  const before = await readFile(join(out, 'run.json'), 'utf8')
  await failsWith('ERR_OUTPUT_EXISTS', /not empty/, () => run(options))
  assert.is(await readFile(join(out, 'run.json'), 'utf8'), before)
  await writeFile(join(folder, 'letter.txt'), 'mine')
  await failsWith('ERR_RESUME', /no run to resume/, () => run({ ...options, out: folder, resume: true }))
  assert.is(await readFile(join(folder, 'letter.txt'), 'utf8'), 'mine')
})

test('a run that failed before its first checkpoint leaves a folder that can be used', async ({ model, folder }) => {
  const out = join(folder, 'out'), options = { ...victimOptions(model, 'topk'), out }
  await writeFile(join(folder, 'empty.txt'), '')
  await failsWith('ERR_EMPTY_TEXT', /./, () => run({ ...options, text: join(folder, 'empty.txt') }))
  const events = await run(options, event => event.event === 'step')
  assert.is(events.length, 1)
})

test('ids of a tokenizer that is larger than the model', ({ model }) => {
  model.checkVocabulary(Uint32Array.of(0, 4095))
  assert.throws(() => model.checkVocabulary(Uint32Array.of(0, 4096)), /below 4096, the model's vocabulary, but its tokenizer gave 4096/)
})

test('where memory runs out while a run is made, all of it is given back', async ({ folder }) => {
  using device = openDevice('cpu', { memoryLimit: 24e6 })
  using model = await LanguageModel.open('examples/codelm', { device })
  await device.wait()
  const before = device.memory().used
  await failsWith('ERR_OUT_OF_MEMORY', /./, () => run({ ...victimOptions(model, 'topk'), features: 4096, out: join(folder, 'out') }))
  await device.wait()
  assert.is(device.memory().used, before)
  assert.is((await model.logits([1, 2, 3])).rows, 3)
})

test('a screen that the instruction set lacks is refused when it is asked for by name', ({ folder }) => {
  const main = fileURLToPath(new URL('../../lib/cli/main.js', import.meta.url))
  const { status, stderr } = spawnSync(process.execPath, [main, 'train', '--model', 'examples/codelm', '--text', 'examples/codelm/text', '--features', '64',
    '--activation', 'topk:4', '--tokens', '8192', '--screen', 'bf16', '--out', join(folder, 'out')], { env: { ...process.env, TRANSWELD_ISA: 'baseline' }, encoding: 'utf8' })
  assert.is(status, 1)
  assert.match(stderr, /expected one of none for screen on cpu \(baseline\) but received "bf16" \(ERR_UNSUPPORTED\)/)
})

test('resume is refused with other settings, other text, another model or another class of bits, and names what differs', async ({ model, folder }) => {
  const out = join(folder, 'out'), options = { ...victimOptions(model, 'topk'), out, checkpointSeconds: 0 }
  await run(options, event => event.event === 'checkpoint')
  await failsWith('ERR_RESUME', /setting seed .*the checkpoint has 5, this run 6/, () => run({ ...options, resume: true, seed: 6 }))
  await failsWith('ERR_RESUME', /setting activation/, () => run({ ...options, resume: true, activation: topK(9) }))
  await failsWith('ERR_RESUME', /expected the text/, () => run({ ...options, resume: true, text: 'examples/codelm/text/synthetic.txt.gz' }))
  const about = join(out, 'run.json'), identity = JSON.parse(await readFile(about, 'utf8')) as Record<string, unknown>
  await writeFile(about, JSON.stringify({ ...identity, bits: 'another' }))
  await failsWith('ERR_RESUME', /class of bits .*"another"/, () => run({ ...options, resume: true }))
  await writeFile(about, JSON.stringify({ ...identity, model: 'another' }))
  await failsWith('ERR_RESUME', /expected the model/, () => run({ ...options, resume: true }))
  await writeFile(about, '{')
  await failsWith('ERR_FORMAT', /run.json cannot be read/, () => run({ ...options, resume: true }))
  await writeFile(about, JSON.stringify(identity))
  const last = (await savedSteps(out)).at(-1)!
  await writeFile(join(out, 'checkpoints', `step-${last}`, 'layer_0.safetensors'), 'short')
  await failsWith('ERR_FORMAT', /./, () => run({ ...options, resume: true }))
})

test('an abort ends with a checkpoint, from which the run goes on to the same bits', async ({ model, folder }) => {
  const whole = join(folder, 'whole'), out = join(folder, 'out'), options = victimOptions(model, 'topk')
  await run({ ...options, out: whole })
  const stop = new AbortController(), seen: TrainEvent[] = []
  await failsWith('ERR_ABORTED', /after step \d+ of 24/, async () => {
    for await (const event of train({ ...options, out, signal: stop.signal })) {
      seen.push(event)
      if (event.event === 'step' && event.step === 9) stop.abort()
    }
  })
  assert.is(seen.at(-1)!.event, 'checkpoint')
  const events = await run({ ...options, out, resume: true })
  assert.is((events[0] as { step: number }).step, seen.at(-1)!.step + 1)
  assert.is(await weightsOf(out), await weightsOf(whole))
})

test('a disk that is full in the middle of a checkpoint is an error, and the checkpoint before it still resumes to the same bits', async ({ model, folder }) => {
  const whole = join(folder, 'whole'), out = join(folder, 'out'), options = { ...victimOptions(model, 'topk'), checkpointSeconds: 0 }
  await run({ ...options, out: whole })
  await run({ ...options, out }, event => event.event === 'checkpoint')
  const victim = fileURLToPath(new URL('victim.js', import.meta.url))
  // A limit on the size of files stands in for the disk: 256 blocks, less than one layer's checkpoint.
  const full = spawnSync('sh', ['-c', `trap '' XFSZ; ulimit -f 256; exec "${process.execPath}" "${victim}" "${out}" topk resume`], { encoding: 'utf8' })
  assert.is.not(full.status, 0)
  assert.match(full.stderr, /ERR_FILE/)
  assert.ok(existsSync(join(out, 'checkpoints')))
  await run({ ...options, out, resume: true })
  assert.is(await weightsOf(out), await weightsOf(whole))
})

test('what is written can be opened as a suite that encodes the same codes', async ({ model, folder }) => {
  const out = join(folder, 'out'), training = train({ ...victimOptions(model, 'topk'), out })
  using trained = await training.suite()
  using opened = await TranscoderSuite.open(out, { device: model.device })
  assert.equal(opened.coders.map(c => [c.layer, c.reads, c.writes, c.features]), trained.coders.map(c => [c.layer, c.reads, c.writes, c.features]))
  assert.equal(opened.note?.activation, topK(8))
  for (const [i, coder] of opened.coders.entries()) {
    for (const name of ['encoder', 'encoderBias', 'decoder', 'decoderBias', 'skip'] as const) {
      assert.equal(await coder.weights[name]!.read(), await trained.coders[i]!.weights[name]!.read(), `${name} of layer ${coder.layer}`)
    }
  }
  opened.checkFits(model)
})

test('a run that is not finite is given up in words', async ({ model }) => {
  await failsWith('ERR_NOT_FINITE', /not finite for 10 steps/, () => run({ ...victimOptions(model, 'topk'), rate: 1e30 }))
})

test('all memory of a run is given back', async ({ model }) => {
  await model.device.wait()
  const before = model.device.memory().used
  {
    using suite = await train(victimOptions(model, 'relu')).suite()
    assert.is(suite.coders.length, 2)
  }
  await run(victimOptions(model, 'topk'), event => event.event === 'step' && event.step === 5)
  await model.device.wait()
  assert.is(model.device.memory().used, before)
})

test.run()
