// What is measured at one layer while the untouched model reads: how well the transcoder's output stands for the MLP's, and
// how often each feature fires. Keeps what the splices of the same batch go on from.
//
//   FVU = Σ‖ŷ − y‖² / Σ‖y − ȳ‖²      both over the whole text, ȳ its mean; f32 within a row, f64 over rows
import type { LanguageModel } from '../model/model.ts'
import type { Sites } from '../model/site.ts'
import { axpy, cast, rowMoments } from '../tensor/ops.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { CodeSpace } from '../transcoder/codespace.ts'
import type { Transcoder } from '../transcoder/transcoder.ts'
import { Regrouping } from '../transcoder/regrouping.ts'
import { densityHistogram } from './density.ts'
import type { LayerEvaluation } from './result.ts'

/** The figures that need no loss of the model. */
export type Reconstruction = Pick<LayerEvaluation, 'layer' | 'fvu' | 'cosine' | 'l0' | 'dead' | 'density'>

/** One layer's transcoder under evaluation. Owns its tensors. */
export class Probe {
  readonly coder: Transcoder
  /** [1, O], the mean of y over the text; not owned. */
  readonly mean: Tensor
  /** Rows on which each feature fired. */
  readonly fired: Float64Array
  readonly #middle: Tensor        // [R, D], the stream before the MLP's output is added
  readonly #yHat: Tensor          // [R, O]
  readonly #centred: Tensor       // [R, O], y − ȳ
  readonly #moments: Tensor<'f32'>       // [R, 4]
  readonly #spread: Tensor<'f32'>        // [R, 4]
  #room: { readonly space: CodeSpace, readonly byFeature: Regrouping } | undefined
  #rows = 0
  #error = 0
  #variance = 0
  #cosine = 0

  /** For batches of up to `rows` rows. */
  constructor(model: LanguageModel, coder: Transcoder, mean: Tensor, rows: number) {
    const room = (columns: number): Tensor<'f32'> => model.device.tensor('f32', rows, columns)
    this.coder = coder
    this.mean = mean
    this.fired = new Float64Array(coder.features)
    this.#middle = room(model.config.width)
    this.#yHat = room(coder.outputs)
    this.#centred = room(coder.outputs)
    this.#moments = room(4)
    this.#spread = room(4)
  }

  /** The stream before the MLP's output of the batch observed last, [n, D]. */
  middle(rows: number): Tensor { return this.#middle.view(0, rows) }

  /** Enqueues the measurements of a batch; `told` is done when they have been added up. */
  async observe(sites: Sites): Promise<{ readonly told: Promise<void> }> {
    const y = sites[this.coder.writes], n = y.rows
    cast({ source: sites.stream, out: this.#middle.view(0, n) })
    const yHat = await this.reconstruct(sites), { space, byFeature } = this.#room!
    byFeature.regroup(space.pattern, n, space.z)
    const centred = this.#centred.view(0, n), moments = this.#moments.view(0, n), spread = this.#spread.view(0, n)
    axpy({ alpha: 1, x: y, beta: -1, y: this.mean, out: centred })
    rowMoments({ a: yHat, b: y, out: moments })
    rowMoments({ a: centred, b: centred, out: spread })
    return { told: this.#add(moments.read(), spread.read(), byFeature.fired.read() as Promise<Uint32Array>) }
  }

  /** Enqueues ŷ [n, O] from the site that the transcoder reads; it stays until the next call. */
  async reconstruct(sites: Sites): Promise<Tensor> {
    const x = sites[this.coder.reads], yHat = this.#yHat.view(0, x.rows), space = this.#space(x.rows)
    await this.coder.encode(x, space)
    this.coder.decode(x, space, yHat)
    return yHat
  }

  /** ŷ of the batch observed last. */
  yHat(rows: number): Tensor { return this.#yHat.view(0, rows) }

  /** The figures over all batches told. */
  figures(): Reconstruction {
    const rows = this.#rows, density = this.fired.map(count => count / rows)
    return {
      layer: this.coder.layer, fvu: this.#error / this.#variance, cosine: this.#cosine / rows, l0: density.reduce((sum, d) => sum + d, 0),
      dead: density.filter(d => d === 0).length / density.length, density: densityHistogram(density),
    }
  }

  dispose(): void {
    this.#leave()
    for (const one of [this.#middle, this.#yHat, this.#centred, this.#moments, this.#spread]) one.dispose()
  }

  // A space holds codes of a fixed number of rows: the last batch, which is shorter, gets one of its own.
  #space(rows: number): CodeSpace {
    if (this.#room?.space.rows !== rows) {
      this.#leave()
      const space = this.coder.space(rows), byFeature = new Regrouping(space.device, this.coder.features, space.capacity)
      space.onGrowth = capacity => byFeature.grow(capacity)
      this.#room = { space, byFeature }
    }
    return this.#room.space
  }

  #leave(): void {
    this.#room?.space.dispose()
    this.#room?.byFeature.dispose()
    this.#room = undefined
  }

  async #add(moments: Promise<Float32Array>, spread: Promise<Float32Array>, fired: Promise<Uint32Array>): Promise<void> {
    const [m, s, counts] = await Promise.all([moments, spread, fired])
    for (let i = 0; i < m.length; i += 4) {
      this.#error += m[i + 3]!
      this.#variance += s[i]!
      this.#cosine += cosineOf(m[i]!, m[i + 1]!, m[i + 2]!)
    }
    this.#rows += m.length / 4
    for (let f = 0; f < counts.length; f++) this.fired[f]! += counts[f]!
  }
}

// Two zero rows agree; one zero row agrees with nothing.
function cosineOf(aa: number, ab: number, bb: number): number {
  if (aa === 0 || bb === 0) return aa === bb ? 1 : 0
  return ab / Math.sqrt(aa * bb)
}
