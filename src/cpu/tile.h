// The f32 micro-kernel: a small tile of canonical dots (op_table.h, BITS), for every product of rows with rows.
//
//   a  R rows ──┐        Every output owns one 16-lane accumulator, so the order of its sum is the canonical one whatever
//   b  C rows ──┴─► R×C  the tile; a step of 16 columns is R + C loads for R·C multiply-adds, straight from the rows:
//                        both are contiguous along the contraction, nothing is packed.
//
// AVX-512: 4×6 = 24 of 32 registers. Narrower: 3×4 = 12 of 16, one part of the lanes after another. The sums are folded sixteen
// accumulators at a time: a fold of two vectors is two shuffles and one add, 45 instructions for 16 outputs.
#pragma once
#include "lanes.h"

namespace transweld::TRANSWELD_ISA { namespace {

#if defined(__AVX512F__)
constexpr int kTileRows = 4, kTileColumns = 6;
#else
constexpr int kTileRows = 3, kTileColumns = 4;
#endif

// acc[r][c] = the sixteen partial sums of a[r] · b[c], or those that it holds carried on. Registers narrower than 16 floats take the
// rows once per part.
template <int R, int C, bool kOn = false> TW_INLINE void tile_sums(const float* const* a, const float* const* b, size_t depth, lanes (&acc)[R][C]) {
  const float *pa[R], *pb[C];
  for (int r = 0; r < R; r++) pa[r] = a[r];
  for (int c = 0; c < C; c++) pb[c] = b[c];
  const size_t whole = depth & ~size_t{15};
#pragma GCC unroll 1
  for (int i = 0; i < kParts; i++) {
    native sum[R][C];
    for (int r = 0; r < R; r++) for (int c = 0; c < C; c++) sum[r][c] = kOn ? acc[r][c].part[i] : splat_native(0);
    for (size_t k = i * kWidth; k < whole; k += 16) {
      native left[R];
#pragma GCC unroll 8
      for (int r = 0; r < R; r++) left[r] = load_native(pa[r] + k);
#pragma GCC unroll 8
      for (int c = 0; c < C; c++) {
        const native right = load_native(pb[c] + k);
#pragma GCC unroll 8
        for (int r = 0; r < R; r++) sum[r][c] = fma_native(left[r], right, sum[r][c]);
      }
    }
    for (int r = 0; r < R; r++) for (int c = 0; c < C; c++) acc[r][c].part[i] = sum[r][c];
  }
  if (whole < depth) {
    lanes left[R];
    for (int r = 0; r < R; r++) left[r] = load_some(pa[r] + whole, depth - whole);
    for (int c = 0; c < C; c++) {
      const lanes right = load_some(pb[c] + whole, depth - whole);
      for (int r = 0; r < R; r++) acc[r][c] = fma(left[r], right, acc[r][c]);
    }
  }
}

#if defined(__AVX512F__)
// Halves of 16, of 8, pairs, singles: each takes two vectors of partial sums to one with half as many of both.
TW_INLINE __m512 fold8(__m512 a, __m512 b) { return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xEE)); }
TW_INLINE __m512 fold4(__m512 a, __m512 b) { return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xDD)); }
TW_INLINE __m512 fold2(__m512 a, __m512 b) {
  const __m512d x = _mm512_castps_pd(a), y = _mm512_castps_pd(b);
  return _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(x, y)), _mm512_castpd_ps(_mm512_unpackhi_pd(x, y)));
}
TW_INLINE __m512 fold1(__m512 a, __m512 b) { return _mm512_add_ps(_mm512_shuffle_ps(a, b, 0x88), _mm512_shuffle_ps(a, b, 0xDD)); }
#endif

