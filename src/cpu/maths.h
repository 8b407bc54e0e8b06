// exp, log and erf of sixteen lanes, our own: a libm differs from machine to machine, and results here must not.
// Only additions, products, fused multiply-adds and integer operations, so that every instruction set with FMA gives the
// same bits. Polynomials are minimax fits in relative error, their coefficients rounded to f32 one after the other.
//   exp   1 ulp, subnormal results included   exp(-inf) = 0, exp(inf) = inf, exp(NaN) = NaN
//   log   1 ulp, subnormal arguments included log(0) = -inf, log(below 0) = NaN, log(inf) = inf
//   erf   1 ulp                               erf(+-inf) = +-1
#pragma once
#include "lanes.h"

namespace transweld::TRANSWELD_ISA { namespace {

// The bits of a register as integers; comparisons of `native` give one of these too (all ones where true).
typedef int32_t integers __attribute__((vector_size(4 * kWidth)));

TW_INLINE integers integers_of(native x) { return (integers)x; }
TW_INLINE native native_of(integers x) { return (native)x; }
TW_INLINE native select(integers chosen, native yes, native no) {
  return native_of((chosen & integers_of(yes)) | (~chosen & integers_of(no)));
}

// c[0] + c[1]·x + c[2]·x² + ..., by Horner's rule.
template <size_t N> TW_INLINE native polynomial(const float (&c)[N], native x) {
  native p = splat_native(c[N - 1]);
  for (size_t i = N - 1; i > 0; i--) p = fma_native(p, x, splat_native(c[i - 1]));
  return p;
}

constexpr float kLog2High = 0.693359375f, kLog2Low = -2.12194440e-4f;   // their sum is log 2; an integer times High is exact

// e^x = 2^n·e^r with |r| <= log(2)/2, and e^r = 1 + r + r²·P(r).
TW_INLINE native exp(native x) {
  constexpr float kP[] = {0.49999994f, 0.166665167f, 0.0416681021f, 0.00836916547f, 0.00138383242f};
  const native round = splat_native(12582912.0f);   // 1.5·2^23: a sum with it has its integer part in the low bits
  x = min_native(splat_native(89.0f), max_native(splat_native(-104.0f), x));   // 2^128.4 and 2^-150.04: infinity and zero; keeps NaN
  const native n = sub_native(fma_native(x, splat_native(1.44269504f), round), round);
  native r = fma_native(n, splat_native(-kLog2High), x);
  r = fma_native(n, splat_native(-kLog2Low), r);
  const native e = add_native(fma_native(mul_native(r, r), polynomial(kP, r), r), splat_native(1));
#if defined(__AVX512F__)
  return _mm512_scalef_ps(e, n);
#else
  // In two factors, for n = 128 and for subnormal results: the first product is exact, the second rounds once.
  const integers whole = integers_of(add_native(n, round)) - 0x4b400000, half = whole >> 1;
  return mul_native(mul_native(e, native_of((half + 127) << 23)), native_of((whole - half + 127) << 23));
#endif
}

// x = 2^n·(1 + f) with 1 + f in [√½, √2), and log(1 + f) = f - f²/2 + f³·P(f).
TW_INLINE native log(native x) {
  constexpr float kP[] = {0.333333313f, -0.250008196f, 0.200012416f, -0.166234076f, 0.142015785f, -0.131596342f, 0.127622485f, -0.0763640255f};
  const integers small = x < splat_native(0x1p-126f);
  const integers bits = integers_of(select(small, mul_native(x, splat_native(0x1p23f)), x));
  const integers power = (bits - 0x3f3504f3) >> 23;                      // 0x3f3504f3 is √½
  const native f = sub_native(native_of(bits - (power << 23)), splat_native(1));
  const integers whole = power - (small & 23);
  const native n = sub_native(native_of(whole + 0x4b400000), splat_native(12582912.0f));   // to float, by the constant of exp
  const native f2 = mul_native(f, f);
  native tail = fma_native(mul_native(f2, f), polynomial(kP, f), mul_native(n, splat_native(kLog2Low)));
  tail = fma_native(f2, splat_native(-0.5f), tail);
  native y = fma_native(n, splat_native(kLog2High), add_native(f, tail));
  const native infinity = splat_native(__builtin_inff());
  y = select(x == infinity, infinity, y);
  y = select(x == splat_native(0), splat_native(-__builtin_inff()), y);
  return select((x < splat_native(0)) | (x != x), splat_native(__builtin_nanf("")), y);
}

// Below 1: x + x·P(x²). From 1 on: 1 - e^(-Q(|x|)), which is 1 in f32 from 3.95 on.
TW_INLINE native erf(native x) {
  constexpr float kP[] = {0.128379166f, -0.37612626f, 0.112835787f, -0.0268533472f, 0.00518716216f, -0.000799785310f, 7.80690389e-05f};
  constexpr float kQ[] = {0.000341518986f, 1.12708926f, 0.638144612f, 0.103107043f, -0.0218382534f, 0.00294772047f, -0.000186387362f};
  const integers sign = integers_of(x) & INT32_MIN;
  const native size = native_of(integers_of(x) & INT32_MAX);
  const native near = fma_native(x, polynomial(kP, mul_native(x, x)), x);
  const native far = sub_native(splat_native(1), exp(sub_native(splat_native(0), polynomial(kQ, min_native(splat_native(3.95f), size)))));
  return select(size < splat_native(1), near, native_of(integers_of(far) | sign));
}

#define TW_EACH(verb) TW_INLINE lanes verb(lanes a) { lanes r; for (int i = 0; i < kParts; i++) r.part[i] = verb(a.part[i]); return r; }
TW_EACH(exp) TW_EACH(log) TW_EACH(erf)
#undef TW_EACH

// The largest lane, folded 8-4-2-1 as sums are: with a NaN among them that NaN or the largest of some others.
TW_INLINE float fold_max(lanes v) {
#if defined(__AVX2__)
#if defined(__AVX512F__)
  const __m256 eight = _mm256_max_ps(_mm512_castps512_ps256(v.part[0]), _mm512_extractf32x8_ps(v.part[0], 1));
#else
  const __m256 eight = _mm256_max_ps(v.part[0], v.part[1]);
#endif
  __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  four = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(four, _mm_movehdup_ps(four)));
#else
  float m[16];
  store(m, v);
  for (int half = 8; half; half /= 2) for (int j = 0; j < half; j++) m[j] = m[j] > m[j + half] ? m[j] : m[j + half];
  return m[0];
#endif
}

// Single numbers, through the same lanes: the same bits as a vector's.
TW_INLINE float first(native v) { float s[kWidth]; store_native(s, v); return s[0]; }
TW_INLINE float exp_one(float x) { return first(exp(splat_native(x))); }
TW_INLINE float log_one(float x) { return first(log(splat_native(x))); }

} }   // namespace
