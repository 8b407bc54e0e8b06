// GPT-2: learned positions, layer norm before attention and before the MLP, biases everywhere.
//
//   stream = token + position
//   stream += proj(attend(qkv(norm₁ stream)))
//   stream += out(act(in(norm₂ stream)))        norm₂ stream is the site mlpInput, out(…) the site mlpOutput
//   logits = unembed(norm stream)
//
// The file stores its linear layers as [in, out]; here they are [out, in], so that every product contracts columns.
import { TransweldError } from '../../native/error.ts'
import type { TensorReader } from '../../safetensors/reader.ts'
import { attend, axpy, embedRows, matmul, norm } from '../../tensor/ops.ts'
import type { Device } from '../../tensor/device.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import type { ModelConfig } from '../config.ts'
import { type Pass, places } from '../pass.ts'
import type { MlpHook } from '../site.ts'

interface Norm { readonly gain: Tensor, readonly bias: Tensor }                  // [1, D] each
interface Linear { readonly weight: Tensor, readonly bias: Tensor }              // [out, in], [1, out]
interface Block { readonly beforeAttention: Norm, readonly qkv: Linear, readonly mixed: Linear, readonly beforeMlp: Norm, readonly into: Linear, readonly out: Linear }

/** The weights of a GPT-2 on a device. */
export interface Gpt2Weights {
  readonly tokens: Tensor                 // [V, D]
  readonly positions: Tensor              // [context, D]
  readonly blocks: readonly Block[]
  readonly last: Norm
  readonly unembedding: Tensor            // [V, D]: `tokens` itself where tied
}

/**
 * Loads the weights; names may carry the prefix `transformer.` or not.
 * @throws ERR_FORMAT where a tensor is missing or of another shape, ERR_NOT_FINITE for NaN or infinity in one.
 */
export async function loadGpt2(file: TensorReader, config: ModelConfig, device: Device): Promise<Gpt2Weights> {
  const { width: D, hidden: M, layers, vocabulary: V, context } = config
  const prefix = file.names.some(name => name.startsWith('transformer.')) ? 'transformer.' : ''
  const made: Tensor[] = []
  const tensor = async (name: string, shape: readonly number[], transpose = false): Promise<Tensor> => {
    if (!file.has(name)) throw new TransweldError('ERR_FORMAT', `expected a tensor ${name} ${JSON.stringify(shape)} in the weights but there is none`)
    const read = await file.readFloat32(name)
    if (read.shape.join() !== shape.join()) throw new TransweldError('ERR_FORMAT', `expected ${name} of shape [${shape}] as config.json says but its shape is [${read.shape}]`)
    const [rows, columns] = shape.length === 1 ? [1, shape[0]!] : [shape[0]!, shape[1]!]
    const out = transpose ? device.from(transposed(read.data, rows, columns), columns, rows) : device.from(read.data, rows, columns)
    made.push(out)
    return out
  }
  const pair = async (name: string): Promise<Norm> => ({ gain: await tensor(`${name}.weight`, [D]), bias: await tensor(`${name}.bias`, [D]) })
  const linear = async (name: string, into: number, out: number): Promise<Linear> =>
    ({ weight: await tensor(`${name}.weight`, [into, out], true), bias: await tensor(`${name}.bias`, [out]) })
  try {
    const tokens = await tensor(`${prefix}wte.weight`, [V, D])
    const positions = await tensor(`${prefix}wpe.weight`, [context, D])
    const blocks: Block[] = []
    for (let l = 0; l < layers; l++) {
      const at = `${prefix}h.${l}`
      blocks.push({
        beforeAttention: await pair(`${at}.ln_1`), qkv: await linear(`${at}.attn.c_attn`, D, 3 * D), mixed: await linear(`${at}.attn.c_proj`, D, D),
        beforeMlp: await pair(`${at}.ln_2`), into: await linear(`${at}.mlp.c_fc`, D, M), out: await linear(`${at}.mlp.c_proj`, M, D),
      })
    }
    const last = await pair(`${prefix}ln_f`)
    const unembedding = config.tied ? tokens : await tensor('lm_head.weight', [V, D])
    return { tokens, positions, blocks, last, unembedding }
  } catch (error) {
    for (const one of made) one.dispose()
    throw error
  }
}

/** Every tensor once, to be disposed or counted. */
export function gpt2Tensors(w: Gpt2Weights): Tensor[] {
  const all = [w.tokens, w.positions, w.last.gain, w.last.bias]
  for (const b of w.blocks) {
    for (const n of [b.beforeAttention, b.beforeMlp]) all.push(n.gain, n.bias)
    for (const l of [b.qkv, b.mixed, b.into, b.out]) all.push(l.weight, l.bias)
  }
  return w.unembedding === w.tokens ? all : [...all, w.unembedding]
}

