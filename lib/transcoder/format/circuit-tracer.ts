// The folder that circuit-tracer reads as a `transcoder_set`: `config.yaml` and one `layer_{i}.safetensors` a layer with
//   W_enc [F, D], b_enc [F], W_dec [F, O], b_dec [O], W_skip [O, D] where there is one (ŷ += x·W_skipᵀ: not transposed).
// `transweld.json` beside it says what that format has no room for. Foreign TopK sets keep negative survivors, ours do not:
// a set without our file is read as signed.
import { access, readdir, readFile } from 'node:fs/promises'
import { basename, join, normalize } from 'node:path'
import { TransweldError } from '../../native/error.ts'
import { hookName, mlpSiteOf } from '../../model/names.ts'
import type { MlpSite } from '../../model/site.ts'
import { replaceFile } from '../../safetensors/atomic.ts'
import { openSafetensors } from '../../safetensors/reader.ts'
import { type TensorToWrite, writeSafetensors } from '../../safetensors/writer.ts'
import type { Device } from '../../tensor/device.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import { type Activation, relu, topK } from '../activation.ts'
import { Transcoder } from '../transcoder.ts'
import { formatFlatYaml, parseFlatYaml } from './yaml.ts'

/** What `transweld.json` holds. */
export interface SuiteNote {
  readonly format: 'transweld-suite'
  readonly version: 1
  readonly model: string
  readonly activation: Activation
  readonly reads: MlpSite
  readonly writes: MlpSite
  /** Layer of each file, in order. */
  readonly layers: readonly number[]
  /** In words, for readers of other libraries. */
  readonly relu: string
  /** The settings of the run that made it, and its last figures; absent for sets made elsewhere. */
  readonly training?: Readonly<Record<string, unknown>>
}

/** The note of a set whose coders, at least one, share ends and activation. */
export function noteOf(coders: readonly Transcoder[], model: string, training?: Readonly<Record<string, unknown>>): SuiteNote {
  const { activation, reads, writes } = coders[0]!
  return {
    format: 'transweld-suite', version: 1, model, activation, reads, writes, layers: coders.map(c => c.layer).sort((a, b) => a - b),
    relu: activation.kind === 'topk' && activation.signed ? 'negative survivors of TopK are kept' : 'codes are max(p, 0): negative survivors of TopK become 0',
    ...(training && { training }),
  }
}

/** Writes a set; files that exist are replaced one by one, `transweld.json` last. */
export async function writeCircuitTracer(folder: string, coders: readonly Transcoder[], note: SuiteNote): Promise<void> {
  const { activation, reads, writes, model } = note
  for (const coder of coders) {
    const w = coder.weights
    const matrix = (t: Tensor): TensorToWrite => ({ dtype: 'F32', shape: [t.rows, t.columns], data: () => t.read() })
    const vector = (t: Tensor): TensorToWrite => ({ dtype: 'F32', shape: [t.columns], data: () => t.read() })
    await writeSafetensors(join(folder, `layer_${coder.layer}.safetensors`), {
      W_enc: matrix(w.encoder), b_enc: vector(w.encoderBias), W_dec: matrix(w.decoder), b_dec: vector(w.decoderBias),
      ...(w.skip && { W_skip: matrix(w.skip) }),
    })
  }
  await replaceFile(join(folder, 'config.yaml'), formatFlatYaml({
    model_kind: 'transcoder_set', model_name: model, feature_input_hook: hookName(reads), feature_output_hook: hookName(writes),
    activation: activation.kind, k: activation.kind === 'topk' ? activation.k : undefined, transcoders: coders.map(c => `layer_${c.layer}.safetensors`),
  }))
  await replaceFile(join(folder, 'transweld.json'), JSON.stringify(note, null, 2) + '\n')
}

/**
 * Reads a set. `model_kind` must be `transcoder_set`, its hooks sites that we know, its activation relu or topk.
 * @throws ERR_FILE, ERR_FORMAT, ERR_UNSUPPORTED, ERR_NOT_FINITE; nothing is kept on the device then.
 */
export async function readCircuitTracer(folder: string, device: Device): Promise<{ coders: Transcoder[], note: SuiteNote | undefined, model: string }> {
  const config = await readYaml(join(folder, 'config.yaml'))
  const word = (key: string): string | undefined => typeof config[key] === 'string' ? config[key] : undefined
  if (word('model_kind') !== 'transcoder_set') throw new TransweldError('ERR_UNSUPPORTED', `expected model_kind transcoder_set in ${folder}/config.yaml but found ${word('model_kind')}`)
  const note = await readNote(join(folder, 'transweld.json'))
  const site = (key: string): MlpSite => {
    const found = mlpSiteOf(word(key) ?? '')
    if (!found) throw new TransweldError('ERR_UNSUPPORTED', `${key}: ${word(key)} in ${folder}/config.yaml is no site that is known`)
    return found
  }
  const ends = { reads: site('feature_input_hook'), writes: site('feature_output_hook') }
  const activation = note?.activation ?? activationOf(word('activation'), word('k'), folder)
  const files = Array.isArray(config.transcoders) ? await Promise.all(config.transcoders.map(name => localFile(name, folder))) : await layerFiles(folder)
  const coders: Transcoder[] = []
  try {
    for (const [i, file] of files.entries()) coders.push(await readLayer(file, note?.layers[i] ?? layerOf(file, i), ends, activation, device))
    if (new Set(coders.map(coder => coder.layer)).size < coders.length) throw new TransweldError('ERR_FORMAT', `expected one transcoder a layer in ${folder} but found ${coders.map(coder => coder.layer).join(', ')}`)
    return { coders, note, model: note?.model ?? word('model_name') ?? 'unknown' }
  } catch (error) { for (const coder of coders) coder.dispose(); throw error }
}

