// The activations of a dense product and of a gate, on sixteen lanes.
//   TW_RELU        max(x, 0), NaN stays
//   TW_GELU_TANH   ½x(1 + tanh u), u = √(2/π)(x + 0.044715x³): computed as x/(1 + e^(-2u)), which is the same number
//                  without the cancellation at negative x and with one exponential
//   TW_GELU_ERF    ½x(1 + erf(x/√2))
//   TW_SILU        x/(1 + e^-x)
//   TW_QUICK_GELU  x/(1 + e^(-1.702x))
// All but linear and relu tend to -0 at -∞, where -∞/∞ or -∞·0 would be NaN: so x is at least the lowest number.
#pragma once
#include <float.h>
#include "../op_table.h"
#include "maths.h"

namespace transweld::TRANSWELD_ISA { namespace {

TW_INLINE native relu(native x) { return max_native(splat_native(0), x); }
TW_INLINE native above_lowest(native x) { return max_native(splat_native(-FLT_MAX), x); }   // NaN stays
// x/(1 + e^(slope·u)): x times the logistic function of -slope·u.
TW_INLINE native logistic(native x, native u, float slope) {
  return div_native(x, add_native(exp(mul_native(u, splat_native(slope))), splat_native(1)));
}
TW_INLINE native gelu_tanh(native x) {
  const native cubic = fma_native(mul_native(mul_native(x, x), x), splat_native(0.044715f), x);
  return logistic(x, cubic, -1.59576912f);   // -2·√(2/π)
}
TW_INLINE native gelu_erf(native x) {
  return mul_native(mul_native(x, splat_native(0.5f)), add_native(erf(mul_native(x, splat_native(0.707106781f))), splat_native(1)));
}

// One of TW_LINEAR ... TW_QUICK_GELU.
TW_INLINE lanes activate(uint32_t activation, lanes x) {
  for (int i = 0; i < kParts; i++) {
    native& v = x.part[i];
    if (activation == TW_RELU) v = relu(v);
    else if (activation == TW_GELU_TANH) v = gelu_tanh(above_lowest(v));
    else if (activation == TW_GELU_ERF) v = gelu_erf(above_lowest(v));
    else if (activation == TW_SILU) v = logistic(above_lowest(v), v, -1);
    else if (activation == TW_QUICK_GELU) v = logistic(above_lowest(v), v, -1.702f);
  }
  return x;
}

} }   // namespace
