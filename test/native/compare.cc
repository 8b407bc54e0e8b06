#include "compare.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "device.h"

namespace transweld {
namespace {

template <class T> T load(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

double half(uint16_t bits) {
  const int exponent = bits >> 10 & 31, mantissa = bits & 0x3ff;
  const double size = exponent == 31 ? (mantissa ? NAN : INFINITY) : exponent ? std::ldexp(1024 + mantissa, exponent - 25) : std::ldexp(mantissa, -24);
  return bits & 0x8000 ? -size : size;
}

}   // namespace

const std::byte* poison_of(uint32_t dtype) {
  static const float f32 = NAN;
  static const uint16_t bf16 = 0x7fc0, f16 = 0x7e00;
  static const int8_t i8 = -101;
  static const uint32_t u32 = 77'777;
  static const uint64_t u64 = 77'777;
  const void* poisons[] = {&f32, &bf16, &f16, &i8, &u32, &u64};
  return static_cast<const std::byte*>(poisons[dtype]);
}

double element(uint32_t dtype, const std::byte* at) {
  switch (dtype) {
    case TW_F32: return load<float>(at);
    case TW_BF16: { const uint32_t bits = uint32_t{load<uint16_t>(at)} << 16; float value; std::memcpy(&value, &bits, 4); return value; }
    case TW_F16: return half(load<uint16_t>(at));
    case TW_I8: return load<int8_t>(at);
    case TW_U32: return load<uint32_t>(at);
    default: return static_cast<double>(load<uint64_t>(at));
  }
}

std::string differs(uint32_t dtype, const std::byte* actual, const std::byte* wanted, uint64_t count) {
  const uint64_t bytes = tw_dtype_bytes(dtype);
  if (!count || std::memcmp(actual, wanted, count * bytes) == 0) return "";
  uint64_t different = 0, first = 0;
  double largest = 0;
  for (uint64_t i = 0; i < count; i++) {
    const std::byte *a = actual + i * bytes, *w = wanted + i * bytes;
    if (std::memcmp(a, w, bytes) == 0) continue;
    const double x = element(dtype, a), y = element(dtype, w);
    if (std::isnan(x) && std::isnan(y)) continue;
    if (different++ == 0) first = i;
    largest = std::max(largest, std::isnan(x - y) ? INFINITY : std::abs(x - y));
  }
  if (!different) return "";
  return text("element %zu is %.9g, expected %.9g to the bit; %zu of %zu differ, by at most %.3g", static_cast<size_t>(first),
              element(dtype, actual + first * bytes), element(dtype, wanted + first * bytes), static_cast<size_t>(different),
              static_cast<size_t>(count), largest);
}

std::string differs_near(const std::byte* actual, const std::byte* bounds, uint64_t count) {
  for (uint64_t i = 0; i < count; i++) {
    const double value = load<float>(actual + i * sizeof(float)), truth = load<double>(bounds + 16 * i), allowed = load<double>(bounds + 16 * i + 8);
    const bool good = std::isinf(allowed) || (allowed < 0 && !std::isfinite(value)) ||
                      (std::isfinite(truth) ? std::abs(value - truth) <= std::abs(allowed) : value == truth || (std::isnan(value) && std::isnan(truth)));
    if (!good) return text("element %zu is %.9g, expected %.9g within %.3g", static_cast<size_t>(i), value, truth, allowed);
  }
  return "";
}

}   // namespace transweld
