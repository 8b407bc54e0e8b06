// What the tests of models share: a random GPT-2 of 3 layers with its known answers, broken copies of it, and the shape of an error.
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { TransweldError } from '../../lib/native/error.ts'
import { openSafetensors } from '../../lib/safetensors/reader.ts'
import { type TensorToWrite, writeSafetensors } from '../../lib/safetensors/writer.ts'

/** Known answers; test/golden/attribution/README.md says of what. */
export const GOLDEN = 'test/golden/attribution'
export const MODEL = `${GOLDEN}/gpt2/model`
/** The prompt of the known answers. */
export const PROMPT = [1, 56, 92, 71, 58, 56, 91, 81, 15]
/** Sizes of the model. */
export const SIZE = { layers: 3, width: 24, vocabulary: 101, context: 32, features: 48 }

/** A tensor of the known answers, flat. */
export async function known(which: 'gpt2' | 'llama', name: string): Promise<Float32Array> {
  const file = await openSafetensors(`${GOLDEN}/${which}/reference.safetensors`)
  try { return (await file.readFloat32(name)).data } finally { await file.close() }
}

/** Ids of the vocabulary, the same every time; `count` may be more than the context. */
export function someIds(count: number, seed = 1): Uint32Array {
  let state = seed
  return Uint32Array.from({ length: count }, () => { state = (Math.imul(state, 1103515245) + 12345) >>> 0; return 3 + (state >>> 8) % (SIZE.vocabulary - 3) })
}

/** Does `work` with a folder that is gone afterwards. */
export async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'transweld-'))
  try { return await work(folder) } finally { await rm(folder, { recursive: true, force: true }) }
}

/** A copy of the model in `folder`, with fields of its config.json changed. */
export async function copyModel(folder: string, fields: Record<string, unknown> = {}): Promise<string> {
  await cp(MODEL, folder, { recursive: true })
  const path = join(folder, 'config.json'), config = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>
  await writeFile(path, JSON.stringify({ ...config, ...fields }))
  return folder
}

/** Writes the tensors of a safetensors file again after `change`. */
export async function rewriteTensors(path: string, change: (tensors: Record<string, { shape: readonly number[], data: Float32Array }>) => void): Promise<void> {
  const file = await openSafetensors(path), tensors: Record<string, { shape: readonly number[], data: Float32Array }> = {}
  for (const name of file.names) tensors[name] = await file.readFloat32(name)
  await file.close()
  change(tensors)
  await writeSafetensors(path, Object.fromEntries(Object.entries(tensors).map(([name, { shape, data }]): [string, TensorToWrite] => [name, { dtype: 'F32', shape, data }])))
}

/** Holds `work` to failing with a code and words. */
export async function failsWith(code: string, words: RegExp, work: () => unknown): Promise<void> {
  try { await work() } catch (error) {
    assert.instance(error, TransweldError, String((error as Error).stack))
    assert.is((error as TransweldError).code, code, (error as Error).message)
    assert.match((error as Error).message, words)
    return
  }
  assert.unreachable(`expected ${code}`)
}

/** The largest absolute difference; NaN where one side has a NaN. */
export function farthest(a: ArrayLike<number>, b: ArrayLike<number>): number {
  assert.is(a.length, b.length)
  let most = 0
  for (let i = 0; i < a.length; i++) {
    const d = Math.abs(a[i]! - b[i]!)
    if (!(d <= most)) most = d
  }
  return most
}

/** Whether two arrays have the same bits. */
export function sameBits(a: Float32Array, b: Float32Array): boolean {
  const bits = (x: Float32Array): Buffer => Buffer.from(x.buffer, x.byteOffset, x.byteLength)
  return a.length === b.length && bits(a).equals(bits(b))
}
