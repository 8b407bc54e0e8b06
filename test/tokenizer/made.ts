// Small tokenizer folders for the tests, byte-level BPE with a vocabulary of the 256 bytes and a few merges, and hostile strings to run through them.
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BYTE_CHARACTERS } from '../../lib/tokenizer/alphabet.ts'

/** The split patterns of four families, as their tokenizer.json files hold them. */
export const PATTERNS = {
  gpt2: "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
  codelm: "'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}{1,2}| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
  llama3: "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  letters: '\\p{L}+', // leaves text between its matches
} as const

/** A tokenizer.json object. */
export function madeTokenizer(pattern: string, change: object = {}): Record<string, unknown> {
  const merges = ['Ġ t', 'h e', 'Ġt he', 'l l', "' ll", 'Ċ Ċ', 'Ġ Ġ', 'ĠĠ ĠĠ', 'a a', 'aa aa', '1 2', '12 3', 'Ã ©']
  const vocab = Object.fromEntries([...BYTE_CHARACTERS, ...merges.map(m => m.replace(' ', '')), 'ĠĠĠĠ'].filter((t, i, all) => all.indexOf(t) === i).map((t, i) => [t, i]))
  return {
    version: '1.0', normalizer: null, post_processor: null, decoder: { type: 'ByteLevel' },
    added_tokens: ['<|end|>', '<|end|>>', '<|endoftext|>'].map((content, i) => ({ id: 300 + i, content, special: true, normalized: false, lstrip: false, rstrip: false, single_word: false })),
    pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'Split', pattern: { Regex: pattern }, behavior: 'Isolated', invert: false }, { type: 'ByteLevel', add_prefix_space: false, use_regex: false }] },
    model: { type: 'BPE', dropout: null, unk_token: null, fuse_unk: false, byte_fallback: false, vocab, merges },
    ...change,
  }
}

/** Writes a folder with tokenizer.json and tokenizer_config.json, and returns its path; null leaves the second out. */
export async function madeFolder(tokenizer: unknown, config: unknown = { eos_token: '<|endoftext|>' }): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'transweld-'))
  await writeFile(join(folder, 'tokenizer.json'), typeof tokenizer === 'string' ? tokenizer : JSON.stringify(tokenizer))
  if (config !== null) await writeFile(join(folder, 'tokenizer_config.json'), JSON.stringify(config))
  return folder
}

/** Texts that break tokenizers. */
export const HOSTILE: readonly string[] = [
  '', ' ', '\n', '\t \r\n', 'a', "I'll we'LL they'd '", '  two  spaces  ', '\n\n\n  indented\n\tmore\n', '1732 123456789 ٣٤٥', 'é e\u0301 ñ ß ﬁ', '日本語のテキスト。改行\nあり', '😀👨‍👩‍👧‍👦🏳️‍🌈',
  '\ud83d', '\ude00x', 'a\ud83d b', '\u0000\u0001\u007f\u0085\u00a0\u2028\u2029\ufeff\ufffd', '<|endoftext|>', '<|end', '<|end|><|end|>>x<|endoftext|> y', ' <|end|> ', '<|endoftext', 'x'.repeat(5000), ' '.repeat(3000),
  '\n'.repeat(999) + 'x', 'constructor __proto__ toString hasOwnProperty', 'a\u200bb\u200d\u202ec', '\u{10ffff}\u{e000}', '"\\\'`${}', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',
]
