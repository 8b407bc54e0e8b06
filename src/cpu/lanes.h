// Sixteen f32 lanes, the unit of the canonical order, on whatever width the instruction set has.
// Compiled once per instruction set: everything here has internal linkage, so that no AVX-512 copy can be kept by the
// linker for a chip without it. `native` is one register; `lanes` is 16 floats in kParts of them.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__x86_64__)
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"         // GCC 12 warns inside its own header, at undefined lanes
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop
#else
#include <immintrin.h>
#endif
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

#ifndef TRANSWELD_ISA
#define TRANSWELD_ISA baseline
#endif
#define TW_INLINE static inline __attribute__((always_inline, unused))

namespace transweld::TRANSWELD_ISA { namespace {

#if defined(__AVX512F__)
constexpr int kWidth = 16;
using native = __m512;
TW_INLINE native load_native(const float* p) { return _mm512_loadu_ps(p); }
TW_INLINE void store_native(float* p, native v) { _mm512_storeu_ps(p, v); }
TW_INLINE native splat_native(float x) { return _mm512_set1_ps(x); }
TW_INLINE native fma_native(native a, native b, native c) { return _mm512_fmadd_ps(a, b, c); }
TW_INLINE native add_native(native a, native b) { return _mm512_add_ps(a, b); }
TW_INLINE native sub_native(native a, native b) { return _mm512_sub_ps(a, b); }
TW_INLINE native mul_native(native a, native b) { return _mm512_mul_ps(a, b); }
TW_INLINE native div_native(native a, native b) { return _mm512_div_ps(a, b); }
TW_INLINE native sqrt_native(native a) { return _mm512_sqrt_ps(a); }
TW_INLINE native max_native(native a, native b) { return _mm512_max_ps(a, b); }   // second where either is NaN
TW_INLINE native min_native(native a, native b) { return _mm512_min_ps(a, b); }
#elif defined(__AVX2__)
constexpr int kWidth = 8;
using native = __m256;
TW_INLINE native load_native(const float* p) { return _mm256_loadu_ps(p); }
TW_INLINE void store_native(float* p, native v) { _mm256_storeu_ps(p, v); }
TW_INLINE native splat_native(float x) { return _mm256_set1_ps(x); }
TW_INLINE native fma_native(native a, native b, native c) { return _mm256_fmadd_ps(a, b, c); }
TW_INLINE native add_native(native a, native b) { return _mm256_add_ps(a, b); }
TW_INLINE native sub_native(native a, native b) { return _mm256_sub_ps(a, b); }
TW_INLINE native mul_native(native a, native b) { return _mm256_mul_ps(a, b); }
TW_INLINE native div_native(native a, native b) { return _mm256_div_ps(a, b); }
TW_INLINE native sqrt_native(native a) { return _mm256_sqrt_ps(a); }
TW_INLINE native max_native(native a, native b) { return _mm256_max_ps(a, b); }
TW_INLINE native min_native(native a, native b) { return _mm256_min_ps(a, b); }
#elif defined(__x86_64__)
constexpr int kWidth = 4;
using native = __m128;
TW_INLINE native load_native(const float* p) { return _mm_loadu_ps(p); }
TW_INLINE void store_native(float* p, native v) { _mm_storeu_ps(p, v); }
TW_INLINE native splat_native(float x) { return _mm_set1_ps(x); }
TW_INLINE native fma_native(native a, native b, native c) { return _mm_add_ps(_mm_mul_ps(a, b), c); }   // class {baseline}: two roundings
TW_INLINE native add_native(native a, native b) { return _mm_add_ps(a, b); }
TW_INLINE native sub_native(native a, native b) { return _mm_sub_ps(a, b); }
TW_INLINE native mul_native(native a, native b) { return _mm_mul_ps(a, b); }
TW_INLINE native div_native(native a, native b) { return _mm_div_ps(a, b); }
TW_INLINE native sqrt_native(native a) { return _mm_sqrt_ps(a); }
TW_INLINE native max_native(native a, native b) { return _mm_max_ps(a, b); }
TW_INLINE native min_native(native a, native b) { return _mm_min_ps(a, b); }
#else   // NEON, and any other machine: vectors of four that the compiler lowers
constexpr int kWidth = 4;
typedef float native __attribute__((vector_size(16)));
TW_INLINE native load_native(const float* p) { native v; memcpy(&v, p, 16); return v; }
TW_INLINE void store_native(float* p, native v) { memcpy(p, &v, 16); }
TW_INLINE native splat_native(float x) { return native{x, x, x, x}; }
TW_INLINE native fma_native(native a, native b, native c) {
  return native{__builtin_fmaf(a[0], b[0], c[0]), __builtin_fmaf(a[1], b[1], c[1]), __builtin_fmaf(a[2], b[2], c[2]), __builtin_fmaf(a[3], b[3], c[3])};
}
TW_INLINE native add_native(native a, native b) { return a + b; }
TW_INLINE native sub_native(native a, native b) { return a - b; }
TW_INLINE native mul_native(native a, native b) { return a * b; }
TW_INLINE native div_native(native a, native b) { return a / b; }
TW_INLINE native sqrt_native(native a) { return native{__builtin_sqrtf(a[0]), __builtin_sqrtf(a[1]), __builtin_sqrtf(a[2]), __builtin_sqrtf(a[3])}; }
TW_INLINE native max_native(native a, native b) { native r; for (int i = 0; i < 4; i++) r[i] = a[i] > b[i] ? a[i] : b[i]; return r; }
TW_INLINE native min_native(native a, native b) { native r; for (int i = 0; i < 4; i++) r[i] = a[i] < b[i] ? a[i] : b[i]; return r; }
#endif

constexpr int kParts = 16 / kWidth;

struct lanes { native part[kParts]; };

// Elementwise verbs, one line each: the same operation on every part.
#define TW_EACH(expression) lanes r; for (int i = 0; i < kParts; i++) r.part[i] = expression; return r
TW_INLINE lanes splat(float x) { TW_EACH(splat_native(x)); }
TW_INLINE lanes load(const float* p) { TW_EACH(load_native(p + i * kWidth)); }
TW_INLINE lanes fma(lanes a, lanes b, lanes c) { TW_EACH(fma_native(a.part[i], b.part[i], c.part[i])); }
TW_INLINE lanes operator+(lanes a, lanes b) { TW_EACH(add_native(a.part[i], b.part[i])); }
TW_INLINE lanes operator-(lanes a, lanes b) { TW_EACH(sub_native(a.part[i], b.part[i])); }
TW_INLINE lanes operator*(lanes a, lanes b) { TW_EACH(mul_native(a.part[i], b.part[i])); }
TW_INLINE lanes operator/(lanes a, lanes b) { TW_EACH(div_native(a.part[i], b.part[i])); }
TW_INLINE lanes root(lanes a) { TW_EACH(sqrt_native(a.part[i])); }
TW_INLINE lanes max(lanes a, lanes b) { TW_EACH(max_native(a.part[i], b.part[i])); }
TW_INLINE lanes min(lanes a, lanes b) { TW_EACH(min_native(a.part[i], b.part[i])); }
#undef TW_EACH
TW_INLINE void store(float* p, lanes v) { for (int i = 0; i < kParts; i++) store_native(p + i * kWidth, v.part[i]); }

// The first n of 16 (0 < n < 16): the missing lanes read as +0 and are not written.
TW_INLINE lanes load_some(const float* p, size_t n) {
#if defined(__AVX512F__)
  return {{_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1), p)}};
#else
  float full[16] = {};
  memcpy(full, p, n * sizeof(float));
  return load(full);
#endif
}
TW_INLINE void store_some(float* p, lanes v, size_t n) {
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << n) - 1), v.part[0]);
#else
  float full[16];
  store(full, v);
  memcpy(p, full, n * sizeof(float));
