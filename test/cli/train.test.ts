// `transweld train` from outside: the lines that scripts rely on, the folder that it leaves, and Ctrl-C.
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { devices } from '../../lib/native/backend.ts'
import { textOf } from '../evaluate/tiny.ts'
import { inFolder, MODEL } from '../model/tiny.ts'
import { complained, jsonLines, shell, transweld } from './child.ts'

// The words of a small run: 128 tokens a step.
async function words(folder: string, steps: number, ...more: string[]): Promise<string[]> {
  return ['train', '--model', MODEL, '--text', await textOf(folder, 3000), '--features', '64', '--activation', 'topk:4', '--skip', '--tokens', String(steps * 128),
    '--batch', '128', '--lr', '2e-3', '--seed', '3', '--out', join(folder, "it's out"), ...more]
}

async function weights(folder: string): Promise<string[]> {
  return Promise.all([0, 2].map(l => readFile(join(folder, "it's out", `layer_${l}.safetensors`), 'base64')))
}

test('with --json a line an event, of exactly this shape; the folder is a set of transcoders', async () => {
  await inFolder(async folder => {
    const ended = await transweld(await words(folder, 12, '--layers', '0-1', '--json', '--screen', 'none'))
    assert.is(ended.code, 0, ended.err)
    assert.is(ended.err, '')
    const lines = jsonLines(ended), steps = lines.filter(line => line.event === 'step')
    assert.equal(steps.map(line => line.step), Array.from({ length: 12 }, (_, i) => i + 1))
    for (const line of steps) {
      assert.equal(Object.keys(line), ['event', 'step', 'tokens', 'tokensPerSecond', 'layers'])
      assert.is(line.tokens, 128 * (line.step as number))
      assert.ok(line.tokensPerSecond as number >= 0)
      const layers = line.layers as Record<string, number>[]
      assert.equal(layers.map(layer => layer.layer), [0, 1])
      for (const layer of layers) {
        assert.equal(Object.keys(layer), ['layer', 'loss', 'fvu', 'l0', 'dead', 'candidates'])
        assert.ok(Object.values(layer).every(Number.isFinite))
        assert.ok(layer.l0! <= 4)
      }
    }
    assert.ok((steps.at(-1)!.layers as { fvu: number }[])[0]!.fvu < (steps[0]!.layers as { fvu: number }[])[0]!.fvu)
    assert.equal(lines.slice(-2).map(line => [line.event, line.step, line.tokens]), [['checkpoint', 12, 1536], ['done', 12, 1536]])
    const files = await readdir(join(folder, "it's out"))
    for (const file of ['config.yaml', 'layer_0.safetensors', 'layer_1.safetensors', 'transweld.json', 'checkpoints']) assert.ok(files.includes(file), file)
  })
})

