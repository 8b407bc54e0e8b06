// What a pass does at a site that somebody wants: calls the hook, and puts what it returns in place.
import { TransweldError } from '../native/error.ts'
import { axpy, cast } from '../tensor/ops.ts'
import { describe, type Tensor } from '../tensor/tensor.ts'
import type { Block, ModelConfig } from './architecture.ts'
import { checkSite, type NormName, type Site, type SiteHooks } from './site.ts'

/** The hooks of one run through some blocks. */
export class Visits {
  readonly #hooks: SiteHooks
  readonly #config: ModelConfig
  readonly #places: Uint32Array

  /** @param places of each row its place in its sequence */
  constructor(hooks: SiteHooks, config: ModelConfig, places: Uint32Array) {
    this.#hooks = hooks
    this.#config = config
    this.#places = places
  }

  wants(layer: number, site: Site): boolean { return this.#hooks.wants(layer, site) }

  /** Refuses sites that are wanted and that the block has not. */
  check(layer: number, block: Block): void {
    for (const site of ['attentionNormalised', 'residualMiddle', 'mlpNormalised'] as const) if (this.wants(layer, site)) checkSite(site, this.#config, block)
  }

  inverse(layer: number, norm: NormName): Tensor | undefined { return this.#hooks.inverse?.(layer, norm) }

  /** Calls the hook at a site if it is wanted; true where the elements may be others after it. */
  async reach(layer: number, site: Site, tensor: Tensor): Promise<boolean> {
    if (!this.wants(layer, site)) return false
    const before = tensor.version, given = this.#hooks.at(layer, site, tensor, this.#places), other = given instanceof Promise ? await given : given
    if (other !== undefined && other !== tensor) place(other, tensor, `${site} of layer ${layer}`)
    return tensor.version !== before
  }
}

// Copies `from` [N, W], or [1, W] to every row.
function place(from: Tensor, to: Tensor, where: string): void {
  if (from.columns !== to.columns || (from.rows !== to.rows && from.rows !== 1)) {
    throw new TransweldError('ERR_SHAPE_MISMATCH',
      `expected a tensor [${to.rows}, ${to.columns}] or [1, ${to.columns}] for ${where} but received ${describe(from)}`)
  }
  if (from.rows === to.rows) cast({ source: from, out: to })
  else axpy({ x: from, out: to })
}
