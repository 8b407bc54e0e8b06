// How the kernels of a training step are launched and what they move and do: TopK without penalties, f32 weights, all views on
// 16 bytes, codes spread evenly over the features. One row a kernel and use of it; formulas are those of the kernels' first comments.
import type { Coder } from '../shapes.ts'
import { ASSUMED, H100, type Work } from './chip.ts'
import { BAND, candidates, chunkOf, codeBytes, type Mode, seedTiles } from './screening.ts'
import { constant } from './source.ts'

export interface Launch {
  readonly op: string
  /** With template arguments, as the compiler's report has it. */ readonly kernel: string
  /** Modes of screening of the steps that it is part of. */ readonly modes: readonly Mode[]
  /** Where its block comes from, in words: the source's constants. */ readonly from: string
  readonly threads: (shape: Coder) => number
  readonly dynamicBytes?: (shape: Coder) => number
  readonly work: (shape: Coder, mode: Mode) => Work
}

const ALL: readonly Mode[] = ['none', 'bf16', 'int8'], SCREENS: readonly Mode[] = ['bf16', 'int8'], NONE: readonly Mode[] = ['none']
const weight = ({ D, F }: Coder): number => 4 * F * D
const rows = ({ N, D }: Coder): number => 4 * N * D
const positions = ({ N, K }: Coder): number => N * K
const chunks = (shape: Coder, mode: Mode): number => Math.ceil(shape.N / chunkOf(shape, mode))
const pairs = (shape: Coder, mode: Mode): number => shape.N * candidates(shape, mode)
/** Runs of the verifying kernels: a chunk of rows, twice where the first values exclude others. */
const goes = (shape: Coder, mode: Mode): number => chunks(shape, mode) * (mode === 'int8' ? 2 : 1)
/** Of F features, those that `count` even draws name. */
const named = (F: number, count: number): number => F * (1 - Math.exp(-count / F))

/** Bytes from memory of random reads of a matrix: `distinct` once, and again what the cache has not kept of `resident` bytes. */
function gathered(total: number, distinct: number, resident: number): number {
  const kept = Math.min(1, ASSUMED.cacheShare * H100.cacheBytes / resident)
  return Math.min(total, distinct) + Math.max(0, total - distinct) * (1 - kept)
}

// ---- encode ---------------------------------------------------------------------------------------------------------------------

const ENTRY = 8, CANDIDATE = 12                   // bytes: a feature and its value; a feature and both ends
const ROW = constant('screen::kThreads')          // threads of the kernels that take a row a warp
const TAKE = 7                                    // instructions a sum: what encode_candidates.h counts, and the store or skip
const TILE_ROWS = constant('encode::kRows'), TILE_FEATURES = constant('encode::kFeatures')

function select(source: string, modes: readonly Mode[], entries: (shape: Coder, mode: Mode) => number): Launch {
  return { op: 'encode', kernel: `encode_select_kernel<${source}>`, modes, from: 'encode::kSelectThreads',
    threads: () => constant('encode::kSelectThreads'),
    work: (shape, mode) => ({ cache: shape.N * entries(shape, mode) * ENTRY * 3 + 8 * positions(shape), launches: chunks(shape, mode) }) }
}

function verifying(kernel: string, from: string, threads: number, work: (shape: Coder, mode: Mode) => Work): Launch {
  return { op: 'encode', kernel, modes: SCREENS, from, threads: () => threads,
    work: (shape, mode) => ({ launches: goes(shape, mode), ...work(shape, mode) }) }
}

function product(mode: Mode, kernel: string): Launch {
  return {
    op: 'encode', kernel, modes: [mode], from: 'kHopperThreads of encode_products.h; screen::kHopperStages of 48 KB',
    threads: () => constant('kHopperThreads', 'encode_products.h'),
    // Tiles; certificates and counts of 256 rows; eight SelectWork; two barriers a stage.
    dynamicBytes: () => constant('screen::kHopperStages') * (3 * 16384 + 16) + BAND * (16 + 4) + 8 * 1048,
    work: shape => {
      const { N, D, F } = shape, size = codeBytes(mode), twice = 1 + seedTiles(shape) / Math.ceil(F / 128)   // the seeds are multiplied again
      return { operations: 2 * N * F * D * twice, rate: mode === 'int8' ? 'int8' : 'bf16',
        cache: N * F * D * size * (1 / BAND + 1 / 128) * twice, memory: chunks(shape, mode) * F * D * size + N * D * size,
        after: N * F * TAKE * twice, launches: 2 * chunks(shape, mode) }
    },
  }
}