test('without --json a line an event in words', async () => {
  await inFolder(async folder => {
    const { code, out, err } = await transweld(await words(folder, 3, '--layers', 'all'))
    assert.is(code, 0, err)
    const lines = out.trimEnd().split('\n')
    assert.match(lines[0]!, /^step 1\/3 {2}128 tokens {2}\S+ tokens\/s {2}fvu \d\.\d{4} \d\.\d{4} \d\.\d{4} {2}l0 \d\.\d {2}dead \d+\.\d%$/)
    assert.match(lines.at(-2)!, /^checkpoint .*step-3$/)
    assert.match(lines.at(-1)!, /^trained 3 steps on 384 tokens in 0:0\d \(\S+ tokens\/s\): .*it's out$/)
  })
})

if (devices().devices.some(({ device }) => device === 'cuda-host:0')) {
  test('with --device cuda-host the loss follows that of the CPU', async () => {
    const losses = async (device: string): Promise<number[]> => inFolder(async folder => {
      const ended = await transweld(await words(folder, 4, '--layers', '0', '--device', device, '--json'))
      assert.is(ended.code, 0, ended.err)
      return jsonLines(ended).filter(line => line.event === 'step').map(line => (line.layers as { loss: number }[])[0]!.loss)
    })
    const cpu = await losses('cpu'), emulated = await losses('cuda-host')
    assert.is(cpu.length, 4)
    cpu.forEach((loss, i) => assert.ok(Math.abs(emulated[i]! - loss) <= 0.02 * loss, `step ${i + 1}: ${emulated[i]}, CPU ${loss}`))
  })
}

test('Ctrl-C leaves a checkpoint and the command that goes on from it, to the same bits', async () => {
  await inFolder(async folder => {
    const flags = ['--layers', '0,2', '--json'], steps = 300
    let isSent = false
    const stopped = await transweld(await words(folder, steps, ...flags), (out, child) => {
      if (!isSent && out.includes('"step":5,')) isSent = child.kill('SIGINT')
    })
    assert.is(stopped.code, 130, stopped.err)
    assert.match(stopped.err, /^stopping after the step under way .*\ntraining was stopped after step \d+ of 300\. To go on:\n {2}transweld train .* --resume\n$/)
    const last = jsonLines(stopped).at(-1)!
    assert.is(last.event, 'checkpoint')
    assert.ok(last.step as number >= 5 && last.step as number < steps)
    assert.equal(await readdir(join(folder, "it's out", 'checkpoints')), [`step-${last.step as number}`])
    const resumed = await shell(/\n {2}(transweld train .*)\n/.exec(stopped.err)![1]!)
    assert.is(resumed.code, 0, resumed.err)
    assert.is(jsonLines(resumed)[0]!.step, last.step as number + 1)
    const interrupted = await weights(folder)
    await inFolder(async other => {
      const whole = await transweld(await words(other, steps, ...flags))
      assert.is(whole.code, 0, whole.err)
      assert.equal(interrupted, await weights(other))
    })
  })
})

test('a second Ctrl-C ends the process at once', async () => {
  await inFolder(async folder => {
    let isSent = false
    const { code, err } = await transweld(await words(folder, 1e5, '--json'), (out, child) => {
      if (isSent || !out.includes('"step":2,')) return
      isSent = child.kill('SIGINT')
      for (const ms of [1, 2, 5, 10, 20]) setTimeout(() => child.kill('SIGINT'), ms)      // two that come together count as one
    })
    assert.is(code, 130, err)
  })
})

test('a folder in use, settings that do not fit, words that are not known', async () => {
  await inFolder(async folder => {
    const some = await words(folder, 2, '--layers', '1')
    assert.is((await transweld(some)).code, 0)
    complained(await transweld(some), 'ERR_OUTPUT_EXISTS', /not empty/)
    complained(await transweld([...some, '--resume', '--seed', '4']), 'ERR_RESUME', /seed/)
    complained(await transweld([...some, '--feature', '3']), 'ERR_UNKNOWN_OPTION', /'--feature' \(Did you mean --features\?\)/)
    complained(await transweld(['train', '--modle', MODEL]), 'ERR_UNKNOWN_OPTION', /Did you mean --model\?/)
    complained(await transweld(['train', '--model', MODEL]), 'ERR_INVALID_ARGUMENT', /expected the option --text/)
    complained(await transweld(['trian']), 'ERR_INVALID_ARGUMENT', /Did you mean train\?/)
    complained(await transweld([...some, '--tokens', '1e3x']), 'ERR_INVALID_ARGUMENT', /--tokens .*1e3x/)
    complained(await transweld([...some, '--batch', '12.5']), 'ERR_INVALID_ARGUMENT', /whole number/)
    complained(await transweld([...some, '--layers', '2-1']), 'ERR_INVALID_ARGUMENT', /range such as 0-3/)
    complained(await transweld([...some, '--activation', 'topk']), 'ERR_INVALID_ARGUMENT', /topk:K or relu/)
    complained(await transweld([...some, '--activation', 'topk:65']), 'ERR_INVALID_ARGUMENT', /from 1 to 64/)
    complained(await transweld([...some, '--screen', 'int4']), 'ERR_INVALID_ARGUMENT', /"int8"/)
    complained(await transweld([...some, '--device', 'cuda:63']), 'ERR_DEVICE_MISSING', /cuda:63/)
    complained(await transweld([...some, '--model', join(folder, 'nowhere')]), 'ERR_FILE', /config\.json/)
  })
})

test.run()
