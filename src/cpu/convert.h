// bf16 and f16 rows read as f32 lanes and written back, rounded to nearest even; i8 rows read as the integers they are.
// A NaN stays a NaN (made quiet, its sign and leading payload bits kept), subnormals and infinities are exact: the same
// bits from the chip's own instructions and from the plain code below.
//   load, load_some, load_upto, store, store_some, store_upto, dot    lanes.h's verbs for the two narrow types; i8 is only read
//   with_float(view, [&](auto* data) { ... })                   one template body for every float dtype
//   with_stored(view, [&](auto* data) { ... })                  and for i8
#pragma once
#include "../narrow.h"
#include "../view.h"
#include "lanes.h"

namespace transweld::TRANSWELD_ISA { namespace {

#if defined(__AVX512F__)
TW_INLINE __m512 widen_sixteen(__m256i x, bf16) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16)); }
TW_INLINE __m512 widen_sixteen(__m256i x, f16) { return _mm512_cvtph_ps(x); }
template <class T> TW_INLINE lanes load_narrow(const T* p) {
  return {{widen_sixteen(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)), T{})}};
}
#elif defined(__AVX2__)
TW_INLINE __m256 widen_eight(__m128i x, bf16) { return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(x), 16)); }
TW_INLINE __m256 widen_eight(__m128i x, f16) { return _mm256_cvtph_ps(x); }
template <class T> TW_INLINE lanes load_narrow(const T* p) {
  const __m128i* halves = reinterpret_cast<const __m128i*>(p);
  return {{widen_eight(_mm_loadu_si128(halves), T{}), widen_eight(_mm_loadu_si128(halves + 1), T{})}};
}
#else
template <class T> TW_INLINE lanes load_narrow(const T* p) {
  float wide[16];
  for (int i = 0; i < 16; i++) wide[i] = widen(p[i]);
  return load(wide);
}
#endif
TW_INLINE lanes load(const bf16* p) { return load_narrow(p); }
TW_INLINE lanes load(const f16* p) { return load_narrow(p); }
TW_INLINE lanes load(const int8_t* p) {
#if defined(__AVX512F__)
  return {{_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))))}};
#elif defined(__AVX2__)
  const __m128i* eights = reinterpret_cast<const __m128i*>(p);
  return {{_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(eights))),
           _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_srli_si128(_mm_loadu_si128(eights), 8)))}};
#else
  float wide[16];
  for (int i = 0; i < 16; i++) wide[i] = p[i];
  return load(wide);
#endif
}

TW_INLINE void store(bf16* p, lanes v) {
  float wide[16];
  store(wide, v);
  for (int i = 0; i < 16; i++) narrow(wide[i], p[i]);
}
TW_INLINE void store(f16* p, lanes v) {
#if defined(__AVX512F__)
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtps_ph(v.part[0], _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
#elif defined(__AVX2__)
  for (int i = 0; i < 2; i++) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p) + i, _mm256_cvtps_ph(v.part[i], _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  }
#else
  float wide[16];
  store(wide, v);
  for (int i = 0; i < 16; i++) narrow(wide[i], p[i]);
#endif
}

// The first n of 16 (0 < n < 16), through a padded copy: a tail is read once a row.
template <class T> TW_INLINE lanes load_some(const T* p, size_t n) {
  T full[16] = {};
  memcpy(full, p, n * sizeof(T));
  return load(full);
}
template <class T> TW_INLINE void store_some(T* p, lanes v, size_t n) {
  T full[16];
  store(full, v);
  memcpy(p, full, n * sizeof(T));
}
template <class T> TW_INLINE lanes load_upto(const T* p, size_t n) { return n == 16 ? load(p) : load_some(p, n); }
template <class T> TW_INLINE void store_upto(T* p, lanes v, size_t n) { if (n == 16) store(p, v); else store_some(p, v, n); }

// dot of op_table.h with a narrow row on the right.
template <class T> TW_INLINE float dot(const float* a, const T* b, size_t count) {
  lanes s = splat(0);
  sixteens(count, [&](size_t k, size_t n) { s = fma(load_upto(a + k, n), load_upto(b + k, n), s); });
  return fold(s);
}

TW_INLINE bool is_float(uint32_t dtype) { return dtype == TW_F32 || dtype == TW_BF16 || dtype == TW_F16; }

// f(data) with the view's elements under their own type; the dtype is checked before (is_float).
template <class F> TW_INLINE void with_float(const tw_view& v, const F& f) {
  if (v.dtype == TW_BF16) f(static_cast<bf16*>(v.data));
  else if (v.dtype == TW_F16) f(static_cast<f16*>(v.data));
  else f(static_cast<float*>(v.data));
}
template <class F> TW_INLINE void with_stored(const tw_view& v, const F& f) {
  if (v.dtype == TW_I8) f(static_cast<int8_t*>(v.data));
  else with_float(v, f);
}

} }   // namespace