const encode: readonly Launch[] = [
  { op: 'encode', kernel: 'encode_begin_kernel', modes: ALL, from: '1 thread', threads: () => 1, work: () => ({}) },
  { op: 'encode', kernel: 'encode_prepare_kernel', modes: SCREENS, from: 'screen::kThreads', threads: () => ROW,
    work: (shape, mode) => ({ memory: rows(shape) + shape.N * shape.D * codeBytes(mode), cache: 2 * rows(shape), launches: chunks(shape, mode) }) },
  product('bf16', 'encode_candidates_wgmma_kernel<1u>'),
  product('int8', 'encode_candidates_wgmma_kernel<2u>'),
  { op: 'encode', kernel: 'encode_limit_kernel', modes: SCREENS, from: 'screen::kThreads', threads: () => ROW,
    work: (shape, mode) => ({ cache: shape.N * seedTiles(shape) * 128 * 4 * 4, launches: chunks(shape, mode) }) },   // written, and three rounds
  { op: 'encode', kernel: 'encode_merge_kernel', modes: SCREENS, from: 'screen::kThreads', threads: () => ROW,
    work: (shape, mode) => ({ cache: shape.N * CANDIDATE * 5 * Math.max(constant('screen::kSeedShare') * shape.K, candidates(shape, mode))
      + ENTRY * pairs(shape, mode), launches: chunks(shape, mode) }) },   // gathered, three rounds, moved; the limit of a part lets 16·K pass
  verifying('encode_pairs_kernel<false>', 'screen::kThreads', ROW, (shape, mode) => ({ cache: 36 * pairs(shape, mode) })),   // an atomic is a sector
  verifying('encode_offsets_kernel', '256 threads', 256, (shape, mode) =>
    ({ cache: goes(shape, mode) * (shape.F ** 2 / (2 * constant('screen::kOffsets')) * 4 + 8 * shape.F) })),
  verifying('encode_pairs_kernel<true>', 'screen::kThreads', ROW, (shape, mode) => ({ cache: 68 * pairs(shape, mode) })),
  verifying('encode_verify_kernel<4>', 'screen::kThreads', ROW, (shape, mode) => {
    const { D, F } = shape, all = pairs(shape, mode), go = all / goes(shape, mode), once = named(F, go)
    const ofWarp = Math.min(8, 1 + 7 * once / go)   // rows of weight for a warp's eight neighbouring pairs
    return { operations: 2 * D * all, cache: 4 * D * all * (1 + ofWarp / 8),
      memory: goes(shape, mode) * 4 * D * once + gathered(4 * D * all, rows(shape), 4 * D * chunkOf(shape, mode)) }
  }),
  { op: 'encode', kernel: 'encode_prune_kernel', modes: ['int8'], from: 'screen::kThreads', threads: () => ROW,
    work: (shape, mode) => ({ cache: 2 * ENTRY * pairs(shape, mode), launches: chunks(shape, mode) }) },
  { op: 'encode', kernel: 'encode_lost_kernel', modes: SCREENS, from: 'encode::kSelectThreads', threads: () => constant('encode::kSelectThreads'),
    work: (shape, mode) => ({ cache: 4 * shape.N, launches: chunks(shape, mode) }) },
  { op: 'encode', kernel: 'encode_plain_kernel<false, 4>', modes: ALL, from: 'encode::kThreads, kStages of 96 rows of kColumns and 16',
    threads: () => constant('encode::kThreads'),
    dynamicBytes: () => constant('encode::kStages') * (TILE_ROWS + TILE_FEATURES) * (constant('encode::kColumns') + 16) * 4,   // kPitch
    // Under a screen it finds no row: it has been launched, and that is all.
    work: (shape, mode) => mode !== 'none' ? { launches: chunks(shape, mode) } : {
      operations: 2 * shape.N * shape.F * shape.D, cache: shape.N * shape.F * shape.D * 4 * (1 / TILE_ROWS + 1 / TILE_FEATURES),
      memory: rows(shape) + weight(shape) * Math.ceil(shape.N / TILE_ROWS / H100.processors), launches: chunks(shape, mode),
    } },
  select('PlainRows', NONE, ({ K }) => 3 * K),
  select('ScreenedRows', SCREENS, candidates),
  { op: 'encode', kernel: 'encode_end_kernel', modes: ALL, from: '1 thread', threads: () => 1, work: () => ({}) },
]

