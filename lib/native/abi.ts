// Hand-written types of every native call, and the arguments of every op in the order in which they cross.
// test/native/abi.test.ts holds this page against the addon's own rows and against src/op_table.h.

/** Dtype codes of src/view.h, by position. */
export const DTYPES = ['f32', 'bf16', 'f16', 'i8', 'u32', 'u64'] as const

const pattern = (kind: string) => [`${kind}? codes.starts`, `${kind} codes.index`]
const term = (i: number) => ['feature_starts', 'rows', 'slots', 'plane', 'dense'].map(name => `in? terms[${i}].${name}`)
const adam = ['f32 rate', 'f32 beta1', 'f32 beta2', 'f32 epsilon', 'f32 correction1', 'f32 correction2']

/** A row an op: `kind name`. A view is in, out or inout, with ? where it may be absent. */
export const SIGNATURES = {
  sparse_encode: ['u32 rule', 'u32 relu', 'u32 screen', 'in x', 'in weight', 'in? bias', 'in? subset', 'in? shadow', ...pattern('out'),
    'out z', 'out counts', 'f32 certificate_scale'],
  sparse_decode: ['u32 accumulate', ...pattern('in'), 'in z', 'in weight', 'in? bias', 'out out'],
  sparse_sample: ['f32 penalty', ...pattern('in'), 'in g', 'in weight', 'in? gate', 'in? norms', 'out out', 'out? penalty_sum'],
  feature_major: ['u32 features', ...pattern('in'), 'u64 code_rows', 'in? z', 'out feature_starts', 'out rows', 'out slots', 'out? fired'],
  sparse_scatter: ['u32 mode', 'u32 term_count', 'u32 project', 'u32 unit', 'u32 screen', ...term(0), ...term(1), ...term(2), ...term(3),
    'out? gradient', 'out? gradient_bias', 'inout? weight', 'inout? m', 'inout? v', 'inout? bias', 'inout? bias_m', 'inout? bias_v',
    'out? norms', 'inout? shadow', 'in? ok', ...adam, 'f32 self_penalty'],
  screen_rows: ['u32 screen', 'in weight', 'out shadow'],
  recon_loss: ['u32 loss', 'f32 weight', 'in y', 'in y_hat', 'in? variance_of', 'out? dy', 'out stats', 'inout? ok'],
  adam_step: [...adam, 'inout weight', 'inout m', 'inout v', 'in gradient', 'in? ok'],
  unit_rows: ['f32 target', 'in weight', 'out? norms'],
  fill_random: ['u32 distribution', 'u64 seed', 'u64 offset', 'f32 low', 'f32 high', 'out out'],
  fill: ['f32 value', 'u64 bits', 'out out'],
  gather_rows: ['in source', 'in index', 'out out'],
  cast: ['in source', 'out out'],
  row_moments: ['in a', 'in b', 'out out'],
  axpy: ['f32 alpha', 'f32 beta', 'in x', 'in? y', 'out out'],
  reduce_rows: ['f32 scale', 'in x', 'out out'],
  matmul: ['u32 contract', 'u32 activation', 'u32 accumulate', 'u32 arithmetic', 'f32 cap', 'in a', 'in b', 'in? b_scales', 'in? bias', 'out c'],
  embed_rows: ['f32 scale', 'in ids', 'in table', 'in? table_scales', 'in? places', 'in? positions', 'out out'],
  norm: ['u32 kind', 'u32 groups', 'f32 epsilon', 'in x', 'in? gain', 'in? bias', 'out? normalised', 'out? inverse', 'out out'],
  attend: ['u32 heads', 'u32 key_heads', 'u32 window', 'f32 scale', 'f32 cap', 'in q', 'in k', 'in v', 'in starts', 'in? key_starts',
    'in? key_counts', 'out out'],
  token_loss: ['in logits', 'in targets', 'in? reference', 'out loss', 'out? kl'],
  norm_frozen: ['u32 kind', 'u32 groups', 'u32 transpose', 'u32 accumulate', 'in x', 'in? gain', 'in inverse', 'out out'],
  rope: ['u32 heads', 'in places', 'in angles', 'inout x'],
  gate: ['u32 activation', 'in a', 'in b', 'out out'],
  scatter_rows: ['in source', 'in index', 'inout out'],
  attend_pattern: ['u32 heads', 'u32 key_heads', 'u32 window', 'f32 scale', 'f32 cap', 'in q', 'in k', 'out out'],
  attend_frozen: ['u32 heads', 'u32 key_heads', 'u32 transpose', 'u32 accumulate', 'in pattern', 'in x', 'out out'],
} as const satisfies Record<string, readonly string[]>

/** The stem of an op: its name in C, in files, in tests. */
export type OpStem = keyof typeof SIGNATURES

/** One device of a backend, as the backend describes it. */
export interface NativeDevice { readonly name: string, readonly code: string, readonly bits: string, readonly memoryBytes: number }

/** Bytes of native memory: held by tensors, kept for the next tensor, the limit (0: none), the largest used + cached so far. */
export interface Memory { readonly used: number, readonly cached: number, readonly limit: number, readonly peak: number }

/** One op as the addon binds it. */
export interface NativeRow {
  readonly name: string
  readonly bytes: number
  readonly fields: readonly { readonly name: string, readonly kind: string, readonly offset: number }[]
}

/**
 * The addon. Devices and blocks are numbers. A call's numbers stand in a Float64Array in the order of its signature: a
 * view is six (block, offset, rows, columns, stride, dtype; in elements), an absent one is −1 alone. Errors carry `status`.
 */
export interface Native {
  devices(libraryPath: string): { devices: NativeDevice[], why: string, reason: string }
  open(libraryPath: string, index: number, limitBytes: number): number
  close(device: number): void
  memory(device: number): Memory
  screenBytes(device: number, screen: number, rows: number, columns: number): number
  alloc(device: number, bytes: number, owner: object): number
  release(block: number): boolean
  /** Frees at once all that can be: blocks of collected owners, and what enqueued work holds, by finishing that work. */
  reclaim(device: number): void
  cpuFeatures(): string[]
  enqueue(device: number, op: number, numbers: Float64Array, count: number): void
  signatures(): NativeRow[]
  write(device: number, view: Float64Array, count: number, data: ArrayBufferView): void
  read(device: number, view: Float64Array, count: number): Promise<ArrayBuffer>
  wait(device: number): Promise<void>
  /**
   * Fills a view [rows, columns] from an open file. Numbers: the view, the view of the scales [1, rows] (i8; else −1), then file, position,
   * dtype of the file, and 1 where the file has [columns, rows]. `name` is what errors call it.
   */
  load(device: number, numbers: Float64Array, count: number, name: string): Promise<void>
}
