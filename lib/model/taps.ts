// Taps: what a model has at its sites, copied on the device while it reads, a batch of sequences at a time. Nothing crosses to the host
// unless it is asked for, and the model stops after the last layer that is tapped.
import { closed, integer, invalid, signal as checkSignal } from '../native/check.ts'
import { TransweldError } from '../native/error.ts'
import { axpy, cast } from '../tensor/ops.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { LanguageModel } from './model.ts'
import { placeFor } from './names.ts'
import type { Pass } from './pass.ts'
import { idsOf, packed, type Packed, type Sequences } from './sequences.ts'
import { isFinal, type Site, type SiteHooks, siteWidth } from './site.ts'
import { type Places, placesOf, type Splice, Splices } from './splice.ts'

/** Options of {@link LanguageModel.taps}. */
export interface TapOptions {
  /** Our names of sites, or those of TransformerLens or Hugging Face, which may name a layer too: `blocks.3.hook_resid_post`. */
  readonly sites: string | readonly string[]
  /** Layers of the sites whose names say none. Default: all. */
  readonly layers?: number | readonly number[]
  /** Rows of a batch: whole sequences are packed up to it. Default 2048. */
  readonly batchRows?: number
  /** Changes of the model while it reads. Default none. */
  readonly splices?: readonly Splice[]
  /** Stops it between two batches. */
  readonly signal?: AbortSignal
}

const KEYS = ['sites', 'layers', 'batchRows', 'splices', 'signal'] satisfies (keyof TapOptions)[]
/** Rows of a batch: its buffers stay near the cores' caches. */
export const BATCH_ROWS = 2048

/** What was tapped of one batch. Its tensors are the taps' own: they hold other numbers once the next batch is asked for. */
export interface Tapped extends Packed {
  /** Rows before this batch. */
  readonly at: number
  /**
   * f32 [N, columns of the site].
   * @param layer may be left out where one layer was tapped, or the site comes after the last block
   * @throws TransweldError ERR_INVALID_ARGUMENT for a place that was not tapped
   */
  tensor(site: string, layer?: number): Tensor<'f32'>
}

/** See {@link LanguageModel.taps}. */
export async function* taps(model: LanguageModel, input: Sequences, options: TapOptions): AsyncGenerator<Tapped, void, undefined> {
  closed('taps', options, KEYS)
  const { sites, layers, splices = [] } = options, signal = checkSignal('signal of taps', options.signal), rows = integer('batchRows', options.batchRows ?? BATCH_ROWS, 1)
  const places = placesOf(model, namesOf(sites), layers)
  let run: Run | undefined, at = 0
  try {
    for await (const { ids, starts } of packed(checked(model, input), rows)) {
      if (signal?.aborted) throw new TransweldError('ERR_ABORTED', 'the taps were stopped by their signal', { cause: signal.reason })
      if (run === undefined || run.rows < ids.length) {
        run?.dispose()
        run = undefined
        run = new Run(model, places, splices, at === 0 ? ids.length : Math.max(rows, ids.length))
      }
      await run.read(ids, starts)
      yield run.tapped(at, ids, starts)
      at += ids.length
    }
  } finally { run?.dispose() }
}

function namesOf(sites: unknown): readonly string[] {
  const list = typeof sites === 'string' ? [sites] : sites
  if (!Array.isArray(list) || list.length === 0) throw invalid('sites of taps', 'a site, or a list of at least one', sites)
  return list as string[]
}

async function* checked(model: LanguageModel, input: Sequences): AsyncGenerator<{ readonly ids: Uint32Array }, void, undefined> {
  for await (const ids of idsOf(model, input)) yield { ids: model.checkIds(ids) }
}

/** The buffers of taps, for batches of up to `rows` rows. */
class Run implements SiteHooks {
  readonly rows: number
  readonly #model: LanguageModel
  readonly #places: Places
  readonly #pass: Pass
  readonly #splices: Splices
  readonly #kept = new Map<string, Tensor<'f32'>>()
  readonly #depth: number
  readonly #isFinal: boolean

  constructor(model: LanguageModel, places: Places, splices: readonly Splice[], rows: number) {
    this.rows = rows
    this.#model = model
    this.#places = places
    this.#isFinal = [...places.keys()].some(isFinal)
    this.#depth = Math.min(model.config.layers, 1 + Math.max(...[...places.values()].flatMap(set => [...set])))
    this.#splices = new Splices(model, splices)
    this.#pass = model.pass(rows)
    try {
      model.device.allOrNothing(() => {
        for (const [site, layers] of places) {
          for (const l of layers) this.#kept.set(`${site} ${l}`, model.device.tensor('f32', rows, siteWidth(site, model.config)))
        }
      })
    } catch (error) { this.#pass.dispose(); throw error }
  }

  wants(layer: number, site: Site): boolean { return this.#isTapped(layer, site) || this.#splices.wants(layer, site) }

  at(layer: number, site: Site, tensor: Tensor, rows: Uint32Array): Tensor | void | Promise<Tensor | void> {
    if (!this.#splices.wants(layer, site)) return this.#keep(layer, site, tensor)
    return this.#splices.at(layer, site, tensor, rows).then(other => {
      if (this.#isTapped(layer, site)) this.#keep(layer, site, other ?? tensor)
      return other
    })
  }

  async read(ids: Uint32Array, starts: Uint32Array): Promise<void> {
    this.#pass.begin(ids, starts)
    await this.#pass.blocks(0, this.#depth, this)
    if (this.#isFinal) await this.#pass.logitsWith(0, ids.length, undefined, this)
  }

  tapped(at: number, ids: Uint32Array, starts: Uint32Array): Tapped {
    const tensor = (name: string, layer?: number): Tensor<'f32'> => {
      const { site, layer: named } = placeFor('site', name, this.#model.config), layers = this.#places.get(site)
      const l = named ?? layer ?? (layers?.size === 1 ? [...layers][0] : undefined), found = this.#kept.get(`${site} ${l}`)
      if (found === undefined) throw invalid('a place that is tapped', [...this.#kept.keys()].slice(0, 8).join(', '), `${site} ${l ?? 'of no layer'}`)
      return found.view(0, ids.length)
    }
    return { at, ids, starts, tensor }
  }

  #isTapped(layer: number, site: Site): boolean { return this.#places.get(site)?.has(layer) === true }

  // A splice may have put one row there for all.
  #keep(layer: number, site: Site, tensor: Tensor): void {
    const out = this.#kept.get(`${site} ${layer}`)!.view(0, this.#pass.stream.rows)
    if (tensor.rows === out.rows) cast({ source: tensor, out })
    else axpy({ x: tensor, out })
  }

  dispose(): void {
    for (const one of [this.#pass, this.#splices, ...this.#kept.values()]) one.dispose()
  }
}
