// The golden models of the families: test/golden/families, made by make.py there.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { LanguageModel } from '../../lib/model/model.ts'
import { openSafetensors } from '../../lib/safetensors/reader.ts'

export const FAMILIES = 'test/golden/families'

/** The names of the golden folders. */
export const CASES: readonly string[] =
  readdirSync(FAMILIES, { withFileTypes: true }).filter(one => one.isDirectory() && !one.name.startsWith('_')).map(one => one.name).sort()

/** What a pass computes, or should: logits [T, V], and input and output of every MLP, [layers · T, D]. */
export interface Computed { readonly logits: Float32Array, readonly inputs: Float32Array, readonly outputs: Float32Array }

/** The prompts of a golden folder, and what transformers makes of each. */
export async function golden(name: string): Promise<{ prompts: number[][], known: Computed[] }> {
  await using file = await openSafetensors(join(FAMILIES, name, 'reference.safetensors'))
  const prompts = JSON.parse(file.metadata.get('prompts')!) as number[][], known: Computed[] = []
  for (const i of prompts.keys()) {
    const read = async (what: string): Promise<Float32Array> => (await file.readFloat32(`${what}.${i}`)).data
    known.push({ logits: await read('logits'), inputs: await read('mlp_input'), outputs: await read('mlp_output') })
  }
  return { prompts, known }
}

/** Runs prompts packed into one pass, and takes the results apart again. */
export async function run(model: LanguageModel, prompts: readonly (readonly number[])[]): Promise<Computed[]> {
  const { width: D, layers: L, vocabulary: V } = model.config
  const ends = prompts.map((_, i) => prompts.slice(0, i + 1).reduce((sum, ids) => sum + ids.length, 0)), rows = ends[ends.length - 1]!
  const pass = model.pass(rows), out = model.device.tensor('f32', rows, V), taps: Promise<[Float32Array, Float32Array]>[] = []
  try {
    pass.begin(Uint32Array.from(prompts.flat()), Uint32Array.of(0, ...ends))
    await pass.blocks(0, L, (_, { mlpInput, mlpOutput }) => {
      taps.push(Promise.all([mlpInput.read(), mlpOutput.read()]) as Promise<[Float32Array, Float32Array]>)
    })
    pass.logits(0, rows, out)
    const logits = await out.read() as Float32Array, layers = await Promise.all(taps)
    return prompts.map(({ length }, i) => {
      const to = ends[i]!, from = to - length
      const gathered = (which: 0 | 1): Float32Array => {
        const all = new Float32Array(L * length * D)
        for (const [l, layer] of layers.entries()) all.set(layer[which].subarray(from * D, to * D), l * length * D)
        return all
      }
      return { logits: logits.slice(from * V, to * V), inputs: gathered(0), outputs: gathered(1) }
    })
  } finally { out.dispose(); pass.dispose() }
}

/** The largest difference, and the largest in parts of the largest element of its row. */
export function distance(a: Float32Array, b: Float32Array, columns: number): { absolute: number, relative: number } {
  if (a.length !== b.length) return { absolute: Infinity, relative: Infinity }
  let absolute = 0, relative = 0
  for (let at = 0; at < a.length; at += columns) {
    let most = 0, off = 0
    for (let i = at; i < at + columns; i++) {
      const d = Math.abs(a[i]! - b[i]!)
      if (!(d <= off)) off = d
      most = Math.max(most, Math.abs(b[i]!))
    }
    if (!(off <= absolute)) absolute = off
    if (!(off / most <= relative)) relative = off / most
  }
  return { absolute, relative }
}
