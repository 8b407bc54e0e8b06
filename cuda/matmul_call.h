// One product as its kernels see it, and what becomes of its sums: chunks of 1024 k in order, scale, bias, activation, cap, old c.
// Rows that bf16 parts cannot carry are found while they are read, and their outputs are made again by canonical dots.
#pragma once
#include "device/maths.h"
#include "device/reduce.h"
#include "device/split.h"
#include "tile.h"

namespace transweld {
namespace {

using tile::matmul::kChunk;
constexpr unsigned kStep = 16, kWarpColumns = 32;    // k of one product of the tensor core; columns of a warp
constexpr unsigned kPitch = kWarpColumns + 8;        // floats of a staged row: lanes that hold four rows write to different banks

struct Product {
  Operand a, b;
  uint64_t rows, columns, depth, chunks;
  float* apart;                                     // [chunks, M, N] sums of chunks, or null: one block goes through all of them
  float* waiting;                                   // then the sum so far: c itself, or scratch where c is still needed
  const float *scales, *bias;                       // of the columns of c, or null
  float* c;
  uint64_t waiting_stride, stride;
  uint32_t activation, accumulate;
  float cap;
};

// dot of op_table.h over k = begin ... end − 1, by a half-warp; both halves of a warp call it.
__device__ float dot_again(const Product& p, uint64_t m, uint64_t n, uint64_t begin, uint64_t end) {
  float partial = 0;
  for (uint64_t k = begin + half_lane(); k < end; k += kHalf) partial = fmaf(value_at(p.a, m, k), value_at(p.b, n, k), partial);
  return fold(partial);
}

// staged[r · kPitch + c] of row m + r and column n + c is made again where either is not carried; all lanes of a warp call it.
template <class Carried>
__device__ void make_again(const Product& p, uint64_t m, uint64_t n, uint64_t begin, uint64_t end, float* staged, const Carried& carried) {
#pragma unroll 1
  for (unsigned pair = 0; pair < 16 * kWarpColumns / 2; pair++) {
    const unsigned r = pair / (kWarpColumns / 2), c = pair % (kWarpColumns / 2) * 2 + lane_of() / kHalf;
    const bool again = m + r < p.rows && n + c < p.columns && !carried(r, c);
    if (!__any_sync(kAllLanes, again)) continue;
    const float value = dot_again(p, m + r, n + c, begin, again ? end : begin);
    if (again && half_lane() == 0) staged[r * kPitch + c] = value;
  }
  __syncwarp();
}

__device__ float activated(const Product& p, uint64_t n, float sum) {
  const float scaled = p.scales ? sum * p.scales[n] : sum;
  return capped(activate(p.activation, p.bias ? scaled + p.bias[n] : scaled), p.cap);
}

// Sixteen staged rows from m on go to column n: this lane's, in staged[row · kPitch].
__device__ void put_column(const Product& p, uint64_t chunk, uint64_t m, uint64_t n, float* staged) {
  if (n >= p.columns) return;
  const unsigned count = p.rows <= m ? 0 : p.rows - m < 16 ? static_cast<unsigned>(p.rows - m) : 16;
  const bool last = !p.apart && chunk + 1 == p.chunks;
  // old + new from `from`, all loads under way before the first is used
  const auto add = [&](const float* from, uint64_t stride, bool old_first) {
    float old[16];
#pragma unroll
    for (unsigned r = 0; r < 16; r++) old[r] = r < count ? from[r * stride] : 0;
#pragma unroll
    for (unsigned r = 0; r < 16; r++) staged[r * kPitch] = old_first ? old[r] + staged[r * kPitch] : staged[r * kPitch] + old[r];
  };
  if (!p.apart && chunk) add(p.waiting + m * p.waiting_stride + n, p.waiting_stride, true);
  if (last) {
#pragma unroll 1
    for (unsigned r = 0; r < count; r++) staged[r * kPitch] = activated(p, n, staged[r * kPitch]);
    if (p.accumulate) add(p.c + m * p.stride + n, p.stride, false);
  }
  float* to = p.apart ? p.apart + (chunk * p.rows + m) * p.columns + n
            : last    ? p.c + m * p.stride + n
                      : p.waiting + m * p.waiting_stride + n;
  const uint64_t stride = p.apart ? p.columns : last ? p.stride : p.waiting_stride;
#pragma unroll
  for (unsigned r = 0; r < 16; r++) {
    if (r < count) to[r * stride] = staged[r * kPitch];
  }
}

// c from the sums of chunks, added in order.
__global__ void __launch_bounds__(256) matmul_chunks_kernel(const Product p) {
  const uint64_t count = p.rows * p.columns;
  for (uint64_t i = uint64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += uint64_t{gridDim.x} * blockDim.x) {
    float sum = p.apart[i];
#pragma unroll 4
    for (uint64_t chunk = 1; chunk < p.chunks; chunk++) sum = sum + p.apart[chunk * count + i];
    const uint64_t m = i / p.columns, n = i % p.columns;
    float* to = p.c + m * p.stride + n;
    sum = activated(p, n, sum);
    *to = p.accumulate ? sum + *to : sum;
  }
}

}   // namespace
}   // namespace transweld
