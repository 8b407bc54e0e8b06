/* The contract between the library and a backend: one plain C table of entries. One page, though it is longer than others.
 *
 * Shape letters, the same everywhere: N rows (token positions in a batch), D input width, O output width, F features,
 * K codes a row, T tokens of a sequence, H heads, V vocabulary. Matrices are row-major; weights are feature-major [F, D].
 *
 * CALLS. An op is `status op(context, args)`. Args begin with their own size and only ever grow at the end. A caller may be
 * older than the table: what it does not know reads as zero. A table with fewer entries than its caller knows is refused. Outputs never alias inputs, except those marked inout. An op on the CPU has finished when
 * it returns; on a stream it has been enqueued, and a failure that shows later is reported by `wait`. A launcher allocates nothing but
 * the context's own scratch, never prints, never exits. A context is used by one thread at a time; two contexts may be
 * used side by side. "opt" marks a view that may be absent (data = 0).
 *
 * STORAGE. Storage may be f32, bf16 or f16 where an entry says "float"; arithmetic and accumulation are f32.
 *
 * BITS. Results must not depend on the number of threads, on the batch a row comes in, on tiles, or on screening:
 *   dot(a, b)      contraction over columns: 16 partial sums, partial j takes the products k = j, j+16, j+32, ... in
 *                  that order by fused multiply-add from +0 (columns beyond the last count as zeros); then
 *                  s[j] += s[j+8] for j < 8, s[j] += s[j+4] for j < 4, s[j] += s[j+2] for j < 2, s[0] + s[1]; bias last.
 *   row sums       contraction over rows or positions: chunks of 256 consecutive ones; within a chunk one chain of fused
 *                  multiply-adds from +0 in ascending order; the chunks' results are added in order, from the first.
 *   sum of a row   dot(row, ones), with plain adds.
 * Class of bits: {x86 with FMA, NEON} agree to the bit with each other; {baseline} (no FMA: product, then sum) with
 * itself; each GPU architecture with itself. exp, tanh, erf and log are the backend's own polynomials, the same in a class.
 *
 * ORDER. Where things are ranked: NaN first, then larger values, and ties go to the lower index.
 * RANDOM. Philox 4x32-10, key = seed, counter = element index / 4, word = element index mod 4: any backend, same draws. */
#pragma once
#include "status.h"
#include "view.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TW_ABI 3u

typedef struct tw_context tw_context;
typedef tw_status tw_op(tw_context*, const void* args);

/* ---- sparse ---------------------------------------------------------------------------------------------------- */

/* Where codes lie: a pattern of features a row.
 *   fixed   starts absent, index [N, K]: row n has the K positions of its row. May be strided (the first K of 4K codes): then
 *           planes have the same stride, and a slot is an element offset n·stride + j
 *   ragged  starts [1, N+1] ascending from 0, index [1, capacity]: row n has the positions starts[n] ... starts[n+1] − 1
 * A plane is f32 of index's shape. A position may hold an explicit zero; it is active where its value is not 0. */
typedef struct tw_pattern {
  tw_view starts; /* u64, opt */
  tw_view index;  /* u32, each < F */
} tw_pattern;

enum { TW_RULE_TOPK = 0, TW_RULE_POSITIVE = 1 };
enum { TW_SCREEN_NONE = 0, TW_SCREEN_BF16 = 1, TW_SCREEN_INT8 = 2 };

/* p[n,f] = dot(x[n], weight[f]) + bias[f], never stored.
 *   TOPK      the K largest p of a row, in rank order; z = max(p, 0), or p itself where relu = 0. K <= F (or S).
 *   POSITIVE  all f with p > 0 (NaN counts), ascending; z = p. Needs starts.
 * A screen computes p in low precision first and evaluates again, by dot, what the certificate cannot exclude: same bits
 * as without. `shadow` is what screen_rows made of weight. counts[0] = positions needed (ragged: may exceed the capacity;
 * then rows that do not fit whole get no position, and the caller runs it again with more); counts[1] = candidates that
 * were evaluated again, over all rows; counts[2] = rows that went to the plain product; counts[3] = nanoseconds. */
