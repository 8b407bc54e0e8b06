// Storage types: how an element is read as f32 and written back, rounded to nearest even. A NaN stays a NaN (made quiet, its
// sign and leading payload bits kept), subnormals and infinities are exact: the same bits as the CPU's backend writes.
//   widen(x), narrow<T>(x)                        one element
//   with_float(view, [&](auto* data) { ... })     host: one template body for every float dtype; the dtype is checked before
//   with_stored(view, [&](auto* data) { ... })    and for i8, whose elements are the integers they are
#pragma once
#include <string.h>
#include "../../src/status.h"
#include "../../src/view.h"
#include "launch.h"

namespace transweld {

struct bf16 { uint16_t bits; };
struct f16 { uint16_t bits; };

__host__ __device__ inline float float_of(uint32_t bits) { float x; memcpy(&x, &bits, 4); return x; }
__host__ __device__ inline uint32_t bits_of(float x) { uint32_t bits; memcpy(&bits, &x, 4); return bits; }

__host__ __device__ inline float widen(float x) { return x; }
__host__ __device__ inline float widen(int8_t x) { return x; }
__host__ __device__ inline float widen(bf16 x) { return float_of(static_cast<uint32_t>(x.bits) << 16); }
// Without a branch, since it stands in inner loops: the exponent moves from bias 15 to 127 by an exact product with 2^112, which
// makes subnormals right too; infinities and NaN are those with all exponent bits set.
__host__ __device__ inline float widen(f16 x) {
  const uint32_t sign = (x.bits & 0x8000u) << 16, size = (x.bits & 0x7fffu) << 13, infinity = 0x7c00u << 13;
  const uint32_t finite = bits_of(float_of(size) * 0x1p112f);
  return float_of(sign | (size < infinity ? finite : size | 0x7f800000u | (size > infinity ? 0x400000u : 0)));
}

template <class T> __host__ __device__ T narrow(float x);
template <> __host__ __device__ inline float narrow<float>(float x) { return x; }
template <> __host__ __device__ inline bf16 narrow<bf16>(float x) {
  const uint32_t bits = bits_of(x);
  const bool nan = (bits & 0x7fffffffu) > 0x7f800000u;
  return {static_cast<uint16_t>((nan ? bits | 0x400000u : bits + 0x7fffu + (bits >> 16 & 1)) >> 16)};
}
template <> __host__ __device__ inline f16 narrow<f16>(float x) {
  const uint32_t sign = bits_of(x) >> 16 & 0x8000u, bits = bits_of(x) & 0x7fffffffu;
  uint32_t half;
  if (bits > 0x7f800000u) half = 0x7e00u | (bits >> 13 & 0x3ffu);
  else if (bits >= 0x477ff000u) half = 0x7c00u;                                          // 65520 and above
  else if (bits < 0x38800000u) half = bits_of(float_of(bits) + 0.5f) - bits_of(0.5f);    // 0.5 has an ulp of 2^-24, the subnormal step
  else half = (bits + 0xfffu + (bits >> 13 & 1) - (112u << 23)) >> 13;
  return {static_cast<uint16_t>(sign | half)};
}

template <class F> tw_status with_float(const tw_view& v, const F& f) {
  if (v.dtype == TW_BF16) return f(static_cast<bf16*>(v.data));
  if (v.dtype == TW_F16) return f(static_cast<f16*>(v.data));
  return f(static_cast<float*>(v.data));
}
template <class F> tw_status with_stored(const tw_view& v, const F& f) {
  return v.dtype == TW_I8 ? f(static_cast<int8_t*>(v.data)) : with_float(v, f);
}

}   // namespace transweld
