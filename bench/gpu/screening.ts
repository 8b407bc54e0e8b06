// How the screened product of sparse_encode divides its work: the plans of cuda/encode_screen.h and cuda/sparse_encode.cu on an
// H100 again, and how many candidates there will be.
import type { Coder } from '../shapes.ts'
import { H100 } from './chip.ts'
import { constant } from './source.ts'

export type Mode = 'none' | 'bf16' | 'int8'

export const BAND = constant('kScreenBand', 'encode_candidates.h'), TILE = 128   // rows of x a block, features of a tile
const blocksOf = (items: number, size: number): number => Math.ceil(items / size)
const padded = (items: number, size: number): number => blocksOf(items, size) * size

/** Bytes of a code. */
export const codeBytes = (mode: Mode): number => mode === 'int8' ? 1 : 2

/**
 * Candidates a row that are evaluated again. Measured by the CPU backend on Gaussian data at D 768, F 24576, K 32: 58 (bf16) and 376
 * (int8). Assumed elsewhere: K, and a part of the features that grows as D does (int8 at D 2304: 4 % here, 3 to 7 % measured).
 */
export function candidates({ D, F, K }: Coder, mode: Mode): number {
  const measured = mode === 'int8' ? 376 : 58
  return Math.min(F, K + (measured - 32) / 24576 * F * D / 768)
}

/** Splits of the features: those for which the waves of blocks end soonest. */
export function splitsOf({ F }: Coder, rows: number): { readonly splits: number, readonly share: number } {
  const tiles = blocksOf(F, TILE), bands = blocksOf(rows, BAND), most = blocksOf(tiles, constant('screen::kLeastShare'))
  let share = tiles, least = Infinity
  for (let splits = 1; splits <= most; splits++) {
    const each = blocksOf(tiles, splits), cost = blocksOf(bands * splits, H100.processors) * (each + 1)
    if (cost < least) [least, share] = [cost, each]
  }
  return { splits: blocksOf(tiles, share), share }
}

/** Tiles of features that are multiplied first, for the first limits. */
export function seedTiles({ F, K }: Coder): number {
  return Math.max(Math.floor(blocksOf(F, TILE) / constant('screen::kSeedShare')), blocksOf(constant('screen::kSeedHands') * K, TILE))
}

/** Rows that are taken at a time: scratch, without its small parts, stays below kScratch. */
export function chunkOf(shape: Coder, mode: Mode): number {
  const { N, D, F, K } = shape, tileRows = constant('encode::kRows'), most = constant('encode::kScratch')
  for (let rows = N; ; rows = rows > 2 * tileRows ? padded(rows / 2, tileRows) : Math.ceil(rows / 2)) {
    const room = 3 * K + 2 * constant('encode::kFeatures'), tiles = blocksOf(rows, tileRows)
    const allowed = Math.floor(constant('encode::kLists') / (tileRows * room * 8 + 1))
    const lists = Math.max(tiles, Math.min(H100.processors * constant('encode::kWaves'), allowed))
    let bytes = lists * tileRows * (room * 8 + 4)
    if (mode !== 'none') {
      const { splits, share } = splitsOf(shape, rows), entries = Math.min(share * TILE, Math.floor(share * TILE / 12) + K + 192)
      const found = Math.min(F, Math.floor(F / 12) + 4 * K + 112)
      const shared = Math.max(rows * splits * entries * 12, rows * seedTiles(shape) * TILE * 4, rows * found * 8)
      const codes = padded(rows, BAND) * (padded(D, 128 / codeBytes(mode)) * codeBytes(mode) + 16)
      bytes += rows * found * 8 + codes + rows * (splits * 4 + 12) + 16 * F + shared
    }
    if (bytes <= most || rows <= 1) return rows
  }
}
