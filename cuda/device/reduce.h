// Sums in the canonical order of op_table.h, and the warp's own small reductions.
//
// dot: 16 partial sums, partial j takes k = j, j + 16, ...: so the sixteen lanes of a half-warp hold one partial each, read
// neighbouring elements, and fold 8-4-2-1 by exchanging with the lane 8, 4, 2, 1 away (a + b = b + a: every lane ends with
// the sum).
//   fold(partial)            the fold; whole dots by vector loads are in dot.h
//   warp_sum, warp_max       of integers
#pragma once
#include "dtype.h"

namespace transweld {

constexpr unsigned kHalf = 16;
__device__ inline unsigned half_lane() { return threadIdx.x % kHalf; }

// All lanes of the warp call it together: halves fold beside each other.
__device__ inline float fold(float partial) {
#pragma unroll
  for (int step = 8; step; step /= 2) partial += __shfl_xor_sync(kAllLanes, partial, step, 16);
  return partial;
}

__device__ inline unsigned warp_sum(unsigned x) { return __reduce_add_sync(kAllLanes, x); }
__device__ inline unsigned warp_max(unsigned x) { return __reduce_max_sync(kAllLanes, x); }

// Sum of the values of the lanes before this one, and of all of them in `total`.
__device__ inline unsigned warp_before(unsigned x, unsigned& total) {
  unsigned sum = x;
#pragma unroll
  for (int step = 1; step < 32; step *= 2) {
    const unsigned from = __shfl_up_sync(kAllLanes, sum, step);
    if (lane_of() >= static_cast<unsigned>(step)) sum += from;
  }
  total = __shfl_sync(kAllLanes, sum, 31);
  return sum - x;
}

}   // namespace transweld
