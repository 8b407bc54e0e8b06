// One Adam step of one element, operation by operation the CPU backend's: division and square root are the exact ones, products
// are fused where op_table.h says fma and nowhere else.
#pragma once
#include "vec.h"

namespace transweld {

// W neighbours that nobody reads again soon: first to leave the second-level cache, where rows that are read by many stay.
template <int W> __device__ inline Vec<float, W> load_once(const float* p) {
  if constexpr (W == 4) {
    const float4 x = __ldcs(reinterpret_cast<const float4*>(p));
    return {{x.x, x.y, x.z, x.w}};
  } else if constexpr (W == 2) {
    const float2 x = __ldcs(reinterpret_cast<const float2*>(p));
    return {{x.x, x.y}};
  } else {
    return {{__ldcs(p)}};
  }
}
template <int W> __device__ inline void store_once(float* p, const Vec<float, W>& v) {
  if constexpr (W == 4) __stcs(reinterpret_cast<float4*>(p), make_float4(v.at[0], v.at[1], v.at[2], v.at[3]));
  else if constexpr (W == 2) __stcs(reinterpret_cast<float2*>(p), make_float2(v.at[0], v.at[1]));
  else __stcs(p, v.at[0]);
}

struct Adam {
  float rate, beta1, beta2, rest1, rest2, epsilon, correction1, correction2;   // rest: 1 − beta

  // m = β1·m + (1 − β1)·g, v = β2·v + (1 − β2)·g², and the new w.
  __device__ float step(float w, float g, float& m, float& v) const {
    m = fmaf(beta1, m, rest1 * g);
    v = fmaf(beta2, v, rest2 * (g * g));
    return w - rate * (m / correction1) / (sqrtf(v / correction2) + epsilon);
  }

  // The same on W neighbours: w, m and v move in place.
  template <int W> __device__ void step(Vec<float, W>& w, const Vec<float, W>& g, Vec<float, W>& m, Vec<float, W>& v) const {
#pragma unroll
    for (int i = 0; i < W; i++) w.at[i] = step(w.at[i], g.at[i], m.at[i], v.at[i]);
  }
};

// From the fields that the args of sparse_scatter and adam_step share.
template <class Args> Adam adam_of(const Args& a) {
  return {a.rate, a.beta1, a.beta2, 1 - a.beta1, 1 - a.beta2, a.epsilon, a.correction1, a.correction2};
}

}   // namespace transweld
