// The soft cap of logits and of scores: cap·tanh(x/cap).
//   tanh   below 0.625: x + x³·P(x²); from there on 1 − 2/(e^(2|x|) + 1), which loses no digits. As in cuda/device/maths.h.
//          2 ulp; tanh(±0) = ±0, tanh(±inf) = ±1, tanh(NaN) = NaN
#pragma once
#include "maths.h"

namespace transweld::TRANSWELD_ISA { namespace {

TW_INLINE native tanh(native x) {
  constexpr float kP[] = {-0.3333326f, 0.13330829f, -0.053687904f, 0.020469f, -0.00551468f};
  const integers sign = integers_of(x) & INT32_MIN;
  const native size = native_of(integers_of(x) & INT32_MAX), square = mul_native(size, size);
  const native near = fma_native(mul_native(square, size), polynomial(kP, square), size);
  const native power = exp(add_native(size, size));
  const native far = sub_native(splat_native(1), div_native(splat_native(2), add_native(power, splat_native(1))));
  return native_of(integers_of(select(size < splat_native(0.625f), near, far)) | sign);
}

TW_INLINE lanes capped(lanes x, float cap) {
  for (int i = 0; i < kParts; i++) x.part[i] = mul_native(splat_native(cap), tanh(div_native(x.part[i], splat_native(cap))));
  return x;
}

} }   // namespace
