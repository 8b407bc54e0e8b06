// The weights of a model folder: model.safetensors, or the shards that model.safetensors.index.json lists. Opened and checked as one.
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { invalid, nearest } from '../native/check.ts'
import { TransweldError } from '../native/error.ts'
import { errno, fileError } from './fault.ts'
import type { TensorEntry } from './header.ts'
import { parseJson, type Json } from './json.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { openSafetensors, type FloatTensor, type LoadOptions, type RawTensor, type SafetensorsFile, type TensorReader } from './reader.ts'

const SINGLE = 'model.safetensors', INDEX = 'model.safetensors.index.json'

/** The shards of one model behind one set of names. */
class ShardedWeights implements TensorReader {
  readonly names: readonly string[]
  readonly #index: string
  readonly #places: ReadonlyMap<string, SafetensorsFile>

  constructor(index: string, places: ReadonlyMap<string, SafetensorsFile>) {
    this.#index = index
    this.#places = places
    this.names = [...places.keys()]
  }

  has(name: string): boolean { return this.#places.has(name) }
  entry(name: string): TensorEntry { return this.#file(name).entry(name) }
  async read(name: string): Promise<RawTensor> { return this.#file(name).read(name) }
  async load(name: string, out: Tensor, options?: LoadOptions): Promise<void> { return this.#file(name).load(name, out, options) }
  async readFloat32(name: string, options?: { finite?: boolean }): Promise<FloatTensor> { return this.#file(name).readFloat32(name, options) }
  async close(): Promise<void> { await Promise.all([...new Set(this.#places.values())].map(file => file.close())) }

  #file(name: string): SafetensorsFile {
    const file = this.#places.get(name)
    if (file !== undefined) return file
    const near = nearest(name, this.names)
    throw new TransweldError('ERR_FORMAT', `${this.#index} lists no tensor ${JSON.stringify(name)}${near === undefined ? '' : `; the nearest name is ${JSON.stringify(near)}`}`)
  }
}

/**
 * Opens the weights of a model folder. Every shard's header is checked, and every tensor of the index must lie in its shard.
 *
 * @throws TransweldError ERR_FILE if neither file is there or a shard is missing, ERR_FORMAT if one is damaged.
 * @example
 * import { openWeights } from 'transweld'
 * const weights = await openWeights('examples/codelm')
 * console.log(weights.names.length)
 * await weights.close()
 */
export async function openWeights(folder: string): Promise<TensorReader> {
  if (typeof folder !== 'string' || folder === '') throw invalid('folder', 'a path', folder)
  const single = join(folder, SINGLE), index = join(folder, INDEX)
  if (await exists(single)) return openSafetensors(single)
  if (await exists(index)) return openShards(folder, index)
  throw new TransweldError('ERR_FILE', `no weights in ${folder}: expected ${SINGLE} or ${INDEX}`)
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (error) {
    const code = errno(error)
    if (code === 'ENOENT' || code === 'ENOTDIR') return false
    throw fileError('read', path, error)
  }
}

async function openShards(folder: string, index: string): Promise<TensorReader> {
  const shards = parseIndex(await readFile(index, 'utf8').catch(error => { throw fileError('read', index, error) }), index)
  const opened = new Map<string, SafetensorsFile>(), places = new Map<string, SafetensorsFile>()
  try {
    for (const [name, shard] of shards) {
      const path = join(folder, shard)
      let file = opened.get(shard)
      if (file === undefined) {
        if (!await exists(path)) throw new TransweldError('ERR_FILE', `${index} names the shard ${shard}, which is missing from ${folder}. Is the download complete?`)
        file = await openSafetensors(path)
        opened.set(shard, file)
      }
      if (!file.has(name)) throw new TransweldError('ERR_FORMAT', `${index} places tensor ${JSON.stringify(name)} in ${shard}, which does not hold it`)
      places.set(name, file)
    }
  } catch (error) {
    await Promise.all([...opened.values()].map(file => file.close()))
    throw error
  }
  return new ShardedWeights(index, places)
}

// A shard is a plain file name: an index from elsewhere must not reach outside of its folder.
function parseIndex(text: string, index: string): ReadonlyMap<string, string> {
  const json = parseJson(text, index)
  const map = json instanceof Map ? (json as ReadonlyMap<string, Json>).get('weight_map') : undefined
  if (!(map instanceof Map) || map.size === 0) throw new TransweldError('ERR_FORMAT', `${index}: expected "weight_map", an object of tensor names and file names`)
  for (const [name, shard] of map as ReadonlyMap<string, Json>) {
    if (typeof shard !== 'string' || !/^[^/\\\0]+\.safetensors$/.test(shard)) {
      throw new TransweldError('ERR_FORMAT', `${index}: expected the name of a .safetensors file beside it for tensor ${JSON.stringify(name)}`)
    }
  }
  return map as ReadonlyMap<string, string>
}
