// The low-precision micro-kernel of screening: rows of x, broadcast a word at a time, with groups of sixteen features.
//
//   i8     exact integers: u8 codes of x times i8 codes of w, four columns an instruction with VNNI; without it
//          vpmaddubsw and vpmaddwd, two columns and then four (x has 7 bits there, so nothing saturates)
//   bf16   vdpbf16ps, two columns an instruction, summed in f32 by its own rounding: screening.h's proof allows for it
//
// The features are the lanes, so a tile ends without a fold. 8 rows × 3 groups = 24 registers of 512 bits, 11 loads for 24
// instructions; 6 × 1 group of two halves = 12 of 256 bits.
#pragma once
#include "shadow.h"

namespace transweld::TRANSWELD_ISA { namespace {

#if defined(__AVX512F__)
constexpr int kScreenRows = 8, kScreenGroups = 3, kScreenParts = 1;
using packed = __m512i;
TW_INLINE packed load_words(const void* p) { return _mm512_loadu_si512(p); }
TW_INLINE void store_words(void* p, packed v) { _mm512_storeu_si512(p, v); }
TW_INLINE packed splat_word(int32_t w) { return _mm512_set1_epi32(w); }
TW_INLINE packed zero_words() { return _mm512_setzero_si512(); }
TW_INLINE packed multiply_bytes(packed sum, packed x, packed w) {
#if defined(__AVX512VNNI__)
  return _mm512_dpbusd_epi32(sum, x, w);
#else
  return _mm512_add_epi32(sum, _mm512_madd_epi16(_mm512_maddubs_epi16(x, w), _mm512_set1_epi16(1)));
#endif
}
TW_INLINE packed multiply_halves(packed sum, packed x, packed w) {
#if defined(__AVX512BF16__)
  return _mm512_castps_si512(_mm512_dpbf16_ps(_mm512_castsi512_ps(sum), (__m512bh)x, (__m512bh)w));
#else
  return (void)x, (void)w, sum;
#endif
}
TW_INLINE lanes floats_of(const int32_t* p) { return {{_mm512_cvtepi32_ps(_mm512_loadu_si512(p))}}; }
#elif defined(__AVX2__)
constexpr int kScreenRows = 6, kScreenGroups = 1, kScreenParts = 2;
using packed = __m256i;
TW_INLINE packed load_words(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
TW_INLINE void store_words(void* p, packed v) { _mm256_storeu_si256(static_cast<__m256i*>(p), v); }
TW_INLINE packed splat_word(int32_t w) { return _mm256_set1_epi32(w); }
TW_INLINE packed zero_words() { return _mm256_setzero_si256(); }
TW_INLINE packed multiply_bytes(packed sum, packed x, packed w) {
#if defined(__AVXVNNI__)
  return _mm256_dpbusd_avx_epi32(sum, x, w);
#else
  return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(x, w), _mm256_set1_epi16(1)));
#endif
}
TW_INLINE packed multiply_halves(packed sum, packed, packed) { return sum; }
TW_INLINE lanes floats_of(const int32_t* p) {
  return {{_mm256_cvtepi32_ps(load_words(p)), _mm256_cvtepi32_ps(load_words(p + 8))}};
}
#endif

#if defined(__AVX2__)
// out[r·stride + 16·c + lane] = sums of row r of x (x_stride words apart) with group c of codes: i32, or f32 if bf16.
template <uint32_t kScreen, int C> TW_INLINE void screen_tile(const int32_t* x, size_t x_stride, const int8_t* codes, size_t count,
                                                              const Bounds* bounds, int32_t* out, size_t stride) {
  constexpr int kColumns = C * kScreenParts, kStep = 64 / kScreenParts;
  packed sum[kScreenRows][kColumns];
  const int8_t* group[C];
#pragma GCC unroll 8
  for (int c = 0; c < C; c++) group[c] = codes + c * count * 64;
#pragma GCC unroll 8
  for (int c = 0; c < kColumns; c++) {
    const int32_t* offset = bounds[c / kScreenParts].offset + c % kScreenParts * (16 / kScreenParts);
    const packed start = kScreen == TW_SCREEN_INT8 ? load_words(offset) : zero_words();
#pragma GCC unroll 8
    for (int r = 0; r < kScreenRows; r++) sum[r][c] = start;
  }
  for (size_t k = 0; k < count; k++) {
    packed w[kColumns];
#pragma GCC unroll 8
    for (int c = 0; c < kColumns; c++) w[c] = load_words(group[c / kScreenParts] + k * 64 + c % kScreenParts * kStep);
#pragma GCC unroll 8
    for (int r = 0; r < kScreenRows; r++) {
      const packed row = splat_word(x[r * x_stride + k]);
#pragma GCC unroll 8
      for (int c = 0; c < kColumns; c++)
        sum[r][c] = kScreen == TW_SCREEN_INT8 ? multiply_bytes(sum[r][c], row, w[c]) : multiply_halves(sum[r][c], row, w[c]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kScreenRows; r++) {
#pragma GCC unroll 8
    for (int c = 0; c < kColumns; c++) store_words(out + r * stride + c * (16 / kScreenParts), sum[r][c]);
  }
}
#endif

} }   // namespace
