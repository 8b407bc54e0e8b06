// Fingerprints of what a run reads, so that a resume on something else is refused.
import { createHash } from 'node:crypto'
import { open, readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { LanguageModel } from '../model/model.ts'
import { fingerprint } from '../text/fingerprint.ts'

const EDGE = 1 << 20       // bytes read at both ends of a weight file: its header and some of its weights

/** sha256 of the model's configuration and of both ends of its weight files; sha256 of the text. */
export async function fingerprintOf(model: LanguageModel, files: readonly string[]): Promise<{ model: string, text: string }> {
  const hash = createHash('sha256')
  for (const name of (await readdir(model.folder)).filter(n => n === 'config.json' || n === 'tokenizer.json' || n.endsWith('.safetensors')).sort()) {
    const path = join(model.folder, name)
    hash.update(name)
    if (name.endsWith('.json')) { hash.update(await readFile(path)); continue }
    const { size } = await stat(path), file = await open(path)
    try {
      for (const at of [0, Math.max(0, size - EDGE)]) {
        const { buffer, bytesRead } = await file.read(new Uint8Array(EDGE), 0, EDGE, at)
        hash.update(buffer.subarray(0, bytesRead))
      }
    } finally { await file.close() }
    hash.update(String(size))
  }
  return { model: hash.digest('hex'), text: await fingerprint(files) }
}
