// exp, log and erf of our own, the CPU backend's polynomials coefficient by coefficient, so that both give the same bits:
// additions, products, fused multiply-adds and integer operations alone. The library is compiled without contraction
// (-fmad=false), so nothing is fused that is not written so.
//   exp   1 ulp, subnormal results included   exp(-inf) = 0, exp(inf) = inf, exp(NaN) = NaN
//   log   1 ulp, subnormal arguments included log(0) = -inf, log(below 0) = NaN, log(inf) = inf
//   erf   1 ulp                               erf(+-inf) = +-1
//   tanh  2 ulp                               tanh(+-inf) = +-1
#pragma once
#include <float.h>
#include "../../src/op_table.h"
#include "dtype.h"

namespace transweld {

// c[0] + c[1]·x + c[2]·x² + ..., by Horner's rule.
template <int N> __device__ inline float polynomial(const float (&c)[N], float x) {
  float p = c[N - 1];
#pragma unroll
  for (int i = N - 1; i > 0; i--) p = fmaf(p, x, c[i - 1]);
  return p;
}

constexpr float kLog2High = 0.693359375f, kLog2Low = -2.12194440e-4f;   // their sum is log 2; an integer times High is exact

// The second of two where either is NaN, as the CPU's instruction has it.
__device__ inline float max_second(float a, float b) { return a > b ? a : b; }
__device__ inline float min_second(float a, float b) { return a < b ? a : b; }

// e^x = 2^n·e^r with |r| <= log(2)/2, and e^r = 1 + r + r²·P(r).
__device__ inline float exp_of(float x) {
  constexpr float kP[] = {0.49999994f, 0.166665167f, 0.0416681021f, 0.00836916547f, 0.00138383242f};
  constexpr float kRound = 12582912.0f;                     // 1.5·2^23: a sum with it has its integer part in the low bits
  x = min_second(89.0f, max_second(-104.0f, x));            // 2^128.4 and 2^-150.04: infinity and zero; keeps NaN
  const float n = fmaf(x, 1.44269504f, kRound) - kRound;
  float r = fmaf(n, -kLog2High, x);
  r = fmaf(n, -kLog2Low, r);
  const float e = fmaf(r * r, polynomial(kP, r), r) + 1.0f;
  // In two factors, for n = 128 and for subnormal results: the first product is exact, the second rounds once.
  const int32_t whole = static_cast<int32_t>(bits_of(n + kRound)) - 0x4b400000, half = whole >> 1;
  return e * float_of(static_cast<uint32_t>(half + 127) << 23) * float_of(static_cast<uint32_t>(whole - half + 127) << 23);
}

// x = 2^n·(1 + f) with 1 + f in [√½, √2), and log(1 + f) = f - f²/2 + f³·P(f).
__device__ inline float log_of(float x) {
  constexpr float kP[] = {0.333333313f, -0.250008196f, 0.200012416f, -0.166234076f, 0.142015785f, -0.131596342f, 0.127622485f, -0.0763640255f};
  const bool small = x < 0x1p-126f;
  const int32_t bits = static_cast<int32_t>(bits_of(small ? x * 0x1p23f : x));
  const int32_t power = (bits - 0x3f3504f3) >> 23;          // 0x3f3504f3 is √½
  const float f = float_of(static_cast<uint32_t>(bits) - (static_cast<uint32_t>(power) << 23)) - 1.0f;
  const float n = float_of(static_cast<uint32_t>(power - (small ? 23 : 0) + 0x4b400000)) - 12582912.0f;
  const float f2 = f * f;
  float tail = fmaf(f2 * f, polynomial(kP, f), n * kLog2Low);
  tail = fmaf(f2, -0.5f, tail);
  const float y = fmaf(n, kLog2High, f + tail);
  if (x != x || x < 0) return float_of(0x7fc00000u);
  if (x == 0) return -float_of(0x7f800000u);
  return x == float_of(0x7f800000u) ? x : y;
}

// Below 1: x + x·P(x²). From 1 on: 1 - e^(-Q(|x|)), which is 1 in f32 from 3.95 on.
__device__ inline float erf_of(float x) {
  constexpr float kP[] = {0.128379166f, -0.37612626f, 0.112835787f, -0.0268533472f, 0.00518716216f, -0.000799785310f, 7.80690389e-05f};
  constexpr float kQ[] = {0.000341518986f, 1.12708926f, 0.638144612f, 0.103107043f, -0.0218382534f, 0.00294772047f, -0.000186387362f};
  const uint32_t sign = bits_of(x) & 0x80000000u;
  const float size = float_of(bits_of(x) & 0x7fffffffu);
  if (size < 1) return fmaf(x, polynomial(kP, x * x), x);
  return float_of(bits_of(1.0f - exp_of(0.0f - polynomial(kQ, min_second(3.95f, size)))) | sign);
}

// Odd. Below 0.625: x + x³·P(x²). From there on 1 − 2/(e^(2|x|) + 1), which loses no digits.
__device__ inline float tanh_of(float x) {
  constexpr float kP[] = {-0.3333326f, 0.13330829f, -0.053687904f, 0.020469f, -0.00551468f};
  const uint32_t sign = bits_of(x) & 0x80000000u;
  const float size = float_of(bits_of(x) & 0x7fffffffu), square = x * x;
  if (size < 0.625f) return float_of(bits_of(fmaf(square * size, polynomial(kP, square), size)) | sign);
  return float_of(bits_of(1.0f - 2.0f / (exp_of(size + size) + 1.0f)) | sign);
}

// cap·tanh(x/cap), where there is a cap.
__device__ inline float capped(float x, float cap) { return cap > 0 ? cap * tanh_of(x / cap) : x; }

// The activations of a dense product and of a gate, one of TW_LINEAR ... TW_QUICK_GELU.
//   TW_RELU        max(x, 0), NaN stays
//   TW_GELU_TANH   ½x(1 + tanh u), u = √(2/π)(x + 0.044715x³), as x/(1 + e^(-2u)): no cancellation at negative x
//   TW_GELU_ERF    ½x(1 + erf(x/√2))
//   TW_SILU        x/(1 + e^-x)
//   TW_QUICK_GELU  x/(1 + e^(-1.702x))
// All but linear and relu tend to -0 at -∞, where -∞/∞ or -∞·0 would be NaN: so x is at least the lowest number.
__device__ inline float activate(uint32_t activation, float x) {
  if (activation == TW_LINEAR) return x;
  if (activation == TW_RELU) return max_second(0.0f, x);
  const float least = max_second(-FLT_MAX, x);             // NaN stays
  if (activation == TW_GELU_TANH) {
    const float cubic = fmaf(least * least * least, 0.044715f, least);
    return least / (exp_of(cubic * -1.59576912f) + 1.0f);  // -2·√(2/π)
  }
  if (activation == TW_GELU_ERF) return least * 0.5f * (erf_of(least * 0.707106781f) + 1.0f);
  return least / (exp_of(x * (activation == TW_SILU ? -1.0f : -1.702f)) + 1.0f);
}

}   // namespace transweld
