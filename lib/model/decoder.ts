// The forward pass of every family, over its sizes and weights: a decoder-only transformer.
//
//   stream = scale · token (+ position)
//   a block        stream += norm?(mix(attend(turn(norm?(qkv(norm? stream))))))       turn: rotary positions
//                  stream += norm?(out(hidden(into(norm? stream))))                   hidden: act(x), or act(gate) · up
//                  a parallel block gives both the stream before it
//   logits = unembed(norm stream), capped
//
// A part with a question mark is there where its weights are. Buffers are made once, for `rows` rows.
import { attend, axpy, cast, embedRows, gate, matmul, norm, normFrozen, rope, scatterRows } from '../tensor/ops.ts'
import type { Device } from '../tensor/device.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { Angles } from './angles.ts'
import type { Block, Linear, Matrix, ModelConfig, NormWeights, Weights } from './architecture.ts'
import { Feed } from './feed.ts'
import type { Continued, Pass } from './pass.ts'
import { checkSite, type MlpHook, type NormName, type SiteHooks, type Sites } from './site.ts'
import { Visits } from './visits.ts'

/** What passes of one model share. */
export interface Running {
  readonly config: ModelConfig
  readonly weights: Weights
  readonly device: Device
  readonly angles: Angles
  /** Products of bf16 weights round their other side to bf16 too. */
  readonly isRounded: boolean
}

type Buffer = 'stream' | 'normed' | 'qkv' | 'mixed' | 'hidden' | 'out'

/** A forward pass: see {@link Pass}. */
export class Decoder implements Pass {
  readonly rows: number
  readonly #model: Running
  readonly #full: Readonly<Record<Buffer, Tensor>>
  readonly #feed: Feed
  #normalised: Tensor | undefined        // [rows, D]; made where a hook wants it first
  #written: Tensor | undefined           // [rows, D]; where a norm comes after attention or MLP
  #one: Tensor | undefined               // [1, 1], 1

