// Adam: the scalars of a step, and the moments of one tensor.
import type { Device } from '../tensor/device.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { type AdamScalars, adamStep, fill } from '../tensor/ops.ts'

/** beta1 0.9, beta2 0.999, epsilon 1e-8: the defaults of Kingma and Ba (1412.6980). */
export function adamScalars(rate: number, t: number, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8): AdamScalars {
  return { rate, beta1, beta2, epsilon, correction1: 1 - beta1 ** t, correction2: 1 - beta2 ** t }
}

/** A tensor that is trained, with its two moments, zero at first. Owns all three. */
export class Parameter {
  readonly value: Tensor
  readonly m: Tensor
  readonly v: Tensor

  constructor(device: Device, rows: number, columns: number) {
    this.value = device.tensor('f32', rows, columns)
    this.m = device.tensor('f32', rows, columns)
    this.v = device.tensor('f32', rows, columns)
    for (const one of [this.value, this.m, this.v]) fill({ out: one, value: 0 })
  }

  /** One step on a gradient that exists as a tensor. Where ok[0] is 0 nothing is written. */
  step(gradient: Tensor, adam: AdamScalars, ok: Tensor): void {
    adamStep({ weight: this.value, m: this.m, v: this.v, gradient, ok, ...adam })
  }

  disposeMoments(): void { this.m.dispose(); this.v.dispose() }
  dispose(): void { this.value.dispose(); this.disposeMoments() }
}
