// Philox 4x32-10 and the draws of fill_random. Words are checked against the published vectors in fill_random.test.ts.

const high = (a: number, b: number): number => Number(BigInt(a) * BigInt(b) >> 32n)

/** The four words of one block: ten rounds, the key raised by the Weyl constants between them. */
export function philox(key: readonly [number, number], counter: readonly [number, number, number, number]): [number, number, number, number] {
  let [k0, k1] = key
  let [c0, c1, c2, c3] = counter
  for (let round = 0; round < 10; round++) {
    const high0 = high(0xD2511F53, c0), low0 = Math.imul(0xD2511F53, c0) >>> 0
    const high1 = high(0xCD9E8D57, c2), low1 = Math.imul(0xCD9E8D57, c2) >>> 0
    const next = [(high1 ^ c1 ^ k0) >>> 0, low1, (high0 ^ c3 ^ k1) >>> 0, low0] as const
    c0 = next[0], c1 = next[1], c2 = next[2], c3 = next[3]
    k0 = (k0 + 0x9E3779B9) >>> 0
    k1 = (k1 + 0xBB67AE85) >>> 0
  }
  return [c0, c1, c2, c3]
}

/** The two words of an integer below 2⁵³, low one first. */
const words = (value: number): [number, number] => [value % 2 ** 32, Math.floor(value / 2 ** 32)]

/** Word of element i: counter i / 4 in 128 bits, word i mod 4. */
export function randomWord(seed: number, element: number): number {
  return philox(words(seed), [...words(Math.floor(element / 4)), 0, 0])[element % 4]!
}

/** u in [0, 1) with 24 bits. */
const uniform = (word: number): number => (word >>> 8) * 2 ** -24

/** Element `element` of a UNIFORM fill. */
export const uniformAt = (seed: number, element: number, low: number, top: number): number => low + (top - low) * uniform(randomWord(seed, element))

/** Box-Muller of the words of an even element and the odd one after it: r = √(−2 ln(u + 2⁻²⁴)), angle 2πu'. */
export function normalAt(seed: number, element: number, mean: number, deviation: number): number {
  const even = element - element % 2
  const radius = Math.sqrt(-2 * Math.log(uniform(randomWord(seed, even)) + 2 ** -24))
  const angle = 2 * Math.PI * uniform(randomWord(seed, even + 1))
  return mean + deviation * radius * (element === even ? Math.cos(angle) : Math.sin(angle))
}
