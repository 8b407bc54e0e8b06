// Every firing of a suite's features on a text, regrouped by feature: what is said about a feature is read off these.
import type { LanguageModel } from '../model/model.ts'
import { TransweldError } from '../native/error.ts'
import type { CodeSpace } from '../transcoder/codespace.ts'
import type { TranscoderSuite } from '../transcoder/suite.ts'
import { batches, batchRows, checkAborted } from './held-out.ts'
import { later } from '../tensor/later.ts'
import { Turn } from '../native/slices.ts'

/** The firings of one layer: those of feature f are places starts[f] … starts[f + 1] − 1, rows ascending. */
export interface Firings {
  readonly layer: number
  /** [F + 1] */
  readonly starts: Uint32Array
  /** Place in the text of each firing. */
  readonly rows: Uint32Array
  /** Its value, not 0. */
  readonly values: Float32Array
}

const MOST = 2 ** 26      // firings of a layer: 12 bytes each, twice while they are regrouped

/** How the work is followed and stopped. */
export interface Following { readonly signal?: AbortSignal | undefined, readonly progress: (share: number) => void }

/** Reads the model with all transcoders of a suite at its side. 8 bytes a firing and as much again for the result. */
export async function collectFirings(model: LanguageModel, suite: TranscoderSuite, ids: Uint32Array, options: Following): Promise<Firings[]> {
  const rows = batchRows(model, ids), pass = model.pass(rows), { coders } = suite
  const depth = coders[coders.length - 1]!.layer + 1, indexOf = new Map(coders.map((coder, i) => [coder.layer, i]))
  const lists = coders.map(coder => new FiringList(coder.features)), turn = new Turn()
  let spaces: CodeSpace[] = []
  const leave = (): void => { for (const space of spaces) space.dispose(); spaces = [] }
  try {
    for (const { at, ids: some, starts } of batches(model, ids)) {
      checkAborted(options.signal)
      if (spaces[0]?.rows !== some.length) { leave(); spaces = coders.map(coder => coder.space(some.length)) }
      const reads: Promise<Plane>[] = []
      pass.begin(some, starts)
      await pass.blocks(0, depth, async (layer, sites) => {
        const i = indexOf.get(layer)
        if (i === undefined) return
        await coders[i]!.encode(sites[coders[i]!.reads], spaces[i]!)
        reads.push(later(readPlane(spaces[i]!)))
      })
      for (const [i, plane] of (await Promise.all(reads)).entries()) await lists[i]!.add(plane, at, some.length, turn)
      options.progress((at + some.length) / ids.length)
    }
    const out: Firings[] = []
    for (const [i, list] of lists.entries()) out.push({ layer: coders[i]!.layer, ...await list.regroup(turn) })
    return out
  } finally { leave(); pass.dispose() }
}

interface Plane {
  readonly index: Uint32Array
  readonly z: Float32Array
  readonly k: number | undefined
  readonly starts: BigUint64Array | undefined
}

// The reads are enqueued before anything else is, so a space may be used again at once.
async function readPlane({ pattern, z }: CodeSpace): Promise<Plane> {
  const [index, values, starts] = await Promise.all([pattern.index.read(), z.read() as Promise<Float32Array>, pattern.starts?.read()])
  return { index, z: values, k: pattern.k, starts }
}

// Firings in the order of the text, growing.
class FiringList {
  readonly #counts: Uint32Array      // [F + 1], feature f at f + 1
  #features = new Uint32Array(1 << 16)
  #rows = new Uint32Array(1 << 16)
  #values = new Float32Array(1 << 16)
  #length = 0

  constructor(features: number) { this.#counts = new Uint32Array(features + 1) }

  async add({ index, z, k, starts }: Plane, at: number, rows: number, turn: Turn): Promise<void> {
    for (let n = 0; n < rows; n++) {
      const from = starts ? Number(starts[n]) : n * k!, to = starts ? Number(starts[n + 1]) : from + k!
      if (this.#length + to - from > this.#rows.length) this.#grow(this.#length + to - from)
      for (let p = from; p < to; p++) {
        if (z[p] === 0) continue
        const f = index[p]!, i = this.#length++
        this.#features[i] = f
        this.#rows[i] = at + n
        this.#values[i] = z[p]!
        this.#counts[f + 1]!++
      }
      if ((n & 31) === 0 && turn.isOver) await turn.rest()
    }
  }

  // A counting sort: stable, so rows stay ascending within a feature.
  async regroup(turn: Turn): Promise<Omit<Firings, 'layer'>> {
    const starts = this.#counts.slice()
    for (let f = 1; f < starts.length; f++) starts[f]! += starts[f - 1]!
    const next = starts.slice(), rows = new Uint32Array(this.#length), values = new Float32Array(this.#length)
    for (let i = 0; i < this.#length; i++) {
      const to = next[this.#features[i]!]!++
      rows[to] = this.#rows[i]!
      values[to] = this.#values[i]!
      if ((i & 4095) === 0 && turn.isOver) await turn.rest()
    }
    return { starts, rows, values }
  }

  #grow(least: number): void {
    if (least > MOST) throw new TransweldError('ERR_OUT_OF_MEMORY', `a layer fires more than ${MOST} times on this text: read fewer tokens`)
    const size = Math.min(MOST, Math.max(least, 2 * this.#rows.length))
    const grown = <A extends Uint32Array | Float32Array>(old: A, fresh: A): A => { fresh.set(old.subarray(0, this.#length)); return fresh }
    this.#features = grown(this.#features, new Uint32Array(size))
    this.#rows = grown(this.#rows, new Uint32Array(size))
    this.#values = grown(this.#values, new Float32Array(size))
  }
}
