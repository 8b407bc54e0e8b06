// The character map of a SentencePiece model ("precompiled_charsmap"): base64 of a 32-bit length, a double-array trie of that many bytes, and the
// replacements, each ended by a zero byte. A unit of the trie holds, from bit 0: label (8), has-leaf (1), offset is × 256 (1), offset (21), is-value (1).
//
// Graphemes of up to five bytes are looked up whole, longer ones character by character, and a look-up takes the shortest key that the text begins with:
// that is what the `tokenizers` library does, SentencePiece itself takes the longest.
import { TransweldError } from '../native/error.ts'

const MOST_BYTES = 5

/** The function of a map. */
export function charsmap(base64: unknown): (text: string) => string {
  const bytes = typeof base64 === 'string' ? Buffer.from(base64, 'base64') : Buffer.alloc(0), size = bytes.length < 4 ? -1 : bytes.readUInt32LE(0)
  if (size < 4 || size % 4 !== 0 || size + 4 > bytes.length) {
    throw new TransweldError('ERR_FORMAT', 'precompiled_charsmap is damaged: expected base64 of a length, a trie and texts')
  }
  const units = Uint32Array.from({ length: size / 4 }, (_, i) => bytes.readUInt32LE(4 + 4 * i)), texts = bytes.subarray(4 + size)
  const unit = (at: number): number => units[at] ?? 0
  const offset = (value: number): number => (value >>> 10) << ((value & 0x200) >>> 6)

  const find = (key: string): string | undefined => {
    let at = offset(unit(0))
    for (const byte of Buffer.from(key)) {
      if (byte === 0) return undefined
      at ^= byte
      const value = unit(at)
      if (((value & 0x800000ff) >>> 0) !== byte) return undefined
      at ^= offset(value)
      if ((value & 0x100) === 0) continue
      const start = unit(at) & 0x7fffffff, end = texts.indexOf(0, start)
      return texts.toString('utf8', start, end < 0 ? texts.length : end)
    }
    return undefined
  }

  const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' }), known = new Map<string, string>()
  const replaced = (grapheme: string): string => {
    const whole = Buffer.byteLength(grapheme) <= MOST_BYTES ? find(grapheme) : undefined
    return whole ?? Array.from(grapheme, character => find(character) ?? character).join('')
  }
  return text => {
    let result = ''
    for (const { segment } of graphemes.segment(text)) {
      let value = known.get(segment)
      if (value === undefined) {
        value = replaced(segment)
        if (known.size < 65536) known.set(segment, value)
      }
      result += value
    }
    return result
  }
}