typedef struct tw_sparse_encode_args {
  uint32_t size, rule, relu, screen;
  tw_view x;                 /* [N, D] f32 */
  tw_view weight;            /* [F, D] f32 */
  tw_view bias;              /* [1, F] f32, opt */
  tw_view subset;            /* u32 [1, S], opt: ascending features to consider; the index holds these, screen must be none */
  tw_view shadow;            /* i8 [1, screen_bytes], opt */
  tw_pattern codes;          /* out */
  tw_view z;                 /* out, plane */
  tw_view counts;            /* out, u64 [1, 4] */
  float certificate_scale;   /* 1. Multiplies the certificate: below 1 it is wrong, which only a test wants */
  uint32_t reserved;
} tw_sparse_encode_args;

/* out[n] = (Σ z·weight[f] over row n's positions (one row sum in stored order) + bias) + out[n] where accumulate. */
typedef struct tw_sparse_decode_args {
  uint32_t size, accumulate;
  tw_pattern codes;
  tw_view z;                 /* plane */
  tw_view weight;            /* [F, O] float */
  tw_view bias;              /* [1, O] f32, opt */
  tw_view out;               /* out or inout, [N, O] f32 */
} tw_sparse_decode_args;

/* s = dot(g[n], weight[f]) + penalty·norms[f] at the positions where gate != 0, and 0 elsewhere (no gate: everywhere).
 * The penalty is a product, then a sum. penalty_sum = penalty · Σ gate·norms[f] (per row a row sum in stored order, rows as a
 * row sum): the loss term of that penalty; it needs gate and norms. */
typedef struct tw_sparse_sample_args {
  uint32_t size;
  float penalty;
  tw_pattern codes;
  tw_view g;                 /* [N, O] f32 */
  tw_view weight;            /* [F, O] float */
  tw_view gate;              /* plane, opt */
  tw_view norms;             /* [1, F] f32, opt */
  tw_view out;               /* out, plane */
  tw_view penalty_sum;       /* out, f32 [1, 1], opt */
} tw_sparse_sample_args;

/* The positions of codes regrouped by feature, rows ascending within a feature: positions feature_starts[f] ...
 * feature_starts[f+1] − 1 of `rows` and `slots`. slots: index into a plane. fired[f]: rows where z is active.
 */
typedef struct tw_feature_major_args {
  uint32_t size, features;   /* F */
  tw_pattern codes;
  uint64_t code_rows;        /* N */
  tw_view z;                 /* plane, opt: needed by fired */
  tw_view feature_starts;    /* out, u64 [1, F+1] */
  tw_view rows;              /* out, u32 [1, capacity] */
  tw_view slots;             /* out, u32 [1, capacity] */
  tw_view fired;             /* out, u32 [1, F], opt */
} tw_feature_major_args;

/* One product codesᵀ × dense of a gradient: Σ plane[slot]·dense[row] over a feature's positions. */
typedef struct tw_term {
  tw_view feature_starts;    /* u64 [1, F+1] */
  tw_view rows;              /* u32 */
  tw_view slots;             /* u32 */
  tw_view plane;             /* f32 */
  tw_view dense;             /* [N, D] f32 */
} tw_term;

enum { TW_GRADIENT = 0, TW_ADAM = 1 };

/* G[f] = Σ_terms (row sum of plane·dense), terms added in order; b[f] = the same with dense = 1.
 * GRADIENT writes G and b. ADAM never stores them: one owner a row, in this order:
 *   G[f] += self_penalty · (Σ plane of term 0) / ‖w_f‖ · w_f (nothing where ‖w_f‖ = 0; w_f before the step)
 *   project: G[f] −= (G[f]·w_f) w_f
 *   m = fma(β1, m, (1 − β1)·G), v = fma(β2, v, (1 − β2)·(G·G)), w −= (rate·(m/correction1)) / (√(v/correction2) + epsilon)
 *   unit: w_f /= ‖w_f‖ (a zero row stays)
 *   norms[f] = ‖w_f‖, the shadow's rows are made again (a screen other than none needs the shadow).
 * bias, bias_m, bias_v take the same Adam step on b. Where ok[0] = 0 nothing at all is written. */
typedef struct tw_sparse_scatter_args {
  uint32_t size, mode, term_count, project, unit, screen;
  tw_term terms[4];
  tw_view gradient;          /* out, [F, D] f32: GRADIENT only */
  tw_view gradient_bias;     /* out, [1, F] f32, opt: GRADIENT only */
  tw_view weight, m, v;      /* inout, [F, D] f32: ADAM */
  tw_view bias, bias_m, bias_v; /* inout, [1, F] f32, opt: ADAM */
  tw_view norms;             /* out, [1, F] f32, opt: ADAM */
  tw_view shadow;            /* inout, i8 [1, screen_bytes] of mode `screen`, opt: ADAM */
  tw_view ok;                /* u32 [1, 1], opt */
  float rate, beta1, beta2, epsilon, correction1, correction2, self_penalty;
  uint32_t reserved;
} tw_sparse_scatter_args;

