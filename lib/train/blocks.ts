// Activations in training order: a block of rows is filled by the model, permuted and drained whole, so that (seed, block,
// place in the text at its start, batches taken) is all of its state.
import type { LanguageModel } from '../model/model.ts'
import { evenStarts, type Pass, passRows } from '../model/pass.ts'
import { cast, gatherRows } from '../tensor/ops.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { Permutation } from '../text/permutation.ts'
import type { ShuffledWindows, TextPosition } from '../text/shuffled.ts'
import type { Settings } from './settings.ts'

/** A shuffle block for some layers of a model. Owns its tensors. */
export class ActivationBlocks {
  /** Rows of a block: whole windows of the model's context. */
  readonly rows: number
  /** Whole batches in a block; what is left over after them is not used. */
  readonly batches: number
  /** Number of the block that is being drained; -1 before the first. */
  block = -1
  /** Batches taken from it. */
  taken = 0
  /** Where the text stood when this block began. */
  start: TextPosition
  readonly #settings: Settings
  readonly #model: LanguageModel
  readonly #windows: ShuffledWindows
  readonly #pass: Pass
  readonly #inputs: readonly Tensor[]       // [rows, D], one a layer
  readonly #outputs: readonly Tensor[]      // [rows, O]
  readonly #order: Tensor                   // u32 [1, rows]

  constructor(model: LanguageModel, settings: Settings, windows: ShuffledWindows) {
    const { context, width } = model.config, { batch, shuffle, layers } = settings
    const count = Math.max(1, Math.ceil(batch / context), Math.floor(batch * shuffle / context))
    this.rows = count * context
    this.batches = Math.floor(this.rows / batch)
    this.start = windows.position()
    this.#settings = settings
    this.#model = model
    this.#windows = windows
    this.#pass = model.pass(passRows(context, this.rows))
    const room = (): Tensor => model.device.tensor('f32', this.rows, width)
    this.#inputs = layers.map(room)
    this.#outputs = layers.map(room)
    this.#order = model.device.tensor('u32', 1, this.rows)
  }

  get isDrained(): boolean { return this.block < 0 || this.taken === this.batches }

  /** Reads windows of text, enqueues the model over them, and draws the order of the rows. */
  async fill(): Promise<void> {
    const { layers, reads, writes, seed } = this.#settings, { context } = this.#model.config
    this.start = this.#windows.position()
    const last = layers[layers.length - 1]! + 1
    for (let at = 0; at < this.rows;) {
      const ids = new Uint32Array(Math.min(this.#pass.rows, this.rows - at)), from = at
      for (let w = 0; w < ids.length; w += context) ids.set((await this.#windows.next()).value!, w)
      this.#model.checkVocabulary(ids)
      this.#pass.begin(ids, evenStarts(ids.length, context))
      await this.#pass.blocks(0, last, (layer, sites) => {
        const i = layers.indexOf(layer)
        if (i < 0) return
        cast({ source: sites[reads], out: this.#inputs[i]!.view(from, from + ids.length) })
        cast({ source: sites[writes], out: this.#outputs[i]!.view(from, from + ids.length) })
      })
      at += ids.length
    }
    this.block++
    this.taken = 0
    this.#order.write(await new Permutation(this.rows, { seed, domain: 'activations', epoch: 0, block: this.block }).all())
  }

  /** Fills the block again that a checkpoint was in the middle of; the windows must stand at its start. */
  async refill(block: number, taken: number): Promise<void> {
    this.block = block - 1
    await this.fill()
    this.taken = taken
  }

  /** Enqueues the gather of the next batch of layer number `i` (of the settings' list) into x and y. */
  gather(i: number, x: Tensor, y: Tensor): void {
    const { batch } = this.#settings, index = this.#order.view(0, 1, this.taken * batch, (this.taken + 1) * batch)
    gatherRows({ source: this.#inputs[i]!, index, out: x })
    gatherRows({ source: this.#outputs[i]!, index, out: y })
  }

  /** All outputs of layer number `i` in the block. */
  outputs(i: number): Tensor { return this.#outputs[i]! }

  dispose(): void {
    this.#pass.dispose()
    for (const one of [...this.#inputs, ...this.#outputs, this.#order]) one.dispose()
  }
}
