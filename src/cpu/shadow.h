// The low-precision copy of a weight, made by screen_rows and kept by the update of sparse_scatter, one row at a time.
//
//   codes   [G][Q][16] words of 4 bytes    G = ⌈F/16⌉ groups: the 16 features of a group are the lanes of a register, and
//           a word holds 4 columns of i8 (Q = ⌈D/4⌉) or 2 of bf16 (Q = ⌈D/2⌉), which one instruction multiplies and adds
//   bounds  [G] of { scale, norm, error f32 [16], offset i32 [16] }
//
// For row w and its copy ŵ (= scale · codes, or the bf16 numbers): norm >= ‖w‖ and error >= ‖w − ŵ‖, both rounded up;
// offset = −kLowOffset · Σ codes, what the unsigned codes of x add to a product too much. A row that is not finite, or
// longer than 2^60, has codes 0 and norm = error = ∞: no certificate, so it is always evaluated in full.
// The layout belongs to one instruction set and one process: nothing of it is ever written to a file.
#pragma once
#include "../op_table.h"
#include "lanes.h"

namespace transweld::TRANSWELD_ISA { namespace {

// Range of an i8 code of x, and what is added to make it unsigned. Without VNNI the pair sums of vpmaddubsw must fit
// i16: 2 · 127 · 127 = 32258, so x has 7 bits there.
#if (defined(__AVX512VNNI__) && defined(__AVX512VL__)) || defined(__AVXVNNI__)
constexpr int kLowRange = 127, kLowOffset = 128;
#else
constexpr int kLowRange = 63, kLowOffset = 64;
#endif
constexpr float kLongest = 0x1p60f;        // the longest row with a certificate: products of two stay far from overflow
constexpr float kShortest = 0x1p-100f;     // a row whose largest element is below has codes 0
constexpr uint64_t kScreenColumns = 65536; // 65536 · 255 · 127 < 2^31: sums of codes are exact

struct Bounds { float scale[16], norm[16], error[16]; int32_t offset[16]; };   // of one group

TW_INLINE size_t shadow_words(uint32_t screen, size_t columns) {
  return screen == TW_SCREEN_INT8 ? (columns + 3) / 4 : (columns + 1) / 2;
}
TW_INLINE size_t shadow_bytes(uint32_t screen, size_t rows, size_t columns) {
  return (rows + 15) / 16 * (shadow_words(screen, columns) * 64 + sizeof(Bounds));
}
TW_INLINE const int8_t* shadow_codes(const void* shadow, uint32_t screen, size_t columns, size_t group) {
  return static_cast<const int8_t*>(shadow) + group * shadow_words(screen, columns) * 64;
}
TW_INLINE Bounds* shadow_bounds(void* shadow, uint32_t screen, size_t rows, size_t columns) {
  return reinterpret_cast<Bounds*>(static_cast<int8_t*>(shadow) + (rows + 15) / 16 * shadow_words(screen, columns) * 64);
}

// √squares rounded up. `squares` is a canonical dot of non-negative terms, each with up to three roundings of its own:
// it lacks at most a (D/16 + 8) · 2^-24 part of the true sum, and 2^-126 for each square that underflowed.
TW_INLINE float length_up(float squares, size_t columns) {
  const double d = static_cast<double>(columns);
  return static_cast<float>(__builtin_sqrt(static_cast<double>(squares) * (1 + (d / 16 + 32) * 0x1p-23) + d * 0x1p-125) * (1 + 0x1p-22));
}

struct LowRow { float scale, norm, error; int32_t sum; };

#if defined(__AVX2__)
// Sixteen numbers as words of codes, 4 of i8 (code + offset, modulo 256) or 8 of bf16; back = the codes as floats.
TW_INLINE void low_bytes(lanes v, int offset, uint32_t* words, lanes& back) {
#if defined(__AVX512F__)
  const __m512i q = _mm512_cvtps_epi32(v.part[0]);
  back = {{_mm512_cvtepi32_ps(q)}};
  _mm_storeu_si128(reinterpret_cast<__m128i*>(words), _mm512_cvtepi32_epi8(_mm512_add_epi32(q, _mm512_set1_epi32(offset))));
#else
  const __m256i pick = _mm256_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
                                        0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
  for (int i = 0; i < 2; i++) {
    const __m256i q = _mm256_cvtps_epi32(v.part[i]);
    back.part[i] = _mm256_cvtepi32_ps(q);
    const __m256i bytes = _mm256_shuffle_epi8(_mm256_add_epi32(q, _mm256_set1_epi32(offset)), pick);
    words[2 * i] = static_cast<uint32_t>(_mm256_extract_epi32(bytes, 0));
    words[2 * i + 1] = static_cast<uint32_t>(_mm256_extract_epi32(bytes, 4));
  }
#endif
}
#if defined(__AVX512BF16__)
TW_INLINE void low_halves(lanes v, uint32_t* words, lanes& back) {   // subnormals become 0: the product would flush them
  const __m256i h = (__m256i)_mm512_cvtneps_pbh(v.part[0]);
  back = {{_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16))}};
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(words), h);
}
#endif