/* The low-precision copy of weight with its certificate, in the backend's own layout (screen_bytes long). */
typedef struct tw_screen_rows_args {
  uint32_t size, screen;
  tw_view weight;            /* [F, D] f32 */
  tw_view shadow;            /* out, i8 [1, screen_bytes] */
} tw_screen_rows_args;

/* ---- training, dense parts --------------------------------------------------------------------------------------- */

enum { TW_LOSS_FVU = 0, TW_LOSS_SUM_MSE = 1 };

/* e = y_hat − y, S = Σ e², V = Σ (y − ȳ)² with ȳ the batch mean (or taken from variance_of).
 *   FVU      loss = weight·S/V,  dy = weight·2e/V
 *   SUM_MSE  loss = weight·S/N,  dy = weight·2e/N
 * V is rounded to f32 before it is used, so variance_of repeats it. stats = {loss, S, V, N, 0, 0, 0, 0}. ok[0] becomes 0 where the
 * loss is not finite (0/0 of a constant y or of no rows included), else it stays. */
typedef struct tw_recon_loss_args {
  uint32_t size, loss;
  float weight;
  uint32_t reserved;
  tw_view y, y_hat;          /* [N, O] f32 */
  tw_view variance_of;       /* f32 [1, 8], opt: stats of an earlier call, whose V is used */
  tw_view dy;                /* out, [N, O] f32, opt */
  tw_view stats;             /* out, f32 [1, 8] */
  tw_view ok;                /* inout, u32 [1, 1], opt */
} tw_recon_loss_args;

/* The Adam step of sparse_scatter on a whole tensor whose gradient exists. */
typedef struct tw_adam_step_args {
  uint32_t size;
  float rate, beta1, beta2, epsilon, correction1, correction2;
  uint32_t reserved;
  tw_view weight, m, v;      /* inout, [R, C] f32 */
  tw_view gradient;          /* [R, C] f32 */
  tw_view ok;                /* u32 [1, 1], opt */
} tw_adam_step_args;

/* norms[f] = ‖weight[f]‖ = √dot(row, row); where target > 0 the row is then scaled to that norm (a zero row stays). */
typedef struct tw_unit_rows_args {
  uint32_t size;
  float target;
  tw_view weight;            /* [F, D] f32; inout where target > 0 */
  tw_view norms;             /* out, [1, F] f32, opt: the norms after scaling */
} tw_unit_rows_args;

enum { TW_UNIFORM = 0, TW_NORMAL = 1 };

/* Element i = row·columns + column draws from Philox at counter offset + i. UNIFORM: low + (high − low)·u with
 * u = (word >> 8)·2⁻²⁴. NORMAL: low + high·Box-Muller of the words of counters (i & ~1, i | 1), i counted with the offset:
 * r·cos for even i, r·sin for odd; the radius uses ((word >> 8) + 1)·2⁻²⁴; in double, rounded once. */
typedef struct tw_fill_random_args {
  uint32_t size, distribution;
  uint64_t seed, offset;
  float low, high;
  tw_view out;               /* out, f32 */
} tw_fill_random_args;

/* Every element of out becomes value (f32), or bits truncated to the element (other dtypes). */
typedef struct tw_fill_args {
  uint32_t size;
  float value;
  uint64_t bits;
  tw_view out;
} tw_fill_args;

/* out[i] = source[index[i]]. */
typedef struct tw_gather_rows_args {
  uint32_t size, reserved;
  tw_view source;            /* [R, D], any dtype */
  tw_view index;             /* u32 [1, M], each < R */
  tw_view out;               /* out, [M, D], dtype of source */
} tw_gather_rows_args;

/* out[r, c] = source[r, c] in out's dtype, rounded to nearest even. Also the strided copy. */
typedef struct tw_cast_args {
  uint32_t size, reserved;
  tw_view source, out;       /* float, same shape */
} tw_cast_args;

/* out[n] = {dot(a,a), dot(a,b), dot(b,b), dot(a−b, a−b)}. */
typedef struct tw_row_moments_args {
  uint32_t size, reserved;
  tw_view a, b;              /* [N, D] f32 */
  tw_view out;               /* out, f32 [N, 4] */
} tw_row_moments_args;

