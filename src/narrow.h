// One bf16 or f16 as f32 and back, rounded to nearest even. A NaN stays a NaN (made quiet), subnormals and infinities are exact.
#pragma once
#include <stdint.h>
#include <string.h>

namespace transweld {
namespace {

struct bf16 { uint16_t bits; };
struct f16 { uint16_t bits; };

inline float float_of(uint32_t bits) { float x; memcpy(&x, &bits, 4); return x; }
inline uint32_t bits_of(float x) { uint32_t bits; memcpy(&bits, &x, 4); return bits; }

inline float widen(float x) { return x; }
inline float widen(bf16 x) { return float_of(static_cast<uint32_t>(x.bits) << 16); }
inline float widen(f16 x) {
  const uint32_t sign = (x.bits & 0x8000u) << 16, exponent = x.bits >> 10 & 31, mantissa = x.bits & 0x3ffu;
  if (exponent == 31) return float_of(sign | 0x7f800000u | mantissa << 13 | (mantissa ? 0x400000u : 0));
  if (exponent == 0) return float_of(sign | bits_of(static_cast<float>(mantissa) * 0x1p-24f));
  return float_of(sign | (exponent + 112) << 23 | mantissa << 13);
}

inline void narrow(float x, float& out) { out = x; }
inline void narrow(float x, bf16& out) {
  const uint32_t bits = bits_of(x);
  const bool nan = (bits & 0x7fffffffu) > 0x7f800000u;
  out.bits = static_cast<uint16_t>((nan ? bits | 0x400000u : bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
}
inline void narrow(float x, f16& out) {
  const uint32_t sign = bits_of(x) >> 16 & 0x8000u, bits = bits_of(x) & 0x7fffffffu;
  uint32_t half;
  if (bits > 0x7f800000u) half = 0x7e00u | (bits >> 13 & 0x3ffu);
  else if (bits >= 0x477ff000u) half = 0x7c00u;                                            // 65520 and above
  else if (bits < 0x38800000u) half = bits_of(float_of(bits) + 0.5f) - bits_of(0.5f);      // 0.5 has an ulp of 2^-24, the subnormal step
  else half = (bits + 0xfffu + (bits >> 13 & 1) - (112u << 23)) >> 13;
  out.bits = static_cast<uint16_t>(sign | half);
}

}   // namespace
}   // namespace transweld
