// The transcoders of one model.
import { closed, text } from '../native/check.ts'
import { TransweldError } from '../native/error.ts'
import type { LanguageModel } from '../model/model.ts'
import { type Device, openDevice } from '../tensor/device.ts'
import { noteOf, readCircuitTracer, type SuiteNote, writeCircuitTracer } from './format/circuit-tracer.ts'
import type { Transcoder } from './transcoder.ts'

/**
 * The transcoders of one model, at most one a layer. Holds memory: dispose it, or declare it with `using`.
 *
 * @example
 * import { TranscoderSuite } from 'transweld'
 * async function count(folder: string): Promise<number> {
 *   using suite = await TranscoderSuite.open(folder)
 *   return suite.coders.reduce((sum, coder) => sum + coder.features, 0)
 * }
 */
export class TranscoderSuite {
  /** In ascending order of layers. */
  readonly coders: readonly Transcoder[]
  /** Name of the model that they were trained on. */
  readonly model: string
  /** What `transweld.json` holds: for suites that this library trained or wrote. */
  readonly note: SuiteNote | undefined
  readonly device: Device
  readonly #ownsDevice: boolean

  constructor(coders: readonly Transcoder[], model: string, device: Device, note?: SuiteNote, ownsDevice = false) {
    this.coders = [...coders].sort((a, b) => a.layer - b.layer)
    this.model = model
    this.device = device
    this.note = note
    this.#ownsDevice = ownsDevice
  }

  /**
   * Opens a folder with `config.yaml` and `layer_{i}.safetensors`, as `transweld train` and circuit-tracer write them.
   * @param options.device where the weights go: an open device (give the model's), or a name
   * @throws ERR_FILE, ERR_FORMAT, ERR_UNSUPPORTED, ERR_NOT_FINITE
   */
  static async open(folder: string, options: { readonly device?: Device | string } = {}): Promise<TranscoderSuite> {
    text('folder', folder)
    closed('TranscoderSuite.open', options, ['device'])
    const owns = options.device === undefined || typeof options.device === 'string'
    const device = owns ? openDevice(options.device as string | undefined) : options.device as Device
    try {
      const { coders, note, model } = await readCircuitTracer(folder, device)
      return new TranscoderSuite(coders, model, device, note, owns)
    } catch (error) { if (owns) device.dispose(); throw error }
  }

  /** Writes the suite, with its note, into a folder that exists. */
  async save(folder: string): Promise<void> {
    await writeCircuitTracer(folder, this.coders, this.note ?? noteOf(this.coders, this.model))
  }

  /** Refuses a model that the suite cannot be put into. */
  checkFits(model: LanguageModel): void {
    if (model.device !== this.device) throw new TransweldError('ERR_DEVICE_MISMATCH', 'the suite and the model lie on two devices: open the suite with { device: model.device }')
    for (const { layer, inputs, outputs } of this.coders) {
      if (layer >= model.config.layers || inputs !== model.config.width || outputs !== model.config.width) {
        throw new TransweldError('ERR_SHAPE_MISMATCH', `expected transcoders for ${model.config.layers} layers of width ${model.config.width} but layer ${layer} maps ${inputs} to ${outputs}`)
      }
    }
  }

  dispose(): void {
    for (const coder of this.coders) coder.dispose()
    if (this.#ownsDevice) this.device.dispose()
  }
  [Symbol.dispose](): void { this.dispose() }
}
