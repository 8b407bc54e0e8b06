// Pieces of a stable radix sort: keys fall into 2^bits bins by one digit, and where an item goes is a number of items that are
// before it in the input, never the outcome of a race. Three kernels a digit, lowest digit first:
//   count    every block counts its tile by bins                                    counts [bins][blocks]
//   offsets  a warp a bin: counts become the places of each block's first item      bin_offsets
//   place    items go to  bins before + blocks before + warps before + lanes before
// A warp owns a contiguous piece of its block's tile and walks it 32 items at a time, so that rank is order.
#pragma once
#include "reduce.h"

namespace transweld {

// One digit of a key.
struct Digit {
  unsigned shift, bits;
  __host__ __device__ unsigned bins() const { return 1u << bits; }
  __device__ unsigned of(uint32_t key) const { return key >> shift & ((1u << bits) - 1); }
};

// How many of the warp's items so far fell into this lane's bin before it; counts the new ones. counts: the warp's own,
// in shared memory. All lanes call it; one without an item has holds = false.
__device__ inline unsigned rank_in_warp(bool holds, unsigned bin, uint32_t* counts) {
  const unsigned same = __match_any_sync(kAllLanes, holds ? bin : ~0u), before = same & ((1u << lane_of()) - 1);
  const unsigned so_far = holds ? counts[bin] : 0;
  __syncwarp();   // every lane has read the count that the first of its bin now raises
  if (holds && !before) counts[bin] = so_far + static_cast<unsigned>(__popc(same));
  __syncwarp();
  return so_far + static_cast<unsigned>(__popc(before));
}

// list[i] becomes the sum of what stood before it, in place, by one warp, 128 loads under way; returns the sum of all.
__device__ inline uint32_t warp_offsets(uint32_t* list, unsigned count) {
  constexpr unsigned kAhead = 4;
  uint32_t sum = 0;
  for (unsigned first = 0; first < count; first += 32 * kAhead) {
    uint32_t mine[kAhead];
#pragma unroll
    for (unsigned j = 0; j < kAhead; j++) {
      const unsigned i = first + 32 * j + lane_of();
      mine[j] = i < count ? list[i] : 0;
    }
#pragma unroll
    for (unsigned j = 0; j < kAhead; j++) {
      const unsigned i = first + 32 * j + lane_of();
      unsigned total;
      const uint32_t before = sum + warp_before(mine[j], total);
      if (i < count) list[i] = before;
      sum += total;
    }
  }
  return sum;
}

// The first of `count` ascending numbers that is not below x.
template <class T> __device__ inline uint64_t lower_bound(const T* list, uint64_t count, uint64_t x) {
  uint64_t from = 0;
  while (count) {
    const uint64_t half = count / 2;
    if (list[from + half] < x) {
      from += half + 1;
      count -= half + 1;
    } else {
      count = half;
    }
  }
  return from;
}

}   // namespace transweld
