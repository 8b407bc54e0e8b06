// The choice of the next token from a row of logits, by the rules that transformers have, in their order: repetition penalty,
// temperature, the top k, the top p, a least share. Done in f64 on the host, so that one seed draws the same tokens everywhere.
import { finite, integer } from '../native/check.ts'
import { TransweldError } from '../native/error.ts'
import { philox } from '../text/philox.ts'

/** How tokens are chosen. */
export interface SamplingOptions {
  /** Logits are divided by it; 0: the most probable token is taken. Default 0. */
  readonly temperature?: number | undefined
  /** Only the k most probable tokens; all that tie with the last of them stay. Default: all. */
  readonly topK?: number | undefined
  /** Only the most probable tokens that together reach this probability; of equal ones the lower ids first. Default 1: all. */
  readonly topP?: number | undefined
  /** Only tokens at least this share as probable as the most probable one. Default 0: all. */
  readonly minP?: number | undefined
  /** Logits of tokens that the prompt or the text holds are divided by it if positive, else multiplied. Default 1: none. */
  readonly repetitionPenalty?: number | undefined
  /** Below 2^53. Draw number i of a seed is the same on every machine. Default 0. */
  readonly seed?: number | undefined
}

/** Names of {@link SamplingOptions}. */
export const SAMPLING = ['temperature', 'topK', 'topP', 'minP', 'repetitionPenalty', 'seed'] satisfies (keyof SamplingOptions)[]

/** Tokens that may be drawn, most probable first, and their weights, 1 for the first. */
export interface Candidates { readonly ids: Uint32Array, readonly weights: Float64Array }

/** Chooses tokens; keeps no state but what it was made with. */
export class Sampler {
  readonly #temperature: number
  readonly #topK: number
  readonly #topP: number
  readonly #minP: number
  readonly #penalty: number
  readonly #seed: number

  /** @throws TransweldError ERR_INVALID_ARGUMENT for an option outside its range */
  constructor(options: SamplingOptions) {
    const { temperature = 0, topK, topP = 1, minP = 0, repetitionPenalty = 1, seed = 0 } = options
    this.#temperature = finite('temperature', temperature, 0)
    this.#topK = topK === undefined ? Infinity : integer('topK', topK, 1)
    this.#topP = finite('topP', topP, 0, 1)
    this.#minP = finite('minP', minP, 0, 1)
    this.#penalty = finite('repetitionPenalty', repetitionPenalty, Number.MIN_VALUE)
    this.#seed = integer('seed', seed)
  }

  /** Whether `pick` looks at the tokens before. */
  get looksBack(): boolean { return this.#penalty !== 1 }

  /**
   * The token that follows.
   * @param logits one row [V]; changed where there is a repetition penalty
   * @param before the ids of prompt and text so far; those that repeat count once
   * @param draw number of the draw, below 2^32; each `sequence` has draws of its own
   * @throws TransweldError ERR_NOT_FINITE where no logit is a number
   */
  pick(logits: Float32Array, before: Iterable<number>, draw: number, sequence = 0): number {
    if (this.looksBack) for (const id of new Set(before)) logits[id] = logits[id]! < 0 ? logits[id]! * this.#penalty : logits[id]! / this.#penalty
    if (this.#temperature === 0) return largest(logits)
    const { ids, weights } = this.candidates(logits), words = new Uint32Array(4)
    philox([draw, sequence, 0, 0], this.#seed, Math.floor(this.#seed / 2 ** 32), words)
    let total = 0
    for (const weight of weights) total += weight
    let left = (words[0]! + (words[1]! >>> 11) / 2 ** 21) / 2 ** 32 * total        // 53 bits, below 1
    for (let i = 0; i < ids.length; i++) if ((left -= weights[i]!) < 0) return ids[i]!
    return ids[ids.length - 1]!
  }

  /** The tokens among which `pick` draws, at a temperature above 0. */
  candidates(logits: Float32Array): Candidates {
    const top = logits[largest(logits)]!, weight = (id: number): number => Math.exp((logits[id]! - top) / this.#temperature)
    let kept = reaching(logits, this.#topK < logits.length ? kthLargest(logits, this.#topK) : -Infinity), total = 0
    for (const id of kept) total += weight(id)
    if (this.#topP < 1) {
      // A vocabulary is not sorted for the sake of a few: all tokens below this share together are less than the 1 − p that is cut off.
      const least = total * (1 - this.#topP) / kept.length * (1 - 1e-9)
      kept = kept.filter(id => weight(id) >= least)
    }
    kept.sort((a, b) => logits[b]! - logits[a]! || a - b)
    const weights = Float64Array.from(kept, weight), count = this.#least(weights, total)
    return { ids: kept.subarray(0, count), weights: weights.subarray(0, count) }
  }

  // How many of the sorted weights stay; `total` is the sum of all that the top k left.
  #least(weights: Float64Array, total: number): number {
    let count = 0
    for (let before = 0; count < weights.length; count++) {          // where those before it reach the top p, a token goes
      if (count > 0 && before >= this.#topP * total) break
      before += weights[count]!
    }
    while (count > 1 && weights[count - 1]! < this.#minP) count--
    return count
  }
}

// Ids of the logits of at least `floor`; no logit of −infinity or NaN.
function reaching(logits: Float32Array, floor: number): Uint32Array {
  const ids = new Uint32Array(logits.length)
  let count = 0
  for (let id = 0; id < logits.length; id++) if (logits[id]! >= floor && logits[id] !== -Infinity) ids[count++] = id
  return ids.subarray(0, count)
}

/** The id of the largest logit, of equal ones the lowest. @throws TransweldError ERR_NOT_FINITE where none is above −infinity */
export function largest(logits: Float32Array): number {
  let best = -1, most = -Infinity
  for (let id = 0; id < logits.length; id++) if (logits[id]! > most) { most = logits[id]!; best = id }
  if (best >= 0 && most < Infinity) return best
  throw new TransweldError('ERR_NOT_FINITE', 'the logits of the next token are not finite: the weights do not make a language model')
}

// A heap of the k largest seen so far, the least of them on top.
function kthLargest(values: Float32Array, k: number): number {
  const heap = new Float32Array(k).fill(-Infinity)
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!
    if (!(value > heap[0]!)) continue
    let at = 0
    for (let child = 1; child < k; child = 2 * at + 1) {
      if (child + 1 < k && heap[child + 1]! < heap[child]!) child++
      if (heap[child]! >= value) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = value
  }
  return heap[0]!
}

/** log p of a token, of the logits as the model made them. */
export function logProbability(logits: Float32Array, id: number): number {
  const top = logits[largest(logits)]!
  let total = 0
  for (let v = 0; v < logits.length; v++) total += Math.exp(logits[v]! - top)
  return logits[id]! - top - Math.log(total)
}