// ---- the rest of a step ---------------------------------------------------------------------------------------------------------

const DIGITS = 2                                  // of up to kMostBits: F from 513 to 262144
const WALK = 256                                  // Walk::kThreads of device/rows.h
const scatterThreads = ({ D }: Coder): number => Math.ceil(Math.ceil(D / 4 / scatterStrips(D)) / 32) * 32
const scatterStrips = (D: number): number => Math.ceil(D / 4 / constant('sparse_scatter::kMostThreads'))

function sorting(kernel: string, bytes: number): Launch {
  return { op: 'feature_major', kernel, modes: ALL, from: 'feature_major::kThreads; kFew positions a thread',
    threads: () => constant('feature_major::kThreads'),
    work: shape => ({ cache: bytes * positions(shape), launches: DIGITS }) }
}

/** The update of a weight: dense is read at random, a strip at a time, or a row at a time where the row is needed whole. */
function update(op: string, modes: readonly Mode[], whole: boolean): Launch {
  return {
    op, kernel: `sparse_scatter_rows_kernel<4, (Spend)${whole ? 2 : 1}>`, modes,
    from: 'sparse_scatter::kMostThreads; a row of D where it is needed whole',
    threads: scatterThreads, dynamicBytes: ({ D }) => whole ? 4 * D : 0,
    work: (shape, mode) => {
      const { N, D, F } = shape, P = positions(shape), strips = scatterStrips(D), columns = whole ? D : Math.ceil(D / strips)
      return { memory: 24 * F * D + gathered(4 * P * D, rows(shape), 4 * N * columns) + (whole ? F * D * codeBytes(mode) : 0),
        cache: 4 * P * D + 12 * P * strips, operations: 2 * P * D, instructions: 60 * F * D,
        // Row after row: two dots by one warp, two trips to memory, six barriers; kOccupied blocks a multiprocessor.
        chain: whole ? F / (H100.processors * constant('sparse_scatter::kOccupied')) * (2 * D / 16 * 8 + 2 * 1000 + 6 * 30) : 0 }
    },
  }
}

function lists(op: string): readonly Launch[] {
  return [
    { op, kernel: 'sparse_scatter_list_kernel', modes: ALL, from: 'sparse_scatter::kMostThreads',
      threads: () => constant('sparse_scatter::kMostThreads'), work: ({ F }) => ({ cache: 16 * F }) },
    // No feature has kSplit positions where codes are even: it looks at an empty list.
    { op, kernel: 'sparse_scatter_chunks_kernel<4>', modes: ALL, from: 'sparse_scatter::kMostThreads', threads: scatterThreads, work: () => ({}) },
  ]
}