// The codes of a row, within ±range if i8, given to put(first word, words, count), and its bounds.
template <class Put> TW_INLINE LowRow low_row(uint32_t screen, const float* row, size_t columns, int range, int offset, const Put& put) {
  lanes most = splat(0), squares = splat(0);
  sixteens(columns, [&](size_t k, size_t n) {
    const lanes v = load_upto(row + k, n);
    most = max(max(v, splat(0) - v), most);
    squares = fma(v, v, squares);
  });
  float peak = 0, each[16];
  store(each, most);
  for (float p : each) peak = p > peak ? p : peak;
  LowRow r = {0, length_up(fold(squares), columns), 0, 0};
  const bool certain = r.norm <= kLongest;   // false for NaN too
  const bool flat = !certain || peak < kShortest;
  const float inverse = flat ? 0 : static_cast<float>(range) / peak;
  r.scale = flat ? 0 : peak / static_cast<float>(range);
  lanes misses = splat(0), total = splat(0);
  sixteens(columns, [&](size_t k, size_t n) {
    uint32_t words[8];
    lanes back, miss = splat(0);
    const lanes v = certain ? load_upto(row + k, n) : splat(0);
    if (screen == TW_SCREEN_INT8) {
      low_bytes(v * splat(inverse), offset, words, back);
      put(k / 4, words, 4);
      total = total + back;
      miss = fma(splat(-r.scale), back, v);
    } else {
#if defined(__AVX512BF16__)
      low_halves(v, words, back);
      put(k / 2, words, 8);
      miss = v - back;
#endif
    }
    misses = fma(miss, miss, misses);
  });
  r.error = certain ? length_up(fold(misses), columns) : __builtin_inff();
  r.sum = static_cast<int32_t>(fold(total));   // exact: below 2^24
  if (!certain) r.norm = __builtin_inff();
  return r;
}
#endif

// Makes row f of the shadow again. Rows are a word apart: sixteen neighbours refreshed by one owner share cache lines.
TW_INLINE void shadow_refresh(void* shadow, uint32_t screen, size_t features, size_t columns, size_t f, const float* row) {
#if defined(__AVX2__)
  const size_t words = shadow_words(screen, columns);
  uint32_t* to = static_cast<uint32_t*>(shadow) + f / 16 * words * 16 + f % 16;
  const LowRow r = low_row(screen, row, columns, 127, 0, [&](size_t first, const uint32_t* codes, size_t count) {
    for (size_t i = 0; i < count && first + i < words; i++) to[(first + i) * 16] = codes[i];
  });
  Bounds& bounds = shadow_bounds(shadow, screen, features, columns)[f / 16];
  bounds.scale[f % 16] = r.scale;
  bounds.norm[f % 16] = r.norm;
  bounds.error[f % 16] = r.error;
  bounds.offset[f % 16] = -kLowOffset * r.sum;
#else
  (void)shadow, (void)screen, (void)features, (void)columns, (void)f, (void)row;
#endif
}

} }   // namespace