// [rows, columns] → [columns, rows], in squares that stay in cache.
function transposed(data: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(data.length), square = 32
  for (let r0 = 0; r0 < rows; r0 += square) {
    for (let c0 = 0; c0 < columns; c0 += square) {
      const r1 = Math.min(r0 + square, rows), c1 = Math.min(c0 + square, columns)
      for (let r = r0; r < r1; r++) for (let c = c0; c < c1; c++) out[c * rows + r] = data[r * columns + c]!
    }
  }
  return out
}

type Buffer = 'stream' | 'normed' | 'normalised' | 'qkv' | 'mixed' | 'hidden' | 'out'

/** A forward pass of GPT-2: see {@link Pass}. */
export class Gpt2Pass implements Pass {
  readonly rows: number
  readonly #config: ModelConfig
  readonly #weights: Gpt2Weights
  readonly #full: Readonly<Record<Buffer, Tensor>>
  readonly #ids: Tensor                    // u32 [1, rows]
  readonly #places: Tensor                 // u32 [1, rows]
  readonly #starts: Tensor                 // u32 [1, rows + 1]
  #n = 0
  #sequences = 0

  constructor(config: ModelConfig, weights: Gpt2Weights, device: Device, rows: number) {
    const { width: D, hidden: M } = config
    const room = (columns: number): Tensor => device.tensor('f32', rows, columns)
    this.rows = rows
    this.#config = config
    this.#weights = weights
    this.#full = { stream: room(D), normed: room(D), normalised: room(D), qkv: room(3 * D), mixed: room(D), hidden: room(M), out: room(D) }
    this.#ids = device.tensor('u32', 1, rows)
    this.#places = device.tensor('u32', 1, rows)
    this.#starts = device.tensor('u32', 1, rows + 1)
  }

  get stream(): Tensor { return this.#some('stream') }

  // The rows in use of a buffer.
  #some(name: Buffer): Tensor { return this.#full[name].view(0, this.#n) }

  begin(ids: Uint32Array, starts: Uint32Array): void {
    this.#n = ids.length
    this.#sequences = starts.length - 1
    const row = (full: Tensor): Tensor => full.view(0, 1, 0, this.#n)
    row(this.#ids).write(ids)
    row(this.#places).write(places(starts))
    this.#starts.view(0, 1, 0, starts.length).write(starts)
    embedRows({ ids: row(this.#ids), table: this.#weights.tokens, places: row(this.#places), positions: this.#weights.positions, out: this.stream })
  }

  async blocks(from: number, to: number, mlp?: MlpHook): Promise<void> {
    const { width: D, heads, attentionScales, normEpsilon: epsilon, activation } = this.#config
    const stream = this.stream, normed = this.#some('normed'), normalised = this.#some('normalised'), out = this.#some('out')
    const qkv = this.#some('qkv'), mixed = this.#some('mixed'), hidden = this.#some('hidden')
    const starts = this.#starts.view(0, 1, 0, this.#sequences + 1), n = this.#n
    const [q, k, v] = [qkv.view(0, n, 0, D), qkv.view(0, n, D, 2 * D), qkv.view(0, n, 2 * D, 3 * D)]
    for (let l = from; l < to; l++) {
      const w = this.#weights.blocks[l]!
      norm({ x: stream, ...w.beforeAttention, epsilon, out: normed })
      matmul({ a: normed, b: w.qkv.weight, bias: w.qkv.bias, c: qkv })
      attend({ q, k, v, starts, heads, scale: attentionScales[l]!, out: mixed })
      matmul({ a: mixed, b: w.mixed.weight, bias: w.mixed.bias, c: stream, accumulate: true })
      norm({ x: stream, ...w.beforeMlp, epsilon, out: normed, ...(mlp && { normalised }) })
      matmul({ a: normed, b: w.into.weight, bias: w.into.bias, activation, c: hidden })
      matmul({ a: hidden, b: w.out.weight, bias: w.out.bias, c: out })
      const sites = { residualMiddle: stream, mlpNormalised: normalised, mlpInput: normed, mlpOutput: out, mlpWrite: out }
      const replaced = mlp?.(l, sites)
      const write = (replaced instanceof Promise ? await replaced : replaced) ?? out
      axpy({ alpha: 1, x: stream, beta: 1, y: write, out: stream })
    }
  }

  logits(from: number, to: number, out: Tensor): void {
    const normed = this.#full.normed.view(from, to), { last, unembedding } = this.#weights
    norm({ x: this.#full.stream.view(from, to), ...last, epsilon: this.#config.normEpsilon, out: normed })
    matmul({ a: normed, b: unembedding, c: out })
  }

  dispose(): void {
    for (const one of [...Object.values(this.#full), this.#ids, this.#places, this.#starts]) one.dispose()
  }
}
