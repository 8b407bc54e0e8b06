// The canonical dot of op_table.h by vector loads. With W columns a load, 16 / W lanes hold the sixteen partial sums: lane t of
// such a group has partials tW ... tW + W − 1, that is the columns 16i + tW ... of every i, and reads them at once.
//   canonical_steps<W, Ahead>(count, load, use)   value = load(column), then use(value), in ascending order of columns;
//                                                 Ahead steps of 16 columns are loaded before the first is used
//   fold_group<W>(partial)                        8-4-2-1: between lanes first, then within them
//   group_dot<W>(a, b, count)                     both together
// Rows are vectors of W throughout (vector_width). Columns that fill up the last sixteen count as zeros: a value-initialised value.
#pragma once
#include "reduce.h"
#include "vec.h"

namespace transweld {

template <int W> constexpr unsigned kGroup = 16 / W;
template <int W> __device__ inline unsigned group_lane() { return threadIdx.x % kGroup<W>; }

template <int W, int Ahead, class Load, class Use>
__device__ inline void canonical_steps(uint64_t count, const Load& load, const Use& use) {
  decltype(load(uint64_t{0})) value[Ahead];
  uint64_t first = 0;
  const unsigned mine = group_lane<W>() * W;
  for (; first + 16 * Ahead <= count; first += 16 * Ahead) {
#pragma unroll
    for (int i = 0; i < Ahead; i++) value[i] = load(first + 16 * i + mine);
#pragma unroll
    for (int i = 0; i < Ahead; i++) use(value[i]);
  }
  if (first == count) return;
#pragma unroll
  for (int i = 0; i < Ahead; i++) {
    value[i] = {};
    if (first + 16 * i + mine < count) value[i] = load(first + 16 * i + mine);
  }
#pragma unroll
  for (int i = 0; i < Ahead; i++) {
    if (first + 16 * i < count) use(value[i]);
  }
}

// All lanes of the warp call it together; every lane of a group ends with its group's sum.
template <int W> __device__ inline float fold_group(float (&partial)[W]) {
#pragma unroll
  for (int step = 8; step; step /= 2) {
#pragma unroll
    for (int i = 0; i < W; i++) {
      if (step >= W) partial[i] += __shfl_xor_sync(kAllLanes, partial[i], step / W, kGroup<W>);
      else if (i < step) partial[i] += partial[i + step];
    }
  }
  return partial[0];
}

template <int W, class A, class B> struct Pair { Vec<A, W> a; Vec<B, W> b; };

// dot(a, b) of `count` columns by the calling group; all lanes of the warp call it, a group with nothing to do with count = 0.
template <int W, int Ahead, class A, class B> __device__ inline float group_dot(const A* a, const B* b, uint64_t count) {
  float partial[W] = {};
  canonical_steps<W, Ahead>(count, [&](uint64_t k) { return Pair<W, A, B>{load_vec<W>(a + k), load_vec<W>(b + k)}; },
    [&](const Pair<W, A, B>& x) {
#pragma unroll
      for (int i = 0; i < W; i++) partial[i] = fmaf(widen(x.a.at[i]), widen(x.b.at[i]), partial[i]);
    });
  return fold_group(partial);
}

}   // namespace transweld
