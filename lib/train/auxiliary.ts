// AuxK (Gao et al., 2406.04093 §A.2): dead features learn to explain what the living ones leave over.
//
//   e = y − ŷ, detached         the residual
//   z = TopK of K_aux = min(O/2, #dead) over the dead features, max(p, 0)
//   ê = z·W_dec, without b_dec
//   loss = weight · min(#dead/(O/2), 1) · Σ‖ê − e‖²/V, V of the main loss
//
// Its gradient reaches W_dec, W_enc and b_enc of the dead rows, as further terms of the same updates.
import { axpy, reconLoss, sparseDecode, sparseSample } from '../tensor/ops.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { topK } from '../transcoder/activation.ts'
import { CodeSpace } from '../transcoder/codespace.ts'
import { Regrouping, type Regrouped } from '../transcoder/regrouping.ts'
import type { TranscoderWeights } from '../transcoder/transcoder.ts'
import type { Workspace } from './workspace.ts'

interface Term extends Regrouped { readonly plane: Tensor, readonly dense: Tensor }

/** Terms for the two scatters of a step, and what holds them. */
export interface Auxiliary { readonly decoderTerms: readonly Term[], readonly encoderTerms: readonly Term[], dispose(): void }

/**
 * Enqueues the auxiliary loss of a step. Overwrites work.yHat by the residual; fills work.auxStats. Its own tensors come
 * from memory that the step before gave back; they may be disposed as soon as the scatters are enqueued.
 */
export function enqueueAuxiliary(work: Workspace, w: TranscoderWeights, dead: Uint32Array, weight: number): Auxiliary {
  const { device, x, y, yHat, settings } = work
  const rows = x.rows, outputs = y.columns, half = Math.max(1, Math.floor(outputs / 2))
  const k = Math.min(half, dead.length), scale = Math.min(dead.length / half, 1)
  const subset = device.from(dead, 1, dead.length)
  const space = new CodeSpace(device, rows, settings.features, topK(k))
  const dz = space.plane(), eHat = device.tensor('f32', rows, outputs), g = device.tensor('f32', rows, outputs)
  const byFeature = new Regrouping(device, settings.features, space.capacity)

  axpy({ alpha: 1, x: y, beta: -1, y: yHat, out: yHat })
  space.encodeSubset(x, w.encoder, w.encoderBias, subset)
  sparseDecode({ codes: space.pattern, z: space.z, weight: w.decoder, out: eHat })
  reconLoss({ y: yHat, yHat: eHat, loss: 'fvu', weight: weight * scale, varianceOf: work.stats, dy: g, stats: work.auxStats, ok: work.ok })
  sparseSample({ codes: space.pattern, g, weight: w.decoder, gate: space.z, out: dz })
  byFeature.regroup(space.pattern, rows, space.z)
  const term = byFeature.term
  return {
    decoderTerms: [{ ...term, plane: space.z, dense: g }],
    encoderTerms: [{ ...term, plane: dz, dense: x }],
    dispose() { space.dispose(); byFeature.dispose(); for (const one of [subset, dz, eHat, g]) one.dispose() },
  }
}
