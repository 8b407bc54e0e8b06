// The alphabet of byte-level tokenizers: every byte has one printable character, so that a vocabulary of strings can hold any bytes.
// Printable bytes (! to ~, ¡ to ¬, ® to ÿ) stand for themselves; the other 68 are U+0100, U+0101, … in order.

/** The character of each byte. */
export const BYTE_CHARACTERS: readonly string[] = alphabet()

const BYTES: ReadonlyMap<string, number> = new Map(BYTE_CHARACTERS.map((character, byte) => [character, byte]))
const encoder = new TextEncoder()

function alphabet(): string[] {
  let next = 256
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae
    return String.fromCharCode(printable ? byte : next++)
  })
}

/** Text to byte-level characters. Lone surrogates become U+FFFD first, as everywhere where text turns into UTF-8. */
export function toByteLevel(text: string): string {
  let result = ''
  for (const byte of encoder.encode(text)) result += BYTE_CHARACTERS[byte]!
  return result
}

/** The bytes of a byte-level token. A token with a character outside the alphabet stands for its own UTF-8 bytes. */
export function byteLevelBytes(token: string): number[] {
  const bytes: number[] = []
  for (const character of token) {
    const byte = BYTES.get(character)
    if (byte === undefined) return [...encoder.encode(token)]
    bytes.push(byte)
  }
  return bytes
}

/** The text of byte-level tokens; bytes that are no valid UTF-8 become U+FFFD. */
export function byteLevelText(tokens: readonly string[]): string {
  const bytes: number[] = []
  for (const token of tokens) for (const byte of byteLevelBytes(token)) bytes.push(byte)
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(bytes))
}

/** Bytes as text for people: what is not valid UTF-8 (a token may hold half a character) is shown as <0xNN>. */
export function showBytes(bytes: readonly number[]): string {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  let text = ''
  for (let at = 0; at < bytes.length;) {
    const first = bytes[at]!, length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4
    try {
      text += decoder.decode(Uint8Array.from(bytes.slice(at, at + length)))
      at += length
    } catch {
      text += `<0x${first.toString(16).toUpperCase().padStart(2, '0')}>`
      at++
    }
  }
  return text
}
