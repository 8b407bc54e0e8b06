// token_loss: loss[n] = log Σ_v e^x[v] − x[target], kl[n] = Σ_v q(log q − log p), without a row of probabilities.
//   logits, reference [N, V] f32      bytes 4·N·V (8 with kl) from memory and again from the second cache, flops about 25·N·V
//   log p_v = (x_v − m) − log S, S = Σ e^(x_v − m), the same with reference logits r for q, and
//   kl = (Σ e^(r_v − m_r)·((r_v − m_r) − (x_v − m))) / S_r + log S − log S_r
// A block a row: all threads find the largest, then the row goes through shared memory in tiles: while the half-warp that owns
// the sixteen partial sums adds one tile, the other warps make the powers of the next. The chain of additions is V/16 long
// whatever one does; beside it a block still reads and raises at full width. Only as many blocks run as have their rows in
// the second cache, so that the second reading of a row does not come from memory.
#include "device/fault.h"
#include "device/maths.h"
#include "device/reduce.h"
#include "ops.h"
#include "tile.h"

namespace transweld {
namespace {

using tile::token_loss::kAhead;
using tile::token_loss::kThreads;
constexpr unsigned kWarps = kThreads / 32, kMakers = kThreads - 32;   // the first warp adds, the others make
constexpr unsigned kTile = kMakers * kAhead;                          // elements of a row, a multiple of 16
constexpr uint32_t kIgnored = 0xFFFFFFFFu;                            // a target that counts for nothing
static_assert(kTile % kHalf == 0 && kWarps <= 32, "a tile is whole steps of the sixteen partial sums");

struct Rows {
  const float *logits, *reference;            // reference: or null, then without kl
  const uint32_t* targets;
  float *loss, *kl;
  uint64_t rows, columns, logits_stride, reference_stride;
};

// The largest of a row, in every thread. Where there is a NaN it may be another number: the sums are NaN all the same.
__device__ float largest(const float* x, uint64_t count, float* warps) {
  float most = -float_of(0x7f800000u);
#pragma unroll 8
  for (uint64_t v = threadIdx.x; v < count; v += kThreads) most = max_second(x[v], most);
#pragma unroll
  for (int step = 16; step; step /= 2) most = max_second(__shfl_xor_sync(kAllLanes, most, step), most);
  __syncthreads();                            // warps has been read by those before
  if (lane_of() == 0) warps[warp_of()] = most;
  __syncthreads();
  for (unsigned w = 0; w < kWarps; w++) most = max_second(warps[w], most);
  return most;
}

// terms[sum][v − first] of one tile, zeros beyond the row: e^(x − m), e^(r − m_r), e^(r − m_r)·((r − m_r) − (x − m)).
template <int Sums>
__device__ void make_tile(const float* x, float most, const float* reference, float reference_most, uint64_t first, uint64_t count,
                          float* terms) {
  const unsigned mine = threadIdx.x - 32;
  float own[kAhead], other[kAhead];
#pragma unroll
  for (int i = 0; i < kAhead; i++) {
    const uint64_t v = first + mine + i * kMakers;
    own[i] = v < count ? x[v] : 0;
    if constexpr (Sums > 1) other[i] = v < count ? reference[v] : 0;
  }
#pragma unroll
  for (int i = 0; i < kAhead; i++) {
    const bool inside = first + mine + i * kMakers < count;
    float* to = terms + mine + i * kMakers;
    const float below = own[i] - most;
    to[0] = inside ? exp_of(below) : 0;
    if constexpr (Sums > 1) {
      const float reference_below = other[i] - reference_most, e = exp_of(reference_below);
      to[kTile] = inside ? e : 0;
      to[2 * kTile] = inside && e != 0 ? e * (reference_below - below) : 0;   // 0·log 0 = 0
    }
  }
}

// One row's partial sums go through the terms of a tile in ascending order. The upper half-warp adds nothing.
template <int Sums> __device__ void add_tile(const float* terms, unsigned count, float (&sum)[Sums]) {
  if (lane_of() >= kHalf) return;
#pragma unroll 8
  for (unsigned v = half_lane(); v < count; v += kHalf) {
#pragma unroll
    for (int s = 0; s < Sums; s++) sum[s] = sum[s] + terms[s * kTile + v];
  }
}

template <int Sums> __global__ void __launch_bounds__(kThreads) token_loss_row_kernel(const Rows a, Report report) {
  DYNAMIC_SHARED(float, terms);               // [2][Sums][kTile]
  SHARED(float, warps, [kWarps]);
  for (uint64_t n = blockIdx.x; n < a.rows; n += gridDim.x) {
    const uint32_t target = a.targets[n];
    if (target >= a.columns) {                // the same for the whole block
      if (threadIdx.x == 0) {
        if (target != kIgnored) report(kFaultTargets, target);
        a.loss[n] = 0;
        if (a.kl) a.kl[n] = 0;
      }
      continue;
    }
    const float* x = a.logits + n * a.logits_stride;
    const float* reference = Sums > 1 ? a.reference + n * a.reference_stride : nullptr;
    const float most = largest(x, a.columns, warps), reference_most = Sums > 1 ? largest(reference, a.columns, warps) : 0;
    float sum[Sums] = {};
    const uint64_t tiles = blocks_of(a.columns, kTile);
    for (uint64_t tile = 0; tile <= tiles; tile++) {
      const uint64_t first = (tile - 1) * kTile, left = a.columns - first;
      if (warp_of() > 0 && tile < tiles) {
        make_tile<Sums>(x, most, reference, reference_most, tile * kTile, a.columns, terms + tile % 2 * Sums * kTile);
      } else if (warp_of() == 0 && tile > 0) {
        add_tile(terms + (tile - 1) % 2 * Sums * kTile, left < kTile ? static_cast<unsigned>(padded(left, kHalf)) : kTile, sum);
      }
      __syncthreads();                        // this tile is made, and the one before it is free
    }
    if (warp_of() > 0) continue;
#pragma unroll
    for (int s = 0; s < Sums; s++) sum[s] = fold(sum[s]);
    if (threadIdx.x > 0) continue;
    const float log_p = log_of(sum[0]);
    a.loss[n] = log_p - (x[target] - most);
    if constexpr (Sums > 1) a.kl[n] = sum[2] / sum[1] + (log_p - log_of(sum[1]));
  }
}

}   // namespace

tw_status token_loss(tw_context* context, const tw_token_loss_args& a) {
  const uint64_t rows = a.logits.rows, columns = a.logits.columns;
  Check check{context};
  check.view("logits", a.logits, {TW_F32, kAny, kAny})
      .view("targets", a.targets, {TW_U32, 1, rows})
      .optional("reference", a.reference, {TW_F32, rows, columns})
      .view("loss", a.loss, {TW_F32, 1, rows})
      .optional("kl", a.kl, {TW_F32, 1, rows})
      .that(!has(a.kl) || has(a.reference), "reference logits", "kl", 0);
  if (check.status || !rows) return check.status;
  const bool kl = has(a.kl);
  const Rows all{f32(a.logits), kl ? f32(a.reference) : nullptr, u32(a.targets), f32(a.loss), f32(a.kl), rows, columns, a.logits.stride,
                 a.reference.stride};
  const uint64_t row_bytes = (kl ? 2 : 1) * columns * sizeof(float) + 1, processors = chip(context).processors;
  uint64_t blocks = chip(context).cache_bytes / row_bytes;
  if (blocks < tile::token_loss::kLeast * processors) blocks = tile::token_loss::kLeast * processors;
  if (blocks > tile::token_loss::kMost * processors) blocks = tile::token_loss::kMost * processors;
  const unsigned grid = grid_of(blocks < rows ? blocks : rows), bytes = 2 * kTile * sizeof(float);
  const cudaError_t error = kl ? launch(token_loss_row_kernel<3>, grid, kThreads, 3 * bytes, stream(context), all, report(context))
                               : launch(token_loss_row_kernel<1>, grid, kThreads, bytes, stream(context), all, report(context));
  return launched(context, error, "token_loss_row_kernel");
}

}   // namespace transweld