async function readLayer(path: string, layer: number, ends: { reads: MlpSite, writes: MlpSite }, activation: Activation, device: Device): Promise<Transcoder> {
  const file = await openSafetensors(path)
  const made: Tensor[] = []
  try {
    const shapeOf = (name: string): readonly number[] => {
      if (!file.has(name)) throw new TransweldError('ERR_FORMAT', `expected a tensor ${name} in ${path} but there is none`)
      return file.entry(name).shape
    }
    const [F = 0, D = 0] = shapeOf('W_enc'), O = shapeOf('W_dec')[1] ?? 0
    if (activation.kind === 'topk' && activation.k > F) throw new TransweldError('ERR_FORMAT', `expected k <= F in ${path} but k is ${activation.k} and F is ${F}`)
    const read = async (name: string, ...shape: number[]): Promise<Tensor> => {
      if (shapeOf(name).join() !== shape.join()) throw new TransweldError('ERR_FORMAT', `expected ${name} of shape [${shape}] in ${path} but its shape is [${shapeOf(name)}]`)
      const { data } = await file.readFloat32(name)
      const out = device.from(data, shape.length === 1 ? 1 : shape[0]!, shape[shape.length - 1]!)
      made.push(out)
      return out
    }
    return new Transcoder(layer, ends, activation, {
      encoder: await read('W_enc', F, D), encoderBias: await read('b_enc', F), decoder: await read('W_dec', F, O), decoderBias: await read('b_dec', O),
      ...(file.has('W_skip') && { skip: await read('W_skip', O, D) }),
    })
  } catch (error) { for (const one of made) one.dispose(); throw error } finally { await file.close() }
}

async function readYaml(path: string): Promise<Record<string, string | string[]>> {
  let text: string
  try { text = await readFile(path, 'utf8') } catch (cause) { throw new TransweldError('ERR_FILE', `expected a folder of transcoders with a config.yaml: ${path} cannot be read`, { cause }) }
  const parsed = parseFlatYaml(text)
  if (typeof parsed.line === 'number') throw new TransweldError('ERR_FORMAT', `${path}, line ${parsed.line}: expected "key: value" or "- item"`)
  return parsed as Record<string, string | string[]>
}

async function readNote(path: string): Promise<SuiteNote | undefined> {
  let text: string
  try { text = await readFile(path, 'utf8') } catch { return undefined }     // a set made elsewhere has none
  let note: SuiteNote
  try { note = JSON.parse(text) as SuiteNote } catch (cause) { throw new TransweldError('ERR_FORMAT', `${path} is not JSON`, { cause }) }
  if (note?.format !== 'transweld-suite' || note.version !== 1) throw new TransweldError('ERR_FORMAT', `${path} is no transweld suite of version 1`)
  const { layers, activation } = note
  if (!Array.isArray(layers) || !layers.every(Number.isInteger) || (activation?.kind !== 'topk' && activation?.kind !== 'relu')) {
    throw new TransweldError('ERR_FORMAT', `expected "layers" and "activation" in ${path} as transweld writes them`)
  }
  return activation.kind === 'topk' ? { ...note, activation: topK(activation.k, { signed: activation.signed }) } : note
}

function activationOf(name: string | undefined, k: string | undefined, folder: string): Activation {
  if (name === 'topk') return topK(Number(k), { signed: true })
  if (name === 'relu' || name === undefined) return relu({ l1: 0 })
  throw new TransweldError('ERR_UNSUPPORTED', `activation: ${name} in ${folder}/config.yaml is not supported`)
}

// Lists name files from the folder of config.yaml, or from the repository that this folder was downloaded from.
async function localFile(name: string, folder: string): Promise<string> {
  if (/^[a-z]+:\/\//.test(name)) throw new TransweldError('ERR_UNSUPPORTED', `${name} in ${folder}/config.yaml lies elsewhere: download it and name the local file`)
  const path = join(folder, normalize(name))
  return await access(path).then(() => true, () => false) ? path : join(folder, basename(name))
}

async function layerFiles(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).filter(name => /^layer_\d+\.safetensors$/.test(name))
  if (names.length === 0) throw new TransweldError('ERR_FILE', `expected layer_0.safetensors and so on in ${folder} but there is none`)
  return names.sort((a, b) => layerOf(a, 0) - layerOf(b, 0)).map(name => join(folder, name))
}

function layerOf(path: string, otherwise: number): number {
  return Number(/layer_(\d+)\.safetensors$/.exec(path)?.[1] ?? otherwise)
}
