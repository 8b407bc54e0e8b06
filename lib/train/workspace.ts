// What the layers of a run share, for they are trained one after the other: a batch, and all that lies between its rows and
// the updates. Made before the first step and used again in every one.
import type { Device } from '../tensor/device.ts'
import { fill } from '../tensor/ops.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { CodeSpace } from '../transcoder/codespace.ts'
import { Regrouping } from '../transcoder/regrouping.ts'
import type { Settings } from './settings.ts'

/** The tensors of a step. Owns them. */
export class Workspace {
  readonly device: Device
  readonly settings: Settings
  readonly x: Tensor             // [N, D]
  readonly y: Tensor             // [N, O]
  readonly yHat: Tensor          // [N, O]; later the residual that AuxK explains
  readonly dy: Tensor            // [N, O]
  readonly space: CodeSpace      // z
  dz: Tensor                     // a plane of space
  readonly byFeature: Regrouping
  readonly ok: Tensor            // u32 [1, 1]: 0 where the loss was not finite, and nothing is updated
  readonly stats: Tensor         // f32 [1, 8] of recon_loss
  readonly auxStats: Tensor
  readonly penalty: Tensor       // f32 [1, 1]
  readonly biasGradient: Tensor  // [1, O]
  readonly skipGradient: Tensor | undefined  // [O, D]

  constructor(device: Device, settings: Settings, inputs: number, outputs: number) {
    const { batch, features, activation, skip } = settings
    this.device = device
    this.settings = settings
    this.x = device.tensor('f32', batch, inputs)
    this.y = device.tensor('f32', batch, outputs)
    this.yHat = device.tensor('f32', batch, outputs)
    this.dy = device.tensor('f32', batch, outputs)
    this.space = new CodeSpace(device, batch, features, activation)
    this.dz = this.space.plane()
    this.byFeature = new Regrouping(device, features, this.space.capacity)
    this.space.onGrowth = capacity => { this.dz.dispose(); this.dz = this.space.plane(); this.byFeature.grow(capacity) }
    this.ok = device.tensor('u32', 1, 1)
    this.stats = device.tensor('f32', 1, 8)
    this.auxStats = device.tensor('f32', 1, 8)
    this.penalty = device.tensor('f32', 1, 1)
    this.biasGradient = device.tensor('f32', 1, outputs)
    this.skipGradient = skip ? device.tensor('f32', outputs, inputs) : undefined
    for (const one of [this.auxStats, this.penalty]) fill({ out: one, value: 0 })
  }

  dispose(): void {
    this.space.dispose()
    this.byFeature.dispose()
    const { x, y, yHat, dy, dz, ok, stats, auxStats, penalty, biasGradient, skipGradient } = this
    for (const one of [x, y, yHat, dy, dz, ok, stats, auxStats, penalty, biasGradient, skipGradient]) one?.dispose()
  }
}