#endif
}

// f(k, n): k = 0, 16, 32, ... and n = 16, or what is left at the end. The loop of every row in this folder.
template <class F> TW_INLINE void sixteens(size_t count, const F& f) {
  size_t k = 0;
  for (; k + 16 <= count; k += 16) f(k, size_t{16});
  if (k < count) f(k, count - k);
}
TW_INLINE lanes load_upto(const float* p, size_t n) { return n == 16 ? load(p) : load_some(p, n); }
TW_INLINE void store_upto(float* p, lanes v, size_t n) { if (n == 16) store(p, v); else store_some(p, v, n); }

// The canonical fold 8-4-2-1 of op_table.h.
TW_INLINE float fold(lanes v) {
#if defined(__AVX512F__)
  __m256 h = _mm256_add_ps(_mm512_castps512_ps256(v.part[0]), _mm512_extractf32x8_ps(v.part[0], 1));
#elif defined(__AVX2__)
  __m256 h = _mm256_add_ps(v.part[0], v.part[1]);
#endif
#if defined(__AVX2__)
  __m128 q = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
  q = _mm_add_ps(q, _mm_movehl_ps(q, q));
  return _mm_cvtss_f32(_mm_add_ss(q, _mm_movehdup_ps(q)));
#else
  float s[16];
  store(s, v);
  for (int j = 0; j < 8; j++) s[j] += s[j + 8];
  for (int j = 0; j < 4; j++) s[j] += s[j + 4];
  for (int j = 0; j < 2; j++) s[j] += s[j + 2];
  return s[0] + s[1];
#endif
}

// dot(a, b) of op_table.h, and the sum of a row.
TW_INLINE float dot(const float* a, const float* b, size_t count) {
  lanes s = splat(0);
  sixteens(count, [&](size_t k, size_t n) { s = fma(load_upto(a + k, n), load_upto(b + k, n), s); });
  return fold(s);
}
TW_INLINE float sum(const float* a, size_t count) {
  lanes s = splat(0);
  sixteens(count, [&](size_t k, size_t n) { s = s + load_upto(a + k, n); });
  return fold(s);
}
TW_INLINE float fma_one(float a, float b, float c) {
#if defined(__x86_64__) && !defined(__FMA__)
  return a * b + c;
#else
  return __builtin_fmaf(a, b, c);
#endif
}

} }   // namespace
