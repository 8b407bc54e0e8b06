// Language models beside transformers on PyTorch, the same random folder on both sides: prefill of 512 tokens with all logits, decoding
// with a key-value cache behind 512 tokens, what taps of every MLP add to a prefill, and opening beside a plain copy of the bytes.
// "bf16" has both sides round activations to bf16 in products; "bf16 exact" is ours with bf16 weights and f32 arithmetic.
import { LanguageModel } from '../lib/model/model.ts'
import { cast } from '../lib/tensor/ops.ts'
import type { Device } from '../lib/tensor/device.ts'
import { type Side, race } from './clock.ts'
import { type ModelFolder, modelFolder, type ModelName, MODELS } from './folder.ts'
import type { PeerJob } from './peer.ts'
import type { Case, Measured } from './row.ts'

const TOKENS = 512, STEPS = 16
const KINDS = {
  f32: { options: { dtype: 'f32' }, peer: 'f32', element: 4 },
  bf16: { options: { dtype: 'bf16', arithmetic: 'rounded' }, peer: 'bf16', element: 2 },
  'bf16 exact': { options: { dtype: 'bf16' }, peer: undefined, element: 2 },
  i8: { options: { dtype: 'i8' }, peer: undefined, element: 1 },
} as const
type Kind = keyof typeof KINDS

// The folder used last: cases of one model follow each other.
let folder: { readonly name: ModelName, readonly made: ModelFolder } | undefined
async function folderOf(name: ModelName): Promise<ModelFolder> {
  if (folder?.name !== name) {
    await folder?.made[Symbol.asyncDispose]()
    folder = { name, made: await modelFolder(name) }
  }
  return folder.made
}

/** The ids that both sides read. */
const idsOf = (model: LanguageModel, count: number): Uint32Array => Uint32Array.from({ length: count }, (_, t) => t * 7919 % model.config.vocabulary)

// One call at a time, waited for: each takes far longer than a call costs.
function side(device: Device, call: () => Promise<void>): Side {
  return async () => {
    const start = performance.now()
    await call()
    await device.wait()
    return performance.now() - start
  }
}

function measuredAs(tokens: number, milliseconds: number, peer: PeerJob | undefined, theirs: number | undefined, operations: number, bytes: number, more: Record<string, number> = {}): Measured {
  return {
    milliseconds, peers: peer ? [{ name: peer.name, milliseconds: theirs! }] : [], work: { operations, dtype: 'f32', bytes },
    figures: { tokensPerSecond: tokens / milliseconds * 1e3, ...(peer && { theirTokensPerSecond: tokens / theirs! * 1e3 }), ...more },
  }
}

function prefill(name: ModelName, kind: Kind): Case {
  return {
    name: `model prefill ${kind}`, shape: `${name}, ${TOKENS} tokens`,
    async measure({ device, peers }) {
      const { options, peer: dtype, element } = KINDS[kind], { path } = await folderOf(name)
      const peer = dtype && await peers?.make('model prefill', { folder: path, dtype, tokens: TOKENS })
      using model = await LanguageModel.open(path, { ...options, device })
      const ids = idsOf(model, TOKENS), starts = Uint32Array.of(0, TOKENS), { layers, vocabulary, width } = model.config
      const pass = model.pass(TOKENS), taps = device.tensor('f32', TOKENS, 2 * layers * width)
      using out = device.tensor('f32', TOKENS, vocabulary)
      const plain = async (): Promise<void> => { pass.begin(ids, starts); await pass.blocks(0, layers); pass.logits(0, TOKENS, out) }
      const tapped = async (): Promise<void> => {
        pass.begin(ids, starts)
        await pass.blocks(0, layers, (l, { mlpInput, mlpOutput }) => {
          for (const [i, source] of [mlpInput, mlpOutput].entries()) cast({ source, out: taps.view(0, TOKENS, (2 * l + i) * width, (2 * l + i + 1) * width) })
        })
        pass.logits(0, TOKENS, out)
      }
      try {
        await side(device, plain)()
        const [ours, withTaps, theirs] = await race([side(device, plain), side(device, tapped), ...(peer ? [peer.run] : [])])
        return measuredAs(TOKENS, ours!, peer, theirs, 2 * TOKENS * model.parameters, element * model.parameters, { tapsRatio: withTaps! / ours! })
      } finally { pass.dispose(); taps.dispose() }
    },
  }
}

