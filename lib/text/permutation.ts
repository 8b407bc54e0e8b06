// A random order of 0 … count − 1, drawn one element at a time (Fisher-Yates), so that no long loop holds the event loop.
// The order depends on (seed, domain, epoch, block) and nothing else: element i draws word i mod 4 of counter i / 4, as everywhere in this library.
import { integer } from '../native/check.ts'
import { Turn } from '../native/slices.ts'
import { philox } from './philox.ts'

/** What a permutation is of; part of the counter, so that two uses of one seed never draw the same numbers. */
export const DOMAINS = { windows: 1, activations: 2 } as const

/** The largest count: a draw scales a 32-bit word to what is left, with a bias below count / 2^32. */
export const MAX_COUNT = 1 << 24

/** Where a permutation stands in a run. */
export interface PermutationPlace {
  readonly seed: number
  readonly domain: keyof typeof DOMAINS
  readonly epoch: number
  readonly block: number
}

/** The elements of a permutation, one after another. */
export class Permutation {
  readonly count: number
  readonly #order: Uint32Array
  readonly #place: PermutationPlace
  readonly #words = new Uint32Array(4)
  #drawn = 0

  constructor(count: number, place: PermutationPlace) {
    this.count = integer('count', count, 0, MAX_COUNT)
    integer('seed', place.seed)
    integer('epoch', place.epoch, 0, 0xffffffff)
    integer('block', place.block, 0, 0xffffffff)
    this.#order = new Uint32Array(count).map((_, i) => i)
    this.#place = place
  }

  /** How many elements were drawn. */
  get drawn(): number { return this.#drawn }

  /** The next element; -1 after the last. */
  next(): number {
    if (this.#drawn === this.count) return -1
    const i = this.#drawn++, order = this.#order, { seed, domain, epoch, block } = this.#place
    if ((i & 3) === 0) philox([i >>> 2, block, epoch, DOMAINS[domain]], seed % 2 ** 32, Math.floor(seed / 2 ** 32), this.#words)
    const j = i + Math.floor(this.#words[i & 3]! * (this.count - i) / 2 ** 32), chosen = order[j]!
    order[j] = order[i]!
    order[i] = chosen
    return chosen
  }

  /** Draws `count` elements and forgets them: the state of a run that had drawn them. */
  pass(count: number): void { for (let i = 0; i < count; i++) this.next() }

  /** The whole order, drawn in slices of a few milliseconds (about 0.07 µs an element). */
  async all(): Promise<Uint32Array> {
    const turn = new Turn()
    while (this.next() !== -1) if ((this.#drawn & 4095) === 0 && turn.isOver) await turn.rest()
    return this.#order
  }
}
