// The product of a few rows, which costs what reading b costs: rows of b go through once, straight from their storage, several
// beside each other so that enough of their lines are under way, and the rows that come next are asked for meanwhile.
//
//   a  1 or R rows, f32 ──┐        tile.h's accumulators, so the canonical order: a row has the bits that it has in a large
//   b  C rows, as stored ─┴─► R×C  product. What is narrow is widened between its load and its multiply-add.
#pragma once
#include "matmul_finish.h"
#include "matmul_strip.h"

namespace transweld::TRANSWELD_ISA { namespace {

constexpr size_t kFewRows = 8;                 // beyond, widening a strip once is cheaper than widening it for every tile
constexpr size_t kAheadBytes = 256 << 10;      // of b that may be asked for ahead: a quarter of the second cache
constexpr size_t kNearBytes = 2 << 10;         // else as far ahead in the row itself

// Both parts of the lanes at once: a second pass over rows of b would find them in the second cache, not in the first.
#if defined(__AVX512F__)
constexpr int kStreamRows = 4, kStreamColumns = 6, kStreamAlone = 8;
#else
constexpr int kStreamRows = 2, kStreamColumns = 3, kStreamAlone = 4;
#endif

// The fold of the first rows × columns of a tile.
template <int R, int C> TW_INLINE void fold_upto(const lanes (&acc)[R][C], size_t rows, size_t columns, float* out, size_t stride) {
  if (rows >= R && columns >= C && !(R == 1 && C == 8)) return fold_tile<R, C>(acc, out, stride);
  float sums[R * C];
  if constexpr (R == 1 && C == 8) {
    const lanes low[1][4] = {{acc[0][0], acc[0][1], acc[0][2], acc[0][3]}}, high[1][4] = {{acc[0][4], acc[0][5], acc[0][6], acc[0][7]}};
    fold_tile<1, 4>(low, sums, C);
    fold_tile<1, 4>(high, sums + 4, C);
  } else {
    fold_tile<R, C>(acc, sums, C);
  }
  for (size_t r = 0; r < least(rows, R); r++) for (size_t c = 0; c < least(columns, C); c++) out[r * stride + c] = sums[r * C + c];
}

// How many elements ahead of a row of b its next lines are: those of the next tile, or nearer where that is too far.
template <class B> TW_INLINE size_t ahead_of(size_t tile) { return tile * sizeof(B) > kAheadBytes ? kNearBytes / sizeof(B) : tile; }

// acc[r][c] = the partial sums of a[r] · b[c]; the lines `ahead` elements further on are asked for.
template <int R, int C, class B>
TW_INLINE void stream_sums(const float* const* a, const B* const* b, size_t depth, size_t ahead, lanes (&acc)[R][C]) {
  constexpr size_t kLine = 64 / sizeof(B);
  const float* pa[R];
  const B* pb[C];
  for (int r = 0; r < R; r++) pa[r] = a[r];
  for (int c = 0; c < C; c++) pb[c] = b[c];
  lanes sum[R][C];
  for (int r = 0; r < R; r++) for (int c = 0; c < C; c++) sum[r][c] = splat(0);
  const auto step = [&](size_t k, size_t n) __attribute__((always_inline)) {
    lanes left[R];
#pragma GCC unroll 8
    for (int r = 0; r < R; r++) left[r] = load_upto(pa[r] + k, n);
#pragma GCC unroll 8
    for (int c = 0; c < C; c++) {
      const lanes right = load_upto(pb[c] + k, n);
#pragma GCC unroll 8
      for (int r = 0; r < R; r++) sum[r][c] = fma(left[r], right, sum[r][c]);
    }
  };
  size_t k = 0;
  for (; k + kLine <= depth; k += kLine) {
#pragma GCC unroll 8
    for (int c = 0; c < C; c++) __builtin_prefetch(pb[c] + k + ahead, 0, 2);
#pragma GCC unroll 4
    for (size_t i = 0; i < kLine; i += 16) step(k + i, 16);
  }
  for (; k + 16 <= depth; k += 16) step(k, 16);
  if (k < depth) step(k, depth - k);
  for (int r = 0; r < R; r++) for (int c = 0; c < C; c++) acc[r][c] = sum[r][c];
}

// out[r·stride + c] for a tile of up to R × C; what the rim lacks repeats its last row.
template <int R, int C, class B>
TW_INLINE void stream_tile(const float* a, size_t a_stride, size_t rows, const B* b, size_t b_stride, size_t columns, size_t depth,
                           size_t ahead, float* out, size_t stride) {
  const float* pa[R];
  const B* pb[C];
  for (size_t r = 0; r < R; r++) pa[r] = a + least(r, rows - 1) * a_stride;
  for (size_t c = 0; c < C; c++) pb[c] = b + least(c, columns - 1) * b_stride;
  lanes acc[R][C];
  stream_sums<R, C>(pa, pb, depth, ahead, acc);
  fold_upto<R, C>(acc, rows, columns, out, stride);
}

// out[r·stride + c] = dot(a + r·a_stride, b + c·b_stride), columns by columns: all rows of a while rows of b are near.
template <class B>
static inline void stream_block(const float* a, size_t a_stride, size_t rows, const B* b, size_t b_stride, size_t columns, size_t depth,
                                float* out, size_t stride) {
  const size_t width = rows == 1 ? kStreamAlone : kStreamColumns;
  const size_t ahead = ahead_of<B>(width * b_stride);
  for (size_t c = 0; c < columns; c += width) {
    const size_t some = columns - c;
    const B* right = b + c * b_stride;
    if (rows == 1) { stream_tile<1, kStreamAlone>(a, a_stride, 1, right, b_stride, some, depth, ahead, out + c, stride); continue; }
    for (size_t r = 0; r < rows; r += kStreamRows) {
      stream_tile<kStreamRows, kStreamColumns>(a + r * a_stride, a_stride, rows - r, right, b_stride, some, depth, r ? 0 : ahead,
                                               out + r * stride + c, stride);
    }
  }
}

} }   // namespace