/* out = fma(alpha, x, beta·y); x or y of one row is used for every row; y absent counts as 0. */
typedef struct tw_axpy_args {
  uint32_t size;
  float alpha, beta;
  uint32_t reserved;
  tw_view x, y, out;         /* [N, D] f32, y opt; out may be x or y itself */
} tw_axpy_args;

/* out[c] = scale · (row sum of x[:, c]). */
typedef struct tw_reduce_rows_args {
  uint32_t size;
  float scale;
  tw_view x;                 /* [N, D] f32 */
  tw_view out;               /* out, [1, D] f32 */
} tw_reduce_rows_args;

/* ---- dense, for models ------------------------------------------------------------------------------------------- */

enum { TW_COLUMNS = 0, TW_ROWS = 1, TW_ACROSS = 2 };
enum { TW_LINEAR = 0, TW_RELU = 1, TW_GELU_TANH = 2, TW_GELU_ERF = 3, TW_SILU = 4, TW_QUICK_GELU = 5 };
enum { TW_EXACT = 0, TW_ROUNDED = 1 };

/* COLUMNS  s[m, n] = dot(a[m], b[n])                        a [M, K], b [N, K]
 * ACROSS   s[m, n] = dot(a[m], column n of b)               a [M, K], b [K, N]
 * ROWS     s[m, n] = row sum of a[k, m]·b[k, n] over k      a [K, M], b [K, N]; each chunk of 256 k is a dot
 * c = act(s + bias[n]); where cap > 0, c = cap·tanh(c/cap); accumulate then adds the old c.
 * An i8 b has b_scales, one a row of b: its elements are scale·integer. COLUMNS takes the dot over the integers and multiplies
 * it by b_scales[n] before the bias; ACROSS rounds scale·integer to f32 first; ROWS takes no i8.
 * arithmetic ROUNDED (COLUMNS, b bf16): a is rounded to bf16 too, products are exact, sums are f32 in an order of the
 * instruction set's own (dot where it has no bf16 product; numbers below the smallest normal one may count as 0 where it has); the
 * bits still depend on nothing but a's row, b's row and K.
 * SILU x/(1 + e^−x); QUICK_GELU x/(1 + e^(−1.702x)). */
typedef struct tw_matmul_args {
  uint32_t size, contract, activation, accumulate, arithmetic;
  float cap;
  tw_view a, b;              /* float; b also i8 */
  tw_view b_scales;          /* f32 [1, rows of b]: needed by an i8 b, absent else */
  tw_view bias;              /* f32 [1, N], opt */
  tw_view c;                 /* out or inout, f32 [M, N] */
} tw_matmul_args;

/* out[n] = scale·table[ids[n]] + positions[places[n]], a product and then a sum; an i8 table is multiplied by its row's
 * table_scales first. */
typedef struct tw_embed_rows_args {
  uint32_t size;
  float scale;
  tw_view ids;               /* u32 [1, N], each < V */
  tw_view table;             /* [V, D] float or i8 */
  tw_view table_scales;      /* f32 [1, V]: needed by an i8 table, absent else */
  tw_view places;            /* u32 [1, N], opt */
  tw_view positions;         /* [P, D] float, opt */
  tw_view out;               /* out, [N, D] f32 */
} tw_embed_rows_args;

enum { TW_LAYER_NORM = 0, TW_RMS_NORM = 1 };

/* Each row is `groups` groups of W columns, each normed by itself (1, or heads).
 *   LAYER_NORM  inverse = 1/√(variance + epsilon), normalised = (x − mean)·inverse; sums as sum of a row, variance about the mean
 *   RMS_NORM    inverse = 1/√(dot(x, x)/W + epsilon), normalised = x·inverse
 * out = normalised·gain + bias, one multiply-add (no bias: the product; no gain: normalised). out may be x. */
typedef struct tw_norm_args {
  uint32_t size, kind, groups;
  float epsilon;
  tw_view x;                 /* [N, groups·W] f32 */
  tw_view gain, bias;        /* f32 [1, W], opt; bias needs gain */
  tw_view normalised;        /* out, as x, opt */
  tw_view inverse;           /* out, f32 [N, groups], opt */
  tw_view out;               /* out, as x */
} tw_norm_args;

