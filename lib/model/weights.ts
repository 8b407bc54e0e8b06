// Loads the weights of a model: checks every name, shape and dtype against the plan before a byte is read, then fills one tensor after
// another. Matrices take the dtype that is asked for; what is added or multiplied element by element stays f32.
import { TransweldError } from '../native/error.ts'
import type { TensorReader } from '../safetensors/reader.ts'
import type { Device } from '../tensor/device.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type {
  Block, BlockSource, Linear, LinearSource, Matrix, MatrixSource, ModelSource, NormSource, NormWeights, Part, VectorSource, Weights,
} from './architecture.ts'

/** What matrices are kept as: i8 has a scale for each row. */
export type WeightDtype = 'f32' | 'bf16' | 'f16' | 'i8'

/** Every tensor that a source names, with all its parts. */
export function partsOf(source: ModelSource): Part[] {
  const vector = (v: VectorSource | undefined): readonly Part[] => v?.parts ?? []
  const norm = (n: NormSource | undefined): Part[] => [...vector(n?.gain), ...vector(n?.bias)]
  const linear = (l: LinearSource): Part[] => [...l.weight, ...vector(l.bias)]
  const block = (b: BlockSource): Part[] => [
    ...norm(b.beforeAttention), ...linear(b.qkv), ...norm(b.queries), ...norm(b.keys), ...linear(b.mixed), ...norm(b.afterAttention),
    ...norm(b.beforeMlp), ...linear(b.into), ...linear(b.out), ...norm(b.afterMlp),
  ]
  return [...source.tokens, ...source.positions ?? [], ...source.blocks.flatMap(block), ...norm(source.last), ...source.unembedding ?? []]
}

const FLOATS: readonly string[] = ['F32', 'F16', 'BF16']
const LISTED = 3          // names in an error

/**
 * Holds a file to a source: nothing missing, nothing misshapen, nothing left over.
 * @throws ERR_FORMAT for a tensor that is missing, of another shape or not accounted for, ERR_UNSUPPORTED for one that is not f32, bf16 or f16.
 */
export function checkWeights(file: TensorReader, source: ModelSource): void {
  const used = new Set<string>(), wrong = (message: string): TransweldError => new TransweldError('ERR_FORMAT', message)
  for (const { name, shape } of partsOf(source)) {
    if (used.has(name)) continue
    used.add(name)
    if (!file.has(name)) throw wrong(`expected a tensor ${name} [${shape}] in the weights but there is none. Are they of the model of this config.json?`)
    const { shape: found, dtype } = file.entry(name)
    if (found.join() !== shape.join()) throw wrong(`expected ${name} of shape [${shape}] as config.json says but its shape is [${found}]`)
    if (!FLOATS.includes(dtype)) {
      throw new TransweldError('ERR_UNSUPPORTED', `expected ${FLOATS.join(', ')} for ${name} but it is ${dtype}: quantised weights are not supported`)
    }
  }
  const left = file.names.filter(name => !used.has(name) && !source.ignored.some(known => known.test(name)))
  if (left.length === 0) return
  const listed = left.slice(0, LISTED).map(name => `${name} [${file.entry(name).shape}]`).join(', ') + (left.length > LISTED ? ', …' : '')
  throw wrong(`the weights hold tensors that a model of this config.json does not have, ${left.length} in all: ${listed}. They would change what it computes`)
}

/**
 * Loads what `source` says onto `device`. One tensor of the file is in memory at a time; after a failure nothing is kept.
 * @throws as {@link checkWeights}; ERR_NOT_FINITE for NaN or infinity, ERR_OUT_OF_MEMORY, ERR_FILE; ERR_ABORTED between two matrices.
 */
