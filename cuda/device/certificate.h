// The certificate of screening on tensor cores: an interval around every pre-activation that holds what the canonical dot gives.
//
//   w, x rows;  ŵ, x̂ their copies (shadow.h), as exact real numbers;  p the canonical pre-activation, dot(x, w) + bias
//   W >= ‖w‖, ΔW >= ‖w − ŵ‖;  X >= ‖x‖, ΔX >= ‖x − x̂‖;  u = 2^-24 the unit of rounding
//
// THE BOUND. w·x − ŵ·x̂ = w·(x − x̂) + (w − ŵ)·x̂, so by Cauchy–Schwarz and ‖x̂‖ <= X + ΔX
//       |w·x − ŵ·x̂| <= ΔX·W + (X + ΔX)·ΔW.                                                                    (1)
//
// ROUNDING. (a) The canonical dot: a product passes at most D/16 + 1 roundings in its chain and 4 in the fold, and Σ|w x| <= W·X:
// at most (D/16 + 5)·u(1 + …)·W·X. (b) The screen's number of ŵ·x̂. i8: the sum S of codes is an exact integer; fl(S), the
// product of the two scales and the last multiply-add cost 3u·|ŵ·x̂|. bf16: see TENSOR CORES, at most (D + 32)·4.125u·‖ŵ‖‖x̂‖.
// And ‖ŵ‖‖x̂‖ <= (W + ΔW)(X + ΔX). (c) Adding the bias to p: u(|b| + |dot|). (d) The interval's own end, upper =
// fl(fl(fl(b⁺ + A·W) + B·ΔW) + screen): each of three roundings costs u of what stands so far, at most
// u·(|b⁺| + A·W + B·ΔW + |ŵ·x̂|). Taken together, with
//       g = (D/16 + 32)·u  (+ (D + 32)·4.125u for bf16)
//       A = (ΔX + g·(X + ΔX))·(1 + 2^-18)        B = (X + ΔX)·(1 + g)·(1 + 2^-18)
//       b⁺ = b + 2^-19·|b| + 2^-90               b⁻ = b − 2^-19·|b| − 2^-90
// (a), (b) and the share of W·X in (c) and (d) need (D/16 + 5 + 3 + 1 + 4)·u of (W + ΔW)(X + ΔX), and g has 19u to spare for
// second-order terms; A·W + B·ΔW carries its own roundings in 2^-18 = 64u, and b in 2^-19 = 32u of which 5u are needed:
//       upper = b⁺ + A·W + B·ΔW + screen >= p        lower = b⁻ − A·W − B·ΔW + screen <= p, by symmetry.     (2)
//
// TENSOR CORES. Products of bf16 are exact in f32, but the sum is not rounded to nearest: a step takes the accumulator and n
// products, n <= 32 and unknown, aligns them to the largest exponent among them, cuts off what lies below 2^-23 of that, adds, and
// cuts the sum to 24 bits. Let R = ‖ŵ‖‖x̂‖ >= Σ|ŵ x̂| and e the whole error: every number in play is at most R + e, the largest
// of the n + 1 loses nothing, so a step loses at most n·2^-23·(R + e) in aligning and 2^-23·(R + e) in cutting the sum. There are
// at most D/n + 1 steps that add something other than zero (adding zeros loses nothing):
//       e <= (n + 1)(D/n + 1)·2^-23·(R + e) = (D + D/n + n + 1)·2^-23·(R + e) <= (2D + 33)·2^-23·(R + e)       for n = 1 ... 32
// whatever the grouping, one that rounds to nearest included. For D <= 65536 that factor is below 2^-6·1.001, so
//       e <= (2D + 33)·2^-23·(1 + 2^-5)·R <= (D + 32)·2^-22·(1 + 2^-5)·R = (D + 32)·4.125u·R.
// Beside the rounding of the codes themselves, ΔX of about 2^-9.4·X, this is 8 % at D = 768 and 40 % at D = 4096.
//
// UNDERFLOW. A rounding below 2^-126 errs by up to 2^-126 instead (flushed, at worst): in (a) and (b) at most 3D of them, below
// 2^-108; in the product of scales, multiplied by |S| < 2^31, below 2^-95. 2^-90 in b⁺ holds all of it.
// OVERFLOW. Rows longer than 2^60 and biases beyond 2^120 have no certificate (a row of x goes to the plain product, a row of w or
// a bias makes the interval infinite), so no number here and no partial sum of p reaches 2^127.
//
// SELECTION. Let L be the K-th largest lower end of a row. By (2) at least K pre-activations are >= L, so the K-th largest of them
// is >= L, and whatever ranks among the K best, ties included, has upper >= p >= L: it is a candidate. Candidates are evaluated by
// the canonical dot and ranked among themselves, which is the plain result, bit for bit. A smaller L, such as that of some of the
// features, drops less; and any K values of p itself serve as well as lower ends, and better. POSITIVE has L = 0. Comparing upper
// with the K-th largest *value* less its own error would be wrong: of 10±8, 9±0, 5±0.5 and K = 2, that rule has 9 where L is 4.5,
// and drops a true member. NaN: an interval with NaN compares as a candidate and never raises L.
//
// UNCERTIFIED. A certificate_scale of 0 takes A, B and the slack of the bias away: upper = lower = the screen's number, so the
// candidates are the K best of the low precision (and its ties), and p of these is exact. It is what a screen without a proof would
// give: fast, and wrong where low precision misorders the features about the K-th place.
#pragma once
#include "shadow.h"

namespace transweld {

// Of one row of x. scale is that of its codes; limit is L, +∞ where the row has no certificate or was given up.
struct alignas(16) Certificate { float scale, a, b, limit; };

constexpr float kInfinite = __builtin_inff();

__device__ inline Certificate certify(uint32_t screen, const RowBounds& row, uint64_t columns, float certificate_scale, float limit) {
  const double d = static_cast<double>(columns), strength = certificate_scale;
  const double copy = static_cast<double>(row.norm) + static_cast<double>(row.error);
  const double g = (d / 16 + 32) * 0x1p-24 + (screen == TW_SCREEN_BF16 ? (d + 32) * 4.125 * 0x1p-24 : 0);
  return {row.scale, static_cast<float>(strength * (static_cast<double>(row.error) + g * copy) * (1 + 0x1p-18)),
          static_cast<float>(strength * copy * (1 + g) * (1 + 0x1p-18)), row.norm <= kLongest ? limit : kInfinite};
}

struct Ends { float high, low; };

// b⁺ and b⁻.
__device__ inline Ends bias_ends(float b, float certificate_scale) {
  if (!(fabsf(b) <= 0x1p120f)) return {kInfinite, -kInfinite};   // NaN too
  const double slack = static_cast<double>(fabsf(b)) * (0x1p-19 * certificate_scale) + 0x1p-90 * certificate_scale;
  return {static_cast<float>(b + slack), static_cast<float>(b - slack)};
}

// One end: bias ± (A·norm + B·error) + screen, the sign in a and b. `number` is what the tensor cores gave; scale is the product
// of both scales of i8 codes.
template <uint32_t kScreen>
__device__ inline float end_of(float number, float scale, float bias, float a, float norm, float b, float error) {
  const float slack = fmaf(b, error, fmaf(a, norm, bias));
  return kScreen == TW_SCREEN_INT8 ? fmaf(number, scale, slack) : slack + number;
}

}   // namespace transweld