/* A norm whose inverse is kept is a linear map. Row r of x takes row r mod P of inverse: a batch of passes over P positions.
 *   map        out = (x − mean)·inverse·gain             (x·inverse·gain for RMS_NORM)
 *   transpose  t = x·gain; out = (t − mean of t)·inverse (t·inverse)
 * Products in the order written, the mean as sum of a row / W. accumulate then adds the old out. out may be x. */
typedef struct tw_norm_frozen_args {
  uint32_t size, kind, groups, transpose, accumulate, reserved;
  tw_view x;                 /* [R, groups·W] f32 */
  tw_view gain;              /* f32 [1, W], opt */
  tw_view inverse;           /* f32 [P, groups] */
  tw_view out;               /* out or inout, as x */
} tw_norm_frozen_args;

/* Rotary positions, in place. Each row is `heads` heads of W columns; with R = angles.columns/2 <= W/2, c = angles[places[n], j] and
 * s = angles[places[n], R + j], for j < R: x[j], x[j + R] = fma(x[j], c, −(x[j + R]·s)), fma(x[j + R], c, x[j]·s). */
typedef struct tw_rope_args {
  uint32_t size, heads;
  tw_view places;            /* u32 [1, N], each < P */
  tw_view angles;            /* f32 [P, 2·R]: cosines, then sines */
  tw_view x;                 /* inout, [N, heads·W] f32 */
} tw_rope_args;

/* out = act(a)·b. out may be a or b. */
typedef struct tw_gate_args {
  uint32_t size, activation;
  tw_view a, b;              /* [N, D] f32 */
  tw_view out;               /* out, [N, D] f32 */
} tw_gate_args;

/* out[index[i]] = source[i], in order: of an index that comes twice the last row stays, whole. */
typedef struct tw_scatter_rows_args {
  uint32_t size, reserved;
  tw_view source;            /* [M, D], any dtype */
  tw_view index;             /* u32 [1, M], each < R */
  tw_view out;               /* inout, [R, D], dtype of source */
} tw_scatter_rows_args;

/* Causal attention. Sequence b has the queries in rows starts[b] ... starts[b+1] − 1 of q. Its keys and values are the same rows of
 * k and v; or, with key_starts, rows key_starts[b] ... key_starts[b] + key_counts[b] − 1 (a cache), the last of which belong to
 * its queries: key_counts[b] >= its queries. Head h reads key head h/(heads/key_heads), rounded down.
 * score(i, j) = scale·dot(q[i], k[j]), where cap > 0 cap·tanh(score/cap), for j <= i and, where window > 0, j > i − window,
 * with i and j counted from the sequence's first key; softmax over j, out = Σ_j p·v[j]. Streamed over blocks of 256 keys in
 * ascending order from the first key (running maximum and denominator; a block is one chunk of the row sum; a block without a
 * key that i sees is left out). So a row has the same bits alone, packed, and from a cache. A GPU's sums may be its own, in an
 * order that packing does not change. */
typedef struct tw_attend_args {
  uint32_t size, heads, key_heads, window;
  float scale, cap;
  tw_view q;                 /* [N, heads·W] f32, a strided view of one product as a rule */
  tw_view k, v;              /* [M, key_heads·W] f32; M = N without key_starts */
  tw_view starts;            /* u32 [1, B+1], from 0 to N */
  tw_view key_starts;        /* u32 [1, B], opt */
  tw_view key_counts;        /* u32 [1, B], with key_starts */
  tw_view out;               /* out, [N, heads·W] f32 */
} tw_attend_args;

/* The pattern of attend for one sequence of T rows: out[h·T + i, j] = p of head h, 0 where i does not see j. The largest score is
 * taken over all keys; the denominator sums each block of 256 keys as a row, then the blocks in order. A GPU's sums may be its own. */
typedef struct tw_attend_pattern_args {
  uint32_t size, heads, key_heads, window;
  float scale, cap;
  tw_view q;                 /* [T, heads·W] f32 */
  tw_view k;                 /* [T, key_heads·W] f32 */
  tw_view out;               /* out, [heads·T, T] f32 */
} tw_attend_pattern_args;

/* Attention whose pattern is kept is a linear map of its values; x is a batch of B passes over the same T positions.
 *   map        out[b·T + i, h] = Σ_j p(h, i, j)·x[b·T + j, key head of h], j ascending to i     x [B·T, key_heads·W]
 *   transpose  out[b·T + j, g] = Σ_h Σ_i p(h, i, j)·x[b·T + i, h], i ascending from j; heads of key head g added in order
 *                                                                                              x [B·T, heads·W]
 * Row sums (chunks counted from position 0). accumulate then adds the old out. A GPU's sums may be its own. */
