// Dense products with bias, activation, cap and accumulation in the same pass: what is read how.
//
//   matmul_stream.h   few rows of a with rows of b, straight from their storage: the cost is reading b
//   below             many rows of a, f32, with strips of b: rows of b in place, or made f32 or transposed in scratch
//   matmul_halves.h   rounded to bf16, on instructions for it
//   matmul_deep.h     either of these where K is longer than the first cache
//   matmul_rows.h     contraction over rows
//
// An item is a block of outputs: a strip of b stays in the caches while rows of a stream past it.
#include "matmul_halves.h"
#include "matmul_rows.h"
#include "matmul_stream.h"
#include "ops.h"

namespace transweld::TRANSWELD_ISA {
namespace {

constexpr size_t kStripBytes = 768 << 10;      // of b made f32: three quarters of a small second cache
constexpr size_t kLeastStrip = 24;             // but no fewer columns: their lines of c, and of a transposed b, would be read often

tw_status out_of_scratch(tw_context* context, size_t rows, size_t depth) {
  return fail(context, TW_MEMORY, "out of memory for %zu rows of %zu columns as f32", rows, depth);
}

// For each strip of b right = begin(n, columns, worker), then body(right, m, rows, columns, worker, sums) for the blocks of rows of a that
// meet it; the sums go to c.
template <class Begin, class Body>
void strips(tw_context* context, const tw_matmul_args& a, const Cut& c, size_t strip, const Begin& begin, const Body& body) {
  const size_t M = a.c.rows, N = a.c.columns;
  each(context, c.down * c.across, [&](size_t item, unsigned worker) {
    const size_t m = item % c.down * c.rows, n_begin = item / c.down * c.columns;
    const size_t m_end = least(m + c.rows, M), n_end = least(n_begin + c.columns, N);
    alignas(64) float sums[kStripRows * kStripColumns];
    for (size_t n = n_begin; n < n_end; n += strip) {
      const size_t columns = least(strip, n_end - n);
      const auto right = begin(n, columns, worker);
      for (size_t r = m; r < m_end; r += kStripRows) {
        const size_t rows = least(kStripRows, m_end - r);
        expect_strip(a.c, r, rows, n, columns);
        body(right, r, rows, columns, worker, sums);
        finish(a, sums, kStripColumns, r, rows, n, columns);
      }
    }
  });
}

// Few rows: a as f32 once, b as it is.
tw_status few_rows(tw_context* context, const tw_matmul_args& a) {
  const size_t M = a.c.rows, N = a.c.columns, depth = a.a.columns;
  const bool round = a.arithmetic == TW_ROUNDED;
  float* room = nullptr;
  if (a.a.dtype != TW_F32 || round) {
    room = static_cast<float*>(scratch(context, M * strip_stride(depth) * sizeof(float)));
    if (!room) return out_of_scratch(context, M, depth);
  }
  const Rows left = rows_of(a.a, 0, M, room, round);
  const Cut c = cut(context, M, N, M, kBlockColumns, kStripColumns);
  with_stored(a.b, [&](const auto* b) {
    strips(context, a, c, kStripColumns, [&](size_t n, size_t, unsigned) { return b + n * a.b.stride; },
           [&](const auto* right, size_t m, size_t rows, size_t columns, unsigned, float* sums) {
             stream_block(left.data + m * left.stride, left.stride, rows, right, a.b.stride, columns, depth, sums, kStripColumns);
           });
  });
  return TW_OK;
}

// out[r·stride + c] = dot(row r of left, row c of right).
void exact_block(const Rows& left, size_t rows, const Rows& right, size_t columns, size_t depth, float* waiting, float* out,
                 size_t stride) {
  constexpr int R = kTileRows, C = kTileColumns;
  deep_block<R, C>(left.data, left.stride, rows, right.data, right.stride, columns, depth, waiting, out, stride,
                   [](auto on, const float* const* a, const float* const* b, size_t count, lanes (&acc)[R][C]) __attribute__((always_inline)) {
    tile_sums<R, C, on.value>(a, b, count, acc);
  });
}

// Many rows, or columns of b: f32 rows on both sides.
tw_status many_rows(tw_context* context, const tw_matmul_args& a) {
  const size_t M = a.c.rows, N = a.c.columns, depth = a.a.columns;
  const bool across = a.contract == TW_ACROSS, made = across || a.b.dtype != TW_F32, round = a.arithmetic == TW_ROUNDED;
  const size_t stride = strip_stride(depth), fit = kStripBytes / (stride * sizeof(float)) / kLeastStrip * kLeastStrip;
  const size_t strip = !made || fit > kStripColumns ? kStripColumns : fit < kLeastStrip ? kLeastStrip : fit;
  // A strip that is made should meet all rows; one that lies there already, rows that stay in the second cache.
  const Cut c = cut(context, M, N, made ? M : block_rows(depth * sizeof(float)), kBlockColumns, strip);
  const size_t a_room = a.a.dtype == TW_F32 && !round ? 0 : kStripRows * stride, b_room = made ? strip * stride : 0;
  const size_t own_room = kWaiting + a_room + b_room;
  float* room = static_cast<float*>(scratch(context, threads(context) * own_room * sizeof(float)));
  if (!room) return out_of_scratch(context, kStripRows + strip, depth);
  strips(context, a, c, strip,
         [&](size_t n, size_t columns, unsigned worker) {
           float* own = room + worker * own_room + kWaiting + a_room;
           return across ? columns_of(a.b, f32(a.b_scales), n, columns, own) : rows_of(a.b, n, columns, own);
         },
         [&](const Rows& right, size_t m, size_t rows, size_t columns, unsigned worker, float* sums) {
           float* own = room + worker * own_room;
           const Rows left = rows_of(a.a, m, rows, own + kWaiting, round);
           exact_block(left, rows, right, columns, depth, own, sums, kStripColumns);
         });
  return TW_OK;
}

#if defined(__AVX512BF16__)
// Rounded: a as bf16 in scratch, a slab of its rows at a time, with rows of b where they lie.
tw_status rounded(tw_context* context, const tw_matmul_args& a) {
  const size_t M = a.c.rows, N = a.c.columns, depth = a.a.columns;
  const bool made = a.a.dtype != TW_BF16;
  const size_t stride = made ? halves_stride(depth) : a.a.stride, slab = made ? least(M, kSlabBytes / (2 * stride) + kStripRows) : M;
  const size_t waiting = threads(context) * kWaiting;
  float* room = static_cast<float*>(scratch(context, waiting * sizeof(float) + (made ? slab * stride * sizeof(bf16) : 0)));
  if (!room) return fail(context, TW_MEMORY, "out of memory for %zu rows of %zu columns as bf16", slab, depth);
  bf16* halves = reinterpret_cast<bf16*>(room + waiting);
  const bf16 *left = made ? halves : static_cast<const bf16*>(a.a.data), *right = static_cast<const bf16*>(a.b.data);
  for (size_t from = 0; from < M; from += slab) {
    tw_matmul_args part = a;
    part.c.rows = least(slab, M - from);
    part.c.data = row(a.c, from);
    if (made) {
      each(context, groups(part.c.rows, kStripRows), [&](size_t item, unsigned) {
        for (size_t r = item * kStripRows; r < least((item + 1) * kStripRows, part.c.rows); r++) round_row(a.a, from + r, halves + r * stride);
      });
    }
    const Cut c = cut(context, part.c.rows, N, block_rows(depth * sizeof(bf16)), kBlockColumns, kStripColumns);
    strips(context, part, c, kStripColumns, [&](size_t n, size_t, unsigned) { return right + n * a.b.stride; },
           [&](const bf16* b, size_t m, size_t rows, size_t columns, unsigned worker, float* sums) {
             float* own = room + worker * kWaiting;
             halves_block(left + m * stride, stride, rows, b, a.b.stride, columns, depth, own, sums, kStripColumns);
           });
  }
  return TW_OK;
}
#endif

}   // namespace

tw_status matmul(tw_context* context, const tw_matmul_args& a) {
  Check check{context};
  check.that(a.contract <= TW_ACROSS, "0 (columns), 1 (rows) or 2 (across)", "contract", a.contract)
      .that(a.activation <= TW_QUICK_GELU, "0 to 5", "activation", a.activation)
      .that(a.arithmetic <= TW_ROUNDED, "0 (exact) or 1 (rounded)", "arithmetic", a.arithmetic)
      .that(a.arithmetic == TW_EXACT || a.contract == TW_COLUMNS, "0 (columns)", "contract of a rounded product", a.contract)
      .that(!(a.cap < 0), "a number of at least 0", "cap", 0);
  const bool columns = a.contract == TW_COLUMNS, rows = a.contract == TW_ROWS, whole = !rows && a.b.dtype == TW_I8;
  const uint64_t M = rows ? a.a.columns : a.a.rows, N = columns ? a.b.rows : a.b.columns, depth = rows ? a.a.rows : a.a.columns;
  const uint32_t b_dtype = a.arithmetic == TW_ROUNDED ? uint32_t{TW_BF16} : whole ? uint32_t{TW_I8} : kFloat;
  check.view("a", a.a, {kFloat, kAny, kAny})
      .view("b", a.b, {b_dtype, columns ? N : depth, columns ? depth : N})
      .optional("bias", a.bias, {TW_F32, 1, N})
      .view("c", a.c, {TW_F32, M, N});
  if (whole) check.view("b_scales", a.b_scales, {TW_F32, 1, a.b.rows});
  if (check.status || !M || !N) return check.status;
  if (rows) return over_rows(context, a);
#if defined(__AVX512BF16__)
  if (a.arithmetic == TW_ROUNDED) return rounded(context, a);
#endif
  return columns && M <= kFewRows ? few_rows(context, a) : many_rows(context, a);
}

}   // namespace transweld