const step: readonly Launch[] = [
  { op: 'decode', kernel: 'sparse_decode_strips_kernel<4, float>', modes: ALL, from: 'sparse_decode::kWarps',
    threads: () => 32 * constant('sparse_decode::kWarps'), work: shape => {
      const { D, F } = shape, P = positions(shape), strip = 128
      return { memory: gathered(4 * P * D, 4 * D * named(F, P), 4 * F * strip) + rows(shape), cache: 4 * P * D + 8 * P * Math.ceil(D / strip),
        operations: 2 * P * D }
    } },
  { op: 'loss', kernel: 'recon_loss_means_kernel', modes: ALL, from: 'recon_loss::kStrip', threads: () => constant('recon_loss::kStrip'),
    work: shape => ({ memory: rows(shape), chain: 256 * 8 + 8 * 1200 }) },                 // additions, and 8 times 32 loads from memory
  { op: 'loss', kernel: 'recon_loss_mean_kernel', modes: ALL, from: 'recon_loss::kStrip', threads: () => constant('recon_loss::kStrip'),
    work: ({ N, D }) => ({ cache: 8 * D * Math.ceil(N / 256), chain: Math.ceil(N / 256) * 8 + Math.ceil(N / 256 / 8) * 600 }) },
  { op: 'loss', kernel: 'recon_loss_tiles_kernel', modes: ALL, from: 'recon_loss::kTile', threads: () => constant('recon_loss::kTile'),
    work: shape => ({ memory: 2 * rows(shape), cache: 2 * rows(shape), chain: 256 * 16 + 16 * 1200 + 256 * 8 }) },
  { op: 'loss', kernel: 'recon_loss_total_kernel', modes: ALL, from: '64 threads', threads: () => 64,
    work: ({ N, D }) => { const tiles = Math.ceil(N / 256) * Math.ceil(D / 256); return { chain: tiles * 8 + tiles / 16 * 600 } } },
  { op: 'loss', kernel: 'recon_loss_gradient_kernel<4>', modes: ALL, from: 'Walk::kThreads of device/rows.h', threads: () => WALK,
    work: shape => ({ memory: 3 * rows(shape) }) },
  { op: 'sample', kernel: 'sparse_sample_dots_kernel<4, float>', modes: ALL, from: 'sparse_sample::kWarps',
    threads: () => 32 * constant('sparse_sample::kWarps'), work: shape => {
      const { D, F } = shape, P = positions(shape)
      return { memory: gathered(4 * P * D, 4 * D * named(F, P), weight(shape)) + rows(shape), cache: 4 * P * D + rows(shape), operations: 2 * P * D }
    } },
  sorting('feature_major_count_kernel<4>', 18),    // index and z, then the pairs; counters are a byte a position and digit
  sorting('feature_major_offsets_kernel<4>', 4),   // counters read and written
  sorting('feature_major_place_kernel<4>', 34),    // counters and index read, pairs written and read, three lists written
  { op: 'feature_major', kernel: 'feature_major_starts_kernel', modes: ALL, from: 'feature_major::kThreads',
    threads: () => constant('feature_major::kThreads'), work: shape => ({ cache: 32 * 4 * shape.F, chain: Math.log2(positions(shape)) * 300 }) },
  ...lists('scatter decoder'),
  update('scatter decoder', ALL, false),
  ...lists('scatter encoder'),
  update('scatter encoder', NONE, false),
  update('scatter encoder', SCREENS, true),
  { op: 'reduce', kernel: 'reduce_rows_chunks_kernel', modes: ALL, from: 'reduce_rows::kThreads', threads: () => constant('reduce_rows::kThreads'),
    work: shape => ({ memory: rows(shape), chain: 256 * 4 + 8 * 1200 }) },
  { op: 'reduce', kernel: 'reduce_rows_total_kernel', modes: ALL, from: 'reduce_rows::kThreads', threads: () => constant('reduce_rows::kThreads'),
    work: ({ N, D }) => ({ cache: N * D / 64, chain: N / 256 * 4 + Math.ceil(N / 256 / 32) * 600 }) },
]

export const LAUNCHES: readonly Launch[] = [...encode, ...step]

/** Kernels without a row, by how their names begin, and why. */
export const APART: readonly (readonly [begins: string, why: string])[] = [
  ['encode_candidates_mma_kernel', 'GPUs other than sm_90'], ['encode_count_kernel', 'rule POSITIVE'], ['encode_starts_kernel', 'rule POSITIVE'],
  ['encode_place_kernel', 'rule POSITIVE'], ['encode_subset_kernel', 'AuxK'], ['sparse_sample_penalties_kernel', 'L1'],
  ['sparse_sample_chunks_kernel', 'L1'], ['sparse_sample_total_kernel', 'L1'],
  ['screen_rows_', 'once, before the first step: the update renews the copy'],
  ...['adam_step_', 'fill_'].map(op => [op, 'a few microseconds: [1, O] and [1, 1]'] as const),
  ...[
    'attend_', 'axpy_', 'cast_', 'embed_rows_', 'gate_', 'gather_rows_', 'matmul_', 'norm_', 'rope_', 'row_moments_', 'scatter_rows_',
    'token_loss_', 'unit_rows_',
  ].map(op => [op, 'no part of a TopK step without a skip'] as const),
]
