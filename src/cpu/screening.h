// The certificate of screening: an interval around every pre-activation that holds what the canonical dot would give.
//
//   w, x rows;  ŵ, x̂ their copies (shadow.h), as exact real numbers;  p the canonical pre-activation, dot(x, w) + bias
//   W >= ‖w‖, ΔW >= ‖w − ŵ‖ (of the shadow);  X >= ‖x‖, ΔX >= ‖x − x̂‖ (made here);  u = 2^-24 the unit of rounding
//
// THE BOUND. w·x − ŵ·x̂ = w·(x − x̂) + (w − ŵ)·x̂, so by Cauchy–Schwarz and ‖x̂‖ <= X + ΔX
//       |w·x − ŵ·x̂| <= ΔX·W + (X + ΔX)·ΔW.                                                                    (1)
//
// ROUNDING, all to nearest. (a) The canonical dot: a product passes at most D/16 + 1 roundings in its chain and 4 in the
// fold, and Σ|w x| <= W·X: at most (D/16 + 5)·u(1 + …)·W·X. (b) The screen's number of ŵ·x̂. i8: the sum S of codes is an
// exact integer (shadow.h); fl(S), the product of the two scales and the last multiply-add cost 3u·|ŵ·x̂|. bf16: products
// of bf16 are exact in f32, and however the instruction groups its two products and the sum, a product passes at most 3D/2
// roundings to nearest, or D that cut off: at most (D + 16)·2u·‖ŵ‖‖x̂‖. And ‖ŵ‖‖x̂‖ <= (W + ΔW)(X + ΔX). (c) Adding the
// bias to p: u(|b| + |dot|). (d) The interval's own end, upper = fl(fl(fl(b⁺ + A·W) + B·ΔW) + screen): each of three
// roundings costs u of what stands so far, at most u·(|b⁺| + A·W + B·ΔW + |ŵ·x̂|). Taken together, with
//       g = (D/16 + 32)·u  (+ (D + 16)·2u for bf16)
//       A = (ΔX + g·(X + ΔX))·(1 + 2^-18)        B = (X + ΔX)·(1 + g)·(1 + 2^-18)
//       b⁺ = b + 2^-19·|b| + 2^-90               b⁻ = b − 2^-19·|b| − 2^-90
// (a), (b) and the share of W·X in (c) and (d) need (D/16 + 5 + 3 + 1 + 4)·u of (W + ΔW)(X + ΔX), and g has 19u to spare
// for second-order terms; A·W + B·ΔW carries its own roundings in 2^-18 = 64u, and b in 2^-19 = 32u of which 5u are needed:
//       upper = b⁺ + A·W + B·ΔW + screen >= p        lower = b⁻ − A·W − B·ΔW + screen <= p, by symmetry.     (2)
//
// UNDERFLOW. A rounding below 2^-126 errs by up to 2^-126 instead (flushed, at worst): in (a) and (b) at most 3D of them,
// below 2^-108; in the product of scales, multiplied by |S| < 2^31, below 2^-95. 2^-90 in b⁺ holds all of it.
// OVERFLOW. Rows longer than 2^60 and biases beyond 2^120 have no certificate (a row of x goes to the plain product, a row
// of w or a bias makes the interval infinite), so no number here and no partial sum of p reaches 2^127.
//
// SELECTION. Let L be the K-th largest lower end of a row. By (2) at least K pre-activations are >= L, so the K-th largest
// of them is >= L, and whatever ranks among the K best, ties included, has upper >= p >= L: it is a candidate. Candidates
// are evaluated by the canonical dot and ranked among themselves, which is the plain result, bit for bit. Comparing upper
// with the K-th largest *value* less its own error would be wrong: of 10±8, 9±0, 5±0.5 and K = 1, L is 9, not 2; and of
// K = 2, L is 4.5 where that rule has 9, and drops a true member. A running L is <= the last one, so it drops less.
// Any K values of the canonical dot serve as well as lower ends, and better: the K candidates with the largest upper ends are
// evaluated first, and the smallest of those p is a limit for the rest, for the same reason.
// NaN: an interval with NaN compares as a candidate and never raises L.
#pragma once
#include "encode_call.h"
#include "shadow.h"

namespace transweld::TRANSWELD_ISA { namespace {

struct Certificate { float scale, a, b; bool holds; };   // of one row of x; scale is that of its codes

#if defined(__AVX2__)
// The codes of a row of x into `words` (whole sixteens of columns), and its part of the certificate.
TW_INLINE Certificate certify(uint32_t screen, const float* x, size_t columns, double strength, int32_t* words) {
  const LowRow r = low_row(screen, x, columns, kLowRange, kLowOffset, [&](size_t first, const uint32_t* codes, size_t count) {
    memcpy(words + first, codes, count * sizeof(uint32_t));
  });
  const double d = static_cast<double>(columns), copy = static_cast<double>(r.norm) + static_cast<double>(r.error);
  const double g = (d / 16 + 32) * 0x1p-24 + (screen == TW_SCREEN_BF16 ? (d + 16) * 0x1p-23 : 0);
  return {r.scale, static_cast<float>(strength * (static_cast<double>(r.error) + g * copy) * (1 + 0x1p-18)),
          static_cast<float>(strength * copy * (1 + g) * (1 + 0x1p-18)), r.norm <= kLongest};
}

// b⁺ and b⁻ of every feature, and of the lanes past the last one.
TW_INLINE void bias_ends(const EncodeCall& call, float strength, float* high, float* low) {
  const float slack = 0x1p-90f * strength, share = 0x1p-19f * strength;
  for (size_t f = 0; f < (call.features + 15) / 16 * 16; f++) {
    const float b = f < call.features && call.biased() ? call.b(f) : 0, size = b < 0 ? -b : b;
    const bool known = size <= 0x1p120f;   // false for NaN
    high[f] = known ? static_cast<float>(b + (static_cast<double>(size) * share + slack)) : __builtin_inff();
    low[f] = known ? static_cast<float>(b - (static_cast<double>(size) * share + slack)) : -__builtin_inff();
  }
}
#endif

} }   // namespace
