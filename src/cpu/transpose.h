// to[c, r] = from[r, c] for a block that fits the first caches: what turns a contraction over rows into one over columns,
// and keys into lanes. Sixteen by sixteen on AVX-512, four by four elsewhere, one by one at the rims.
#pragma once
#include "convert.h"

namespace transweld::TRANSWELD_ISA { namespace {

#if defined(__AVX512F__)
constexpr size_t kSquare = 16;
TW_INLINE void transpose_square(const float* from, size_t from_stride, float* to, size_t to_stride) {
  __m512 a[16], b[16];
#pragma GCC unroll 16
  for (int i = 0; i < 16; i++) a[i] = _mm512_loadu_ps(from + i * from_stride);
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {                   // b[2i], b[2i+1]: columns 0 1 | 2 3 of every quad, of rows i and i+1
    b[i] = _mm512_unpacklo_ps(a[i], a[i + 1]);
    b[i + 1] = _mm512_unpackhi_ps(a[i], a[i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {                   // a[4g + c]: column c of every quad, of rows 4g ... 4g+3
    for (int c = 0; c < 2; c++) {
      const __m512d x = _mm512_castps_pd(b[i + c]), y = _mm512_castps_pd(b[i + 2 + c]);
      a[i + 2 * c] = _mm512_castpd_ps(_mm512_unpacklo_pd(x, y));
      a[i + 2 * c + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(x, y));
    }
  }
#pragma GCC unroll 4
  for (int c = 0; c < 4; c++) {                       // quads q of column c: 4×4 of 128 bits, rows by groups
    const __m512 x = _mm512_shuffle_f32x4(a[c], a[4 + c], 0x88), y = _mm512_shuffle_f32x4(a[8 + c], a[12 + c], 0x88);
    const __m512 z = _mm512_shuffle_f32x4(a[c], a[4 + c], 0xDD), w = _mm512_shuffle_f32x4(a[8 + c], a[12 + c], 0xDD);
    _mm512_storeu_ps(to + c * to_stride, _mm512_shuffle_f32x4(x, y, 0x88));
    _mm512_storeu_ps(to + (8 + c) * to_stride, _mm512_shuffle_f32x4(x, y, 0xDD));
    _mm512_storeu_ps(to + (4 + c) * to_stride, _mm512_shuffle_f32x4(z, w, 0x88));
    _mm512_storeu_ps(to + (12 + c) * to_stride, _mm512_shuffle_f32x4(z, w, 0xDD));
  }
}
#else
constexpr size_t kSquare = 4;
typedef float quad __attribute__((vector_size(16)));
TW_INLINE void transpose_square(const float* from, size_t from_stride, float* to, size_t to_stride) {
  quad a[4];
  for (size_t i = 0; i < 4; i++) memcpy(&a[i], from + i * from_stride, 16);
  const quad x = __builtin_shufflevector(a[0], a[1], 0, 4, 1, 5), y = __builtin_shufflevector(a[2], a[3], 0, 4, 1, 5);
  const quad z = __builtin_shufflevector(a[0], a[1], 2, 6, 3, 7), w = __builtin_shufflevector(a[2], a[3], 2, 6, 3, 7);
  const quad columns[4] = {__builtin_shufflevector(x, y, 0, 1, 4, 5), __builtin_shufflevector(x, y, 2, 3, 6, 7),
                           __builtin_shufflevector(z, w, 0, 1, 4, 5), __builtin_shufflevector(z, w, 2, 3, 6, 7)};
  for (size_t i = 0; i < 4; i++) memcpy(to + i * to_stride, &columns[i], 16);
}
#endif

TW_INLINE void transpose(const float* from, size_t from_stride, size_t rows, size_t columns, float* to, size_t to_stride) {
  const size_t square_rows = rows - rows % kSquare, square_columns = columns - columns % kSquare;
  for (size_t r = 0; r < square_rows; r += kSquare) {
    for (size_t c = 0; c < square_columns; c += kSquare) transpose_square(from + r * from_stride + c, from_stride, to + c * to_stride + r, to_stride);
  }
  for (size_t r = 0; r < rows; r++) {
    for (size_t c = r < square_rows ? square_columns : 0; c < columns; c++) to[c * to_stride + r] = from[r * from_stride + c];
  }
}

// A narrow block is widened on the way, kStrip columns at a time.
template <class T> TW_INLINE void transpose(const T* from, size_t from_stride, size_t rows, size_t columns, float* to, size_t to_stride) {
  constexpr size_t kStrip = 16;
  float wide[kStrip * kStrip];
  for (size_t r = 0; r < rows; r += kStrip) {
    const size_t height = rows - r < kStrip ? rows - r : kStrip;
    for (size_t c = 0; c < columns; c += kStrip) {
      const size_t width = columns - c < kStrip ? columns - c : kStrip;
      for (size_t i = 0; i < height; i++) store(wide + i * kStrip, load_upto(from + (r + i) * from_stride + c, width));
      transpose(wide, kStrip, height, width, to + c * to_stride + r, to_stride);
    }
  }
}

} }   // namespace
