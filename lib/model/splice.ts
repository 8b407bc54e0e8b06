// Splices: something else in the place of what a model has at a site, or added to it, or a multiple of it, in any run of the model.
import { closed, finite, integer, invalid } from '../native/check.ts'
import { TransweldError } from '../native/error.ts'
import { axpy } from '../tensor/ops.ts'
import { Tensor } from '../tensor/tensor.ts'
import type { LanguageModel } from './model.ts'
import { placeFor } from './names.ts'
import { checkSite, isFinal, type MlpSite, type Site, type SiteHooks } from './site.ts'

/** Where a {@link SpliceWork} is called. */
export interface SplicedAt {
  readonly layer: number
  readonly site: Site
  /** Of each row, its place in its sequence. */
  readonly places: Uint32Array
}

/**
 * Gets the tensor [N, columns] of a site. It may enqueue ops that write it in place, or return another of its shape, or [1, columns] for every
 * row. The tensor is the model's own: it holds other numbers once the work has ended.
 */
export type SpliceWork = (tensor: Tensor, at: SplicedAt) => Tensor | void | Promise<Tensor | void>

/** What maps one site of a layer to another, such as a `Transcoder`. */
export interface Coder {
  readonly layer: number
  readonly reads: MlpSite
  readonly writes: MlpSite
  readonly outputs: number
  /** Room for the codes of `rows` rows. */
  space(rows: number): { readonly rows: number, dispose(): void }
  encode(x: Tensor, space: ReturnType<Coder['space']>): void | Promise<void>
  decode(x: Tensor, space: ReturnType<Coder['space']>, out: Tensor): void
}

interface At {
  /** Our name of the site, or one of TransformerLens or Hugging Face, which may name the layer too: `blocks.3.hook_resid_post`. */
  readonly site: string
  /** Default: all, or the one that the name says. */
  readonly layers?: number | readonly number[]
}

/**
 * One change of a model. `replace` puts a tensor [N, columns], or [1, columns] for every row, in place; `add` adds it, `times` a factor (default 1);
 * `scale` multiplies; `work` does anything; `coder` puts what a transcoder makes of the site that it reads at the site that it writes. The tensors
 * stay the caller's.
 */
export type Splice = At & { readonly replace: Tensor } | At & { readonly add: Tensor, readonly times?: number } | At & { readonly scale: number }
  | At & { readonly work: SpliceWork } | { readonly coder: Coder }

interface Step { readonly places: Places, readonly work: SpliceWork }

/** The splices of one run. Owns the rooms of coders. */
export class Splices implements SiteHooks {
  readonly #steps: readonly Step[]
  readonly #owned: { dispose(): void }[] = []

  constructor(model: LanguageModel, splices: readonly Splice[]) {
    if (!Array.isArray(splices)) throw invalid('splices', 'a list of splices', splices)
    this.#steps = splices.map(splice => 'coder' in splice ? this.#coderStep(model, splice) : step(model, splice))
  }

