// Philox 4x32-10, a random number generator without state (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011):
// 10 rounds of multiplication turn a 128-bit counter and a 64-bit key into 128 random bits. The counter is an element's index, the key the
// seed, so any element can be drawn alone, in any order, and a resumed run draws what the first one would have drawn.

const MULTIPLIER_0 = 0xd2511f53, MULTIPLIER_1 = 0xcd9e8d57
const WEYL_0 = 0x9e3779b9, WEYL_1 = 0xbb67ae85 // added to the key after each round

/** Four 32-bit words of a counter, lowest first. */
export type Counter = readonly [number, number, number, number]

// The upper 32 bits of a 32 by 32 bit product, from four 16-bit products (each sum below stays under 2^33, exact in a double).
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff, aHigh = a >>> 16, bLow = b & 0xffff, bHigh = b >>> 16
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16), cross = aLow * bHigh + (middle & 0xffff)
  return (aHigh * bHigh + Math.floor(middle / 65536) + (cross / 65536 >>> 0)) >>> 0
}

/** Writes the four random words of `counter` under the key (keyLow, keyHigh) to `out`. */
export function philox(counter: Counter, keyLow: number, keyHigh: number, out: Uint32Array): void {
  let [c0, c1, c2, c3] = counter, k0 = keyLow >>> 0, k1 = keyHigh >>> 0
  for (let round = 0; round < 10; round++) {
    const high0 = multiplyHigh(MULTIPLIER_0, c0), low0 = Math.imul(MULTIPLIER_0, c0)
    const high1 = multiplyHigh(MULTIPLIER_1, c2), low1 = Math.imul(MULTIPLIER_1, c2)
    c0 = (high1 ^ c1 ^ k0) >>> 0
    c1 = low1 >>> 0
    c2 = (high0 ^ c3 ^ k1) >>> 0
    c3 = low0 >>> 0
    k0 = (k0 + WEYL_0) >>> 0
    k1 = (k1 + WEYL_1) >>> 0
  }
  out[0] = c0
  out[1] = c1
  out[2] = c2
  out[3] = c3
}