  constructor(model: Running, rows: number) {
    const { config: { width: D, hidden: M, heads, keyHeads, headWidth: W, gated }, weights, device } = model
    const room = (columns: number): Tensor => device.tensor('f32', rows, columns)
    this.rows = rows
    this.#model = model
    this.#full = device.allOrNothing(() => {
      if (weights.blocks.some(block => block.afterAttention ?? block.afterMlp)) this.#written = room(D)
      return { stream: room(D), normed: room(D), qkv: room((heads + 2 * keyHeads) * W), mixed: room(heads * W), hidden: room(gated ? 2 * M : M), out: room(D) }
    })
    try {
      this.#feed = new Feed(model, rows)
    } catch (error) {
      for (const one of [...Object.values(this.#full), this.#written]) one?.dispose()
      throw error
    }
  }

  get stream(): Tensor { return this.#some('stream') }

  // The rows in use of a buffer.
  #some(name: Buffer): Tensor { return this.#full[name].view(0, this.#feed.rows) }

  begin(ids: Uint32Array, starts: Uint32Array, after?: Continued): void {
    const { config, weights: { tokens, positions } } = this.#model
    this.#feed.set(ids, starts, after)
    embedRows({
      ids: this.#feed.ids, table: tokens.weight, tableScales: tokens.scales, scale: config.embeddingScale,
      ...(positions && { places: this.#feed.places, positions }), out: this.stream,
    })
  }

  async blocks(from: number, to: number, hooks?: MlpHook | SiteHooks): Promise<void> {
    const { config, weights } = this.#model, mlp = typeof hooks === 'function' ? hooks : undefined
    const at = typeof hooks === 'object' ? new Visits(hooks, config, this.#feed.placesHere) : undefined
    for (let l = from; l < to; l++) {
      const w = weights.blocks[l]!
      at?.check(l, w)
      await this.#attention(l, w, at)
      if (!config.parallel) await this.#addAttention(l, w, at)
      const input = await this.#mlpInput(l, w, mlp !== undefined, at)
      if (config.parallel) await this.#addAttention(l, w, at)
      await this.#mlp(l, w, input, mlp, at)
    }
  }

  // Leaves in `mixed` what attention mixed.
  async #attention(l: number, w: Block, at: Visits | undefined): Promise<void> {
    const { config: { heads, keyHeads, headWidth: W, normEpsilon: epsilon, norm: kind, attention } } = this.#model
    const { rotary, scale, window, cap } = attention[l]!, { keys: kept, starts } = this.#feed, out = this.#some('mixed')
    const stream = this.stream, qkv = this.#some('qkv'), n = stream.rows
    const [q, k, v] = [qkv.view(0, n, 0, heads * W), qkv.view(0, n, heads * W, (heads + keyHeads) * W), qkv.view(0, n, (heads + keyHeads) * W)]
    if (at) await at.reach(l, 'residualBefore', stream)
    const input = await this.#normed(l, 'beforeAttention', w.beforeAttention, false, at)
    if (at) await at.reach(l, 'attentionInput', input)
    this.#product(input, w.qkv, qkv)
    if (at) for (const [site, part] of [['queries', q], ['keys', k], ['values', v]] as const) await at.reach(l, site, part)
    for (const [name, part] of [['queries', q], ['keys', k]] as const) {
      const weights = w[name]
      if (weights) norm({ x: part, kind, groups: groups(weights, part.columns, W), ...weights, epsilon, out: part, inverse: at?.inverse(l, name) })
    }
    if (rotary !== undefined) rope({ x: qkv.view(0, n, 0, (heads + keyHeads) * W), heads: heads + keyHeads, ...this.#feed.turning(rotary) })
    if (at) for (const [site, part] of [['queriesTurned', q], ['keysTurned', k]] as const) await at.reach(l, site, part)
    const options = { q, starts, heads, keyHeads, scale, window, cap, out }
    if (kept) {
      const { cache, index, starts: keyStarts, counts: keyCounts } = kept
      scatterRows({ source: k, index, out: cache.keys[l]! })
      scatterRows({ source: v, index, out: cache.values[l]! })
      attend({ ...options, k: cache.keys[l]!, v: cache.values[l]!, keyStarts, keyCounts })
    } else attend({ ...options, k, v })
    if (at) await at.reach(l, 'attentionMixed', out)
  }

  // Straight into the stream, unless a norm comes between or somebody looks.
  async #addAttention(l: number, w: Block, at: Visits | undefined): Promise<void> {
    const stream = this.stream, mixed = this.#some('mixed'), out = this.#some('out')
    if (!w.afterAttention && !at?.wants(l, 'attentionOutput') && !at?.wants(l, 'attentionWrite')) this.#product(mixed, w.mixed, stream, true)
    else {
      this.#product(mixed, w.mixed, out)
      if (at) await at.reach(l, 'attentionOutput', out)
      const write = this.#after(l, 'afterAttention', w.afterAttention, out, at)
      if (at) await at.reach(l, 'attentionWrite', write)
      axpy({ alpha: 1, x: stream, beta: 1, y: write, out: stream })
    }
    if (at) await at.reach(l, 'residualMiddle', stream)
  }

  async #mlpInput(l: number, w: Block, wantsNormalised: boolean, at: Visits | undefined): Promise<Tensor> {
    const input = await this.#normed(l, 'beforeMlp', w.beforeMlp, wantsNormalised, at)
    if (at) await at.reach(l, 'mlpInput', input)
    return input
  }

  async #mlp(l: number, w: Block, input: Tensor, mlp: MlpHook | undefined, at: Visits | undefined): Promise<void> {
    const { gated, activation, hidden: M } = this.#model.config, stream = this.stream, wide = this.#some('hidden'), out = this.#some('out')
    const hidden = gated ? wide.view(0, wide.rows, 0, M) : wide
    if (gated) {
      this.#product(input, w.into, wide)
      gate({ a: hidden, b: wide.view(0, wide.rows, M), activation, out: hidden })
    } else matmul({ ...this.#factors(input, w.into), bias: w.into.bias, activation, c: hidden })
    if (at) await at.reach(l, 'mlpHidden', hidden)
    this.#product(hidden, w.out, out)
    if (at) await at.reach(l, 'mlpOutput', out)
    const write = this.#after(l, 'afterMlp', w.afterMlp, out, at)
    if (at) await at.reach(l, 'mlpWrite', write)
    const given = mlp?.(l, this.#sites(w, input, out, write)), replaced = given instanceof Promise ? await given : given
    axpy({ alpha: 1, x: stream, beta: 1, y: replaced ?? write, out: stream })
    if (at) await at.reach(l, 'residualAfter', stream)
  }

  #sites(w: Block, mlpInput: Tensor, mlpOutput: Tensor, mlpWrite: Tensor): Sites {
    const { config } = this.#model, stream = this.stream, normalised = this.#normalised?.view(0, stream.rows)
    return {
      stream, mlpInput, mlpOutput, mlpWrite,
      get residualMiddle() { checkSite('residualMiddle', config, w); return stream },
      get mlpNormalised() { checkSite('mlpNormalised', config, w); return normalised! },
    }
  }

  // The stream normed, in `normed`; where there is no norm the stream itself, or a copy if somebody may write it.
  async #normed(l: number, name: 'beforeAttention' | 'beforeMlp', w: NormWeights | undefined, wantsNormalised: boolean, at?: Visits): Promise<Tensor> {
    const { config: { normEpsilon: epsilon, norm: kind } } = this.#model, stream = this.stream, out = this.#some('normed')
    const [before, input] = name === 'beforeMlp' ? ['mlpNormalised', 'mlpInput'] as const : ['attentionNormalised', 'attentionInput'] as const
    if (!w) {
      if (!at?.wants(l, input)) return stream
      cast({ source: stream, out })
      return out
    }
    const isWanted = wantsNormalised || at?.wants(l, before) === true, normalised = isWanted ? this.#roomForNormalised() : undefined
    norm({ x: stream, kind, ...w, epsilon, normalised, inverse: at?.inverse(l, name), out })
    if (at && normalised && await at.reach(l, before, normalised)) this.#regain(normalised, w, out)
    return out
  }

  // Gain and bias of a norm once more, for elements that a hook has changed. Where there is a bias the last bit may differ from
  // the norm's own, whose product and sum are rounded once.
  #regain(normalised: Tensor, { gain, bias }: NormWeights, out: Tensor): void {
    this.#one ??= this.#model.device.from(Float32Array.of(1), 1, 1)
    normFrozen({ x: normalised, kind: 'rms', gain, inverse: this.#one, out })
    if (bias) axpy({ alpha: 1, x: out, beta: 1, y: bias, out })
  }

  // What comes out of a norm after attention or MLP; without one, `x` itself.
  #after(l: number, name: NormName, w: NormWeights | undefined, x: Tensor, at: Visits | undefined): Tensor {
    if (!w) return x
    const { normEpsilon: epsilon, norm: kind } = this.#model.config, out = this.#written!.view(0, x.rows)
    norm({ x, kind, ...w, epsilon, inverse: at?.inverse(l, name), out })
    return out
  }

  writeOf(layer: number, output: Tensor): Tensor {
    return this.#after(layer, 'afterMlp', this.#model.weights.blocks[layer]!.afterMlp, output, undefined)
  }

  logits(from: number, to: number, out: Tensor): void {
    this.#unembed(this.#last(from, to), out)
  }

  async logitsWith(from: number, to: number, out: Tensor | undefined, hooks: SiteHooks): Promise<void> {
    const { config, weights } = this.#model, l = config.layers
    const at = new Visits(hooks, config, this.#feed.placesHere.subarray(from, to))
    const normalised = at.wants(l, 'finalNormalised') ? this.#roomForNormalised().view(from, to) : undefined
    const input = this.#last(from, to, normalised, at.inverse(l, 'last')?.view(from, to))
    if (normalised && await at.reach(l, 'finalNormalised', normalised)) this.#regain(normalised, weights.last, input)
    await at.reach(l, 'finalInput', input)
    if (out) this.#unembed(input, out)
  }

  #last(from: number, to: number, normalised?: Tensor, inverse?: Tensor): Tensor {
    const { normEpsilon: epsilon, norm: kind } = this.#model.config, out = this.#full.normed.view(from, to)
    norm({ x: this.#full.stream.view(from, to), kind, ...this.#model.weights.last, epsilon, normalised, inverse, out })
    return out
  }

  #unembed(input: Tensor, out: Tensor): void {
    matmul({ ...this.#factors(input, this.#model.weights.unembedding), cap: this.#model.config.logitCap, c: out })
  }

  #roomForNormalised(): Tensor {
    this.#normalised ??= this.#model.device.tensor('f32', this.rows, this.#model.config.width)
    return this.#normalised.view(0, this.#feed.rows)
  }

  #product(a: Tensor, w: Linear, c: Tensor, accumulate = false): void {
    matmul({ ...this.#factors(a, w), bias: w.bias, c, accumulate })
  }

  #factors(a: Tensor, { weight, scales }: Matrix): { a: Tensor, b: Tensor, bScales?: Tensor | undefined, arithmetic?: 'rounded' } {
    return { a, b: weight, bScales: scales, ...(this.#model.isRounded && weight.dtype === 'bf16' && { arithmetic: 'rounded' as const }) }
  }

  dispose(): void {
    this.#feed.dispose()
    for (const one of [...Object.values(this.#full), this.#normalised, this.#written, this.#one]) one?.dispose()
  }
  [Symbol.dispose](): void { this.dispose() }
}

// Heads that a norm of queries or keys norms each by itself; 1 where its gain is of the whole row.
function groups({ gain }: NormWeights, columns: number, headWidth: number): number {
  return gain === undefined || gain.columns === headWidth ? columns / headWidth : 1
}