  wants(layer: number, site: Site): boolean { return this.#steps.some(({ places }) => places.get(site)?.has(layer) === true) }

  async at(layer: number, site: Site, tensor: Tensor, rows: Uint32Array): Promise<Tensor | void> {
    let last: Tensor | undefined
    for (const { places, work } of this.#steps) {
      if (!places.get(site)?.has(layer)) continue
      if (last) axpy({ x: last, out: tensor })                 // the next splice sees what the one before it put there
      last = await work(tensor, { layer, site, places: rows }) ?? undefined
    }
    return last
  }

  dispose(): void { for (const one of this.#owned) one.dispose() }
  [Symbol.dispose](): void { this.dispose() }

  // Encodes where it reads, for the tensor may hold something else by the time that it writes.
  #coderStep(model: LanguageModel, splice: { readonly coder: Coder }): Step {
    closed('a splice', splice, ['coder'])
    const { coder } = splice, { layer, reads, writes } = coder
    if (layer >= model.config.layers || coder.outputs !== model.config.width) {
      throw new TransweldError('ERR_SHAPE_MISMATCH',
        `expected a coder for ${model.config.layers} layers of width ${model.config.width} but received one of layer ${layer} with ${coder.outputs} outputs`)
    }
    for (const site of [reads, writes]) checkSite(site, model.config, model.weights.blocks[layer]!)
    const room = new CoderRoom(coder, model)
    this.#owned.push(room)
    const work: SpliceWork = async (tensor, { site }) => {
      if (site === reads) await room.read(tensor)
      return site === writes ? room.out(tensor.rows) : undefined
    }
    return { places: new Map([[reads, new Set([layer])], [writes, new Set([layer])]]), work }
  }
}

// The codes and the output of a coder for as many rows as ran last.
class CoderRoom {
  readonly #coder: Coder
  readonly #model: LanguageModel
  #space: ReturnType<Coder['space']> | undefined
  #out: Tensor | undefined

  constructor(coder: Coder, model: LanguageModel) { this.#coder = coder; this.#model = model }

  async read(x: Tensor): Promise<void> {
    if (this.#space?.rows !== x.rows) {
      this.dispose()
      this.#space = this.#coder.space(x.rows)
      this.#out = this.#model.device.tensor('f32', x.rows, this.#coder.outputs)
    }
    await this.#coder.encode(x, this.#space!)
    this.#coder.decode(x, this.#space!, this.#out!)
  }

  out(rows: number): Tensor { return this.#out!.view(0, rows) }

  dispose(): void {
    this.#space?.dispose()
    this.#out?.dispose()
    this.#space = this.#out = undefined
  }
}

function step(model: LanguageModel, splice: Exclude<Splice, { coder: Coder }>): Step {
  closed('a splice', splice, ['site', 'layers', 'replace', 'add', 'times', 'scale', 'work'])
  return { places: placesOf(model, [splice.site], splice.layers), work: workOf(splice) }
}

function workOf(splice: Exclude<Splice, { coder: Coder }>): SpliceWork {
  const kinds = ['replace', 'add', 'scale', 'work'].filter(kind => kind in splice)
  if (kinds.length !== 1) throw invalid('a splice', 'exactly one of replace, add, scale, work and coder', kinds.join(' and ') || 'none')
  if ('work' in splice) {
    if (typeof splice.work !== 'function') throw invalid('work of a splice', 'a function', splice.work)
    return splice.work
  }
  if ('scale' in splice) {
    const scale = finite('scale of a splice', splice.scale)
    return tensor => axpy({ alpha: scale, x: tensor, out: tensor })
  }
  const given = 'replace' in splice ? splice.replace : splice.add
  if (!(given instanceof Tensor)) throw invalid('replace or add of a splice', 'a Tensor', given)
  if ('replace' in splice) return () => given
  const times = finite('times of a splice', splice.times ?? 1)
  return tensor => axpy({ x: tensor, beta: times, y: given, out: tensor })
}

/** Layers by site. */
export type Places = ReadonlyMap<Site, ReadonlySet<number>>

/** The places that names mean: of the layer that a name says, else of `layers`, else of all; layer L where a site comes after the last block. */
export function placesOf(model: LanguageModel, names: readonly string[], layers: number | readonly number[] | undefined): Places {
  const { config } = model, found = new Map<Site, Set<number>>()
  const given = layers === undefined ? [...config.attention.keys()] : typeof layers === 'number' ? [layers] : layers
  if (Array.isArray(given) && given.length === 0) throw invalid('layers', 'at least one layer', given)
  for (const name of names) {
    const { site, layer } = placeFor('site', name, config), set = found.get(site) ?? new Set()
    found.set(site, set)
    for (const l of isFinal(site) ? [config.layers] : layer === undefined ? given : [layer]) {
      set.add(l)
      if (isFinal(site)) continue
      integer('a layer', l, 0, config.layers - 1)
      checkSite(site, config, model.weights.blocks[l]!)
    }
  }
  return found
}