function decode(name: ModelName, kind: Kind): Case {
  return {
    name: `model decode ${kind}`, shape: `${name}, ${STEPS} tokens behind ${TOKENS}`,
    async measure({ device, peers }) {
      const { options, peer: dtype, element } = KINDS[kind], { path } = await folderOf(name)
      const peer = dtype && await peers?.make('model decode', { folder: path, dtype, tokens: TOKENS, steps: STEPS })
      using model = await LanguageModel.open(path, { ...options, device })
      const ids = idsOf(model, TOKENS + STEPS), { layers, vocabulary } = model.config
      const first = model.pass(TOKENS), next = model.pass(1), cache = model.cache(1, TOKENS + STEPS)
      using out = device.tensor('f32', 1, vocabulary)
      try {
        first.begin(ids.subarray(0, TOKENS), Uint32Array.of(0, TOKENS), { cache })
        await first.blocks(0, layers)
        const call = async (): Promise<void> => {
          cache.counts[0] = TOKENS
          for (let t = TOKENS; t < TOKENS + STEPS; t++) {
            next.begin(ids.subarray(t, t + 1), Uint32Array.of(0, 1), { cache })
            await next.blocks(0, layers)
            next.logits(0, 1, out)
            await out.read()          // whoever generates needs the logits before the next token
          }
        }
        await side(device, call)()
        const [ours, theirs] = await race([side(device, call), ...(peer ? [peer.run] : [])])
        return measuredAs(STEPS, ours!, peer, theirs, 2 * STEPS * model.parameters, STEPS * element * model.parameters)
      } finally { first.dispose(); next.dispose(); cache.dispose() }
    },
  }
}

// Opening in the file's own dtype, beside a copy of its bytes into memory that nobody has touched.
function opening(name: ModelName): Case {
  return {
    name: 'model open bf16', shape: name,
    async measure() {
      const { path, bytes } = await folderOf(name)
      const source = Buffer.alloc(64 << 20, 1)
      const copy = async (): Promise<number> => {
        const start = performance.now(), into = new ArrayBuffer(bytes)
        for (let at = 0; at < bytes; at += source.length) new Uint8Array(into, at, Math.min(source.length, bytes - at)).set(source.subarray(0, Math.min(source.length, bytes - at)))
        return performance.now() - start
      }
      let most = 0                          // memory of the process while it opens, beyond what it had, as a share of the weights
      const opened = async (): Promise<number> => {
        const before = process.memoryUsage.rss(), look = setInterval(() => { most = Math.max(most, (process.memoryUsage.rss() - before) / bytes) }, 5)
        const start = performance.now()
        const model = await LanguageModel.open(path, { dtype: 'bf16' })     // on a device of its own, whose memory is as fresh
        const milliseconds = performance.now() - start
        clearInterval(look)
        model.dispose()
        return milliseconds
      }
      const [ours, theirs] = await race([opened, copy])
      return { milliseconds: ours!, peers: [{ name: 'copy of the bytes', milliseconds: theirs! }], figures: { gigabytesPerSecond: bytes / ours! / 1e6, memoryOverWeights: most } }
    },
  }
}

export const cases: readonly Case[] = (Object.keys(MODELS) as ModelName[]).flatMap(name => [
  ...(['f32', 'bf16', 'bf16 exact'] as const).map(kind => prefill(name, kind)), ...(['f32', 'bf16', 'bf16 exact', 'i8'] as const).map(kind => decode(name, kind)),
  ...(name === 'Llama 1B' ? [opening(name)] : []),
])

/** Removes the folder that is left. */
export async function clear(): Promise<void> {
  await folder?.made[Symbol.asyncDispose]()
  folder = undefined
}
