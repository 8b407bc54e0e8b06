// The losses of a batch with MLPs replaced: by their transcoders, by nothing, by their mean; one layer at a time, then all.
//
// A replacement at layer l changes nothing before it: the clean pass left the stream between attention and MLP of that layer,
// so each variant is stream = middle + replacement and goes on from layer l + 1. Against a whole forward pass for each
// variant that halves the work of a model of any depth.
import type { Pass } from '../model/pass.ts'
import { axpy } from '../tensor/ops.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { later } from '../tensor/later.ts'
import type { Probe } from './probe.ts'
import type { Losses, Scorer } from './scorer.ts'

/** What takes the place of an MLP's output. */
export const VARIANTS = ['spliced', 'zero', 'mean'] as const
export type Variant = typeof VARIANTS[number]

/** Sums over the text of one layer, or of all. */
export class VariantSums {
  readonly loss: Record<Variant, number> = { spliced: 0, zero: 0, mean: 0 }
  kl = 0

  async add(variant: Variant, losses: Promise<Losses>): Promise<void> {
    const { loss, kl } = await losses
    this.loss[variant] += loss
    this.kl += kl
  }
}

/** Everything that a batch is scored with. */
export interface Splicing {
  readonly pass: Pass
  readonly scorer: Scorer
  /** Ascending by layer; each has observed the batch. */
  readonly probes: readonly Probe[]
  /** [1, D] of zeros. */
  readonly nothing: Tensor
  /** L. */
  readonly depth: number
}

/** Enqueues every variant of one layer. */
export async function spliceLayer(with_: Splicing, probe: Probe, sums: VariantSums): Promise<Promise<void>[]> {
  const { pass, scorer, depth } = with_, { stream } = pass, told: Promise<void>[] = []
  for (const variant of VARIANTS) {
    axpy({ alpha: 1, x: probe.middle(stream.rows), beta: 1, y: replacement(with_, probe, variant), out: stream })
    await pass.blocks(probe.coder.layer + 1, depth)
    told.push(later(sums.add(variant, scorer.score({ kl: variant === 'spliced' }))))
  }
  return told
}

/** Enqueues every variant of all layers at once. Overwrites what the probes have kept of the batch. */
export async function spliceAll(with_: Splicing, sums: VariantSums): Promise<Promise<void>[]> {
  const { pass, scorer, probes, depth } = with_, { stream } = pass, first = probes[0]!, told: Promise<void>[] = []
  const byLayer = new Map(probes.map(probe => [probe.coder.layer, probe]))
  for (const variant of VARIANTS) {
    axpy({ alpha: 1, x: first.middle(stream.rows), beta: 1, y: replacement(with_, first, variant), out: stream })
    await pass.blocks(first.coder.layer + 1, depth, async (layer, sites) => {
      const probe = byLayer.get(layer)
      return !probe ? undefined : variant === 'spliced' ? written(pass, probe, await probe.reconstruct(sites)) : replacement(with_, probe, variant)
    })
    told.push(later(sums.add(variant, scorer.score({ kl: variant === 'spliced' }))))
  }
  return told
}

function replacement({ pass, nothing }: Splicing, probe: Probe, variant: Variant): Tensor {
  return written(pass, probe, variant === 'spliced' ? probe.yHat(pass.stream.rows) : variant === 'zero' ? nothing : probe.mean)
}

// What stands for an MLP's output goes through the norm after the MLP, where the model has one.
function written(pass: Pass, { coder: { layer, writes } }: Probe, y: Tensor): Tensor {
  return writes === 'mlpOutput' ? pass.writeOf(layer, y) : y
}