typedef struct tw_attend_frozen_args {
  uint32_t size, heads, key_heads, transpose, accumulate, reserved;
  tw_view pattern;           /* f32 [heads·T, T] */
  tw_view x;                 /* f32 */
  tw_view out;               /* out or inout, f32: [B·T, heads·W], transpose [B·T, key_heads·W] */
} tw_attend_frozen_args;

/* loss[n] = log Σ_v e^logits[n,v] − logits[n, targets[n]], 0 where targets[n] = 0xFFFFFFFF; with reference logits also
 * kl[n] = Σ_v q·(log q − log p), q of the reference, p of logits (same rows as loss). */
typedef struct tw_token_loss_args {
  uint32_t size, reserved;
  tw_view logits;            /* [N, V] f32 */
  tw_view targets;           /* u32 [1, N], each < V or 0xFFFFFFFF */
  tw_view reference;         /* [N, V] f32, opt */
  tw_view loss;              /* out, f32 [1, N] */
  tw_view kl;                /* out, f32 [1, N], opt */
} tw_token_loss_args;

/* ---- devices ------------------------------------------------------------------------------------------------------ */

typedef struct tw_device {
  char name[128];            /* "cpu", "NVIDIA H100 ..." */
  char code[64];             /* what will run: instruction set, or sm_90a / sm_80 / PTX */
  char bits[32];             /* class of bits: a checkpoint names it */
  uint64_t memory_bytes;
} tw_device;

typedef struct tw_memory {
  uint64_t used_bytes;       /* held by views */
  uint64_t cached_bytes;     /* freed, kept for the next alloc; scratch */
  uint64_t limit_bytes;      /* 0: none */
  uint64_t peak_bytes;       /* largest used + cached since open */
} tw_memory;

enum { TW_TO_DEVICE = 0, TW_FROM_DEVICE = 1, TW_ON_DEVICE = 2 };

/* devices: how many there are; fills up to `room` of them; `why` says in words why there are none or fewer.
 * open: limit_bytes 0 is no limit; *stop, polled between tiles, ends work early when it becomes non-zero; `why`: words for a
 * device that does not open.
 * alloc and free may be called from any thread. Memory is aligned to 64 bytes and not cleared.
 * copy: the host's side may be used again when it returns. wait: all that was enqueued has run; where ops failed after
 * their entries had returned, the status of the first one, and in *late_call which it was: calls of ops on this context are
 * counted from 1. The next wait tells the next one, until TW_OK. 0: none, or not to be told (a device that is lost). */
typedef struct tw_op_table {
  uint32_t abi_version, struct_size;
  uint32_t (*devices)(tw_device* out, uint32_t room, char* why, uint32_t why_bytes);
  tw_status (*open)(uint32_t device, uint64_t limit_bytes, const volatile int32_t* stop, tw_context** out, char* why, uint32_t why_bytes);
  void (*close)(tw_context*);
  const char* (*last_error)(tw_context*);   /* of the last entry that failed; until the next call */
  tw_status (*alloc)(tw_context*, uint64_t bytes, void** out);
  void (*free)(tw_context*, void* data, uint64_t bytes);
  tw_status (*copy)(tw_context*, void* to, const void* from, uint64_t bytes, uint32_t direction);
  tw_status (*wait)(tw_context*, uint64_t* late_call);
  void (*memory)(tw_context*, tw_memory* out);
  uint64_t (*screen_bytes)(tw_context*, uint32_t screen, uint64_t rows, uint64_t columns); /* 0: no such screen here */
  tw_op *sparse_encode, *sparse_decode, *sparse_sample, *feature_major, *sparse_scatter, *screen_rows;
  tw_op *recon_loss, *adam_step, *unit_rows, *fill_random, *fill, *gather_rows, *cast, *row_moments, *axpy, *reduce_rows;
  tw_op *matmul, *embed_rows, *norm, *attend, *token_loss;
  tw_op *norm_frozen, *rope, *gate, *scatter_rows, *attend_pattern, *attend_frozen;
} tw_op_table;

/* The single symbol of a backend library: its table, or null when `abi` is not its own. */
typedef const tw_op_table* tw_table_entry(uint32_t abi);

#ifdef __cplusplus
}
#endif
