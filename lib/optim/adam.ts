// Adam: the scalars of a step, and the moments of one tensor.
import type { Device } from '../tensor/device.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { type AdamScalars, adamStep, fill } from '../tensor/ops.ts'

/**
 * The scalars of step `t`, counted from 1. beta1 0.9, beta2 0.999, epsilon 1e-8: the defaults of Kingma and Ba (1412.6980).
 *
 * @example
 * import { adamScalars } from 'transweld'
 * const { beta1, beta2, correction1, correction2 } = adamScalars(1e-3, 2)
 * console.log(beta1, beta2, correction1.toFixed(6), correction2.toFixed(6))   // 0.9 0.999 0.190000 0.001999
 */
export function adamScalars(rate: number, t: number, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8): AdamScalars {
  return { rate, beta1, beta2, epsilon, correction1: 1 - beta1 ** t, correction2: 1 - beta2 ** t }
}

/**
 * A tensor f32 [rows, columns] that is trained, with its two moments; all three are zero at first. Owns them: dispose it.
 *
 * @throws TransweldError ERR_INVALID_ARGUMENT, ERR_OUT_OF_MEMORY, ERR_DISPOSED.
 * @example
 * import { adamScalars, openDevice, Parameter } from 'transweld'
 * using device = openDevice('cpu')
 * const bias = new Parameter(device, 1, 2)
 * using gradient = device.from(new Float32Array([4, -4]), 1, 2), ok = device.from(new Uint32Array([1]), 1, 1)
 * bias.step(gradient, adamScalars(0.5, 1), ok)
 * console.log([...await bias.value.read()].map(x => Number(x).toFixed(3)).join())   // -0.500,0.500
 * bias.dispose()
 */
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

  /**
   * One step on a gradient [rows, columns] that exists as a tensor. Where ok (u32 [1, 1]) holds 0 nothing is written.
   * @throws TransweldError as `sparseEncode` does.
   */
  step(gradient: Tensor, adam: AdamScalars, ok: Tensor): void {
    adamStep({ weight: this.value, m: this.m, v: this.v, gradient, ok, ...adam })
  }

  /** Frees the moments and keeps the value: for what is trained no further. */
  disposeMoments(): void { this.m.dispose(); this.v.dispose() }
  dispose(): void { this.value.dispose(); this.disposeMoments() }
  [Symbol.dispose](): void { this.dispose() }
}