// out[r·stride + c] = the canonical fold of acc[r][c].
template <int R, int C> TW_INLINE void fold_tile(const lanes (&acc)[R][C], float* out, size_t stride) {
#if defined(__AVX512F__)
  if constexpr (R == 4) {   // quads[c]: 128-bit lane r holds the four partial sums of row r
    __m512 quads[C];
#pragma GCC unroll 8
    for (int c = 0; c < C; c++)
      quads[c] = fold4(fold8(acc[0][c].part[0], acc[1][c].part[0]), fold8(acc[2][c].part[0], acc[3][c].part[0]));
#pragma GCC unroll 8
    for (int c = 0; c < C; c += 4) {
      const int left = C - c < 4 ? C - c : 4;
      const __m512 zero = _mm512_setzero_ps();
      const __m512 pair = fold2(quads[c], left > 1 ? quads[c + 1] : zero);
      const __m512 sums = fold1(pair, left > 2 ? fold2(quads[c + 2], left > 3 ? quads[c + 3] : zero) : zero);
      const __m128 row[4] = {_mm512_castps512_ps128(sums), _mm512_extractf32x4_ps(sums, 1), _mm512_extractf32x4_ps(sums, 2),
                             _mm512_extractf32x4_ps(sums, 3)};
#pragma GCC unroll 4
      for (int r = 0; r < 4; r++) {
        float* to = out + r * stride + c;
        if (left == 4) _mm_storeu_ps(to, row[r]);
        else if (left == 2) _mm_storel_pi(reinterpret_cast<__m64*>(to), row[r]);
        else _mm_mask_storeu_ps(to, static_cast<__mmask8>((1u << left) - 1), row[r]);
      }
    }
    return;
  }
  if constexpr (R == 1 && C == 4) {
    const __m512 zero = _mm512_setzero_ps(), quad = fold4(fold8(acc[0][0].part[0], acc[0][1].part[0]), fold8(acc[0][2].part[0], acc[0][3].part[0]));
    const __m512 sums = fold1(fold2(quad, zero), zero);   // at the head of each 128-bit lane
    _mm_storeu_ps(out, _mm512_castps512_ps128(_mm512_permutexvar_ps(_mm512_setr_epi32(0, 4, 8, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), sums)));
    return;
  }
#endif
#pragma GCC unroll 8
  for (int r = 0; r < R; r++) {
#pragma GCC unroll 8
    for (int c = 0; c < C; c++) out[r * stride + c] = fold(acc[r][c]);
  }
}

// out[r·stride + c] = dot(a[r], b[c]) over `depth` columns.
template <int R, int C> TW_INLINE void canonical_tile(const float* const* a, const float* const* b, size_t depth, float* out, size_t stride) {
  lanes acc[R][C];
  tile_sums<R, C>(a, b, depth, acc);
  fold_tile<R, C>(acc, out, stride);
}

// The same for a tile of at most kTileRows × kTileColumns. A rim repeats its last row: the extra sums are thrown away.
static inline __attribute__((noinline, unused)) void canonical_rim(const float* const* a, size_t rows, const float* const* b, size_t columns,
                                                                  size_t depth, float* out, size_t stride) {
  const float *pa[kTileRows], *pb[kTileColumns];
  float sums[kTileRows * kTileColumns];
  for (size_t r = 0; r < kTileRows; r++) pa[r] = a[r < rows ? r : rows - 1];
  for (size_t c = 0; c < kTileColumns; c++) pb[c] = b[c < columns ? c : columns - 1];
  if (rows == 1) canonical_tile<1, kTileColumns>(pa, pb, depth, sums, kTileColumns);
  else canonical_tile<kTileRows, kTileColumns>(pa, pb, depth, sums, kTileColumns);
  for (size_t r = 0; r < rows; r++) for (size_t c = 0; c < columns; c++) out[r * stride + c] = sums[r * kTileColumns + c];
}

// out[r·stride + c] = dot(a + r·a_stride, b + c·b_stride) for any rows × columns. Rows of b are the outer loop: kTileColumns
// of them stay in the first cache while a, which should fit the second one, streams past.
static inline __attribute__((unused)) void canonical_block(const float* a, size_t a_stride, size_t rows, const float* b, size_t b_stride,
                                                           size_t columns, size_t depth, float* out, size_t stride) {
  const float *pa[kTileRows], *pb[kTileColumns];
  for (size_t c = 0; c < columns; c += kTileColumns) {
    const size_t width = columns - c < kTileColumns ? columns - c : kTileColumns;
    for (size_t i = 0; i < width; i++) pb[i] = b + (c + i) * b_stride;
    for (size_t r = 0; r < rows; r += kTileRows) {
      const size_t height = rows - r < kTileRows ? rows - r : kTileRows;
      for (size_t i = 0; i < height; i++) pa[i] = a + (r + i) * a_stride;
      float* to = out + r * stride + c;
      if (height == kTileRows && width == kTileColumns) canonical_tile<kTileRows, kTileColumns>(pa, pb, depth, to, stride);
      else canonical_rim(pa, height, pb, width, depth, to, stride);
    }
  }
}

} }   // namespace
