// Row sums in the order of op_table.h: chunks of 256 rows or positions, within a chunk one chain in ascending order, the
// chunks' results added in order from the first. A chain cannot be split, but what it adds can be loaded ahead of it.
//   in_order<Ahead>(count, load, take)   take(load(i), i) for i = 0, 1, ... in this order; Ahead loads are under way at a time
//   chunks_of(rows), chunk_size(chunk, rows)   how many chunks there are, and how many rows one has
#pragma once
#include "launch.h"

namespace transweld {

constexpr unsigned kChunk = 256;

template <int Ahead, class Load, class Take> __device__ __forceinline__ void in_order(unsigned count, const Load& load, const Take& take) {
  decltype(load(0u)) value[Ahead];
  unsigned first = 0;
  for (; first + Ahead <= count; first += Ahead) {
#pragma unroll
    for (int i = 0; i < Ahead; i++) value[i] = load(first + i);
#pragma unroll
    for (int i = 0; i < Ahead; i++) take(value[i], first + i);
  }
  if (first == count) return;
#pragma unroll
  for (int i = 0; i < Ahead; i++) {   // the last few under way together too: most features have fewer than Ahead positions
    value[i] = {};
    if (first + i < count) value[i] = load(first + i);
  }
#pragma unroll
  for (int i = 0; i < Ahead; i++) {
    if (first + i < count) take(value[i], first + i);
  }
}

__host__ __device__ inline uint64_t chunks_of(uint64_t rows) { return blocks_of(rows, kChunk); }
__device__ inline unsigned chunk_size(uint64_t chunk, uint64_t rows) {
  return static_cast<unsigned>(rows - chunk * kChunk < kChunk ? rows - chunk * kChunk : kChunk);
}

}   // namespace transweld