export async function loadWeights(
  file: TensorReader, source: ModelSource, device: Device, options: { readonly dtype: WeightDtype, readonly signal?: AbortSignal | undefined },
): Promise<Weights> {
  checkWeights(file, source)
  const made: Tensor[] = [], { dtype, signal } = options
  const room = <D extends WeightDtype>(type: D, rows: number, columns: number): Tensor<D> => {
    const tensor = device.tensor(type, rows, columns)
    made.push(tensor)
    return tensor
  }
  const matrix = async (parts: MatrixSource, type = dtype): Promise<Matrix> => {
    if (signal?.aborted) throw new TransweldError('ERR_ABORTED', 'the loading of the weights was stopped by its signal', { cause: signal.reason })
    const rows = parts.map(rowsOf), total = rows.reduce((sum, n) => sum + n, 0), columns = columnsOf(parts[0]!)
    const weight = room(type, total, columns), scales = type === 'i8' ? room('f32', 1, total) : undefined
    let end = 0
    await Promise.all(parts.map((part, i) => {            // enqueued at once, done one after another
      const at = end
      end += rows[i]!
      return file.load(part.name, weight.view(at, end), { turned: part.turned, rows: part.rows, scales: scales?.view(0, 1, at, end) })
    }))
    return { weight, scales }
  }
  const vector = async (from: VectorSource | undefined): Promise<Tensor | undefined> => {
    if (from === undefined) return undefined
    const lengths = from.parts.map(rowsOf), data = new Float32Array(lengths.reduce((sum, n) => sum + n, 0)), tensor = room('f32', 1, data.length)
    let at = 0, last: { name: string, data: Float32Array } | undefined
    for (const [i, { name, rows }] of from.parts.entries()) {
      if (last?.name !== name) last = { name, data: (await file.readFloat32(name)).data }
      data.set(rows === undefined ? last.data : last.data.subarray(...rows), at)
      at += lengths[i]!
    }
    tensor.write(from.plusOne ? data.map(x => 1 + x) : data)
    return tensor
  }
  const norm = async (from: NormSource | undefined): Promise<NormWeights | undefined> =>
    from === undefined ? undefined : { gain: await vector(from.gain), bias: await vector(from.bias) }
  const linear = async (from: LinearSource): Promise<Linear> => ({ ...await matrix(from.weight), bias: await vector(from.bias) })
  const block = async (b: BlockSource): Promise<Block> => ({
    beforeAttention: await norm(b.beforeAttention), qkv: await linear(b.qkv), queries: await norm(b.queries), keys: await norm(b.keys),
    mixed: await linear(b.mixed), afterAttention: await norm(b.afterAttention), beforeMlp: await norm(b.beforeMlp), into: await linear(b.into),
    out: await linear(b.out), afterMlp: await norm(b.afterMlp),
  })
  try {
    const tokens = await matrix(source.tokens)
    const positions = source.positions && (await matrix(source.positions, dtype === 'i8' ? 'f32' : dtype)).weight
    const blocks: Block[] = []
    for (const b of source.blocks) blocks.push(await block(b))
    const last = await norm(source.last) ?? {}, unembedding = source.unembedding === undefined ? tokens : await matrix(source.unembedding)
    await device.wait()
    return { tokens, positions, blocks, last, unembedding }
  } catch (error) {
    for (const one of made) one.dispose()
    if (!device.isDisposed) await device.wait()        // what was enqueued holds its tensors until it has run
    throw error
  }
}

/** Every tensor once, to be disposed or counted; those of scales may be left out. */
export function weightTensors({ tokens, positions, blocks, last, unembedding }: Weights, hasScales = true): Tensor[] {
  const matrix = (m: Linear): (Tensor | undefined)[] => [m.weight, hasScales ? m.scales : undefined, m.bias]
  const norm = (n: NormWeights | undefined): (Tensor | undefined)[] => [n?.gain, n?.bias]
  const all = [...matrix(tokens), positions, ...norm(last), ...blocks.flatMap(b => [
    ...norm(b.beforeAttention), ...matrix(b.qkv), ...norm(b.queries), ...norm(b.keys), ...matrix(b.mixed), ...norm(b.afterAttention),
    ...norm(b.beforeMlp), ...matrix(b.into), ...matrix(b.out), ...norm(b.afterMlp),
  ]), ...unembedding === tokens ? [] : matrix(unembedding)]
  return all.filter(one => one !== undefined)
}

function rowsOf({ shape, rows, turned }: Part): number { return rows === undefined ? shape[turned ? 1 : 0]! : rows[1] - rows[0] }
function columnsOf({ shape, turned }: Part): number { return shape[turned ? 0 : 1]! }
