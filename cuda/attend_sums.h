// Sums of p·v at the end of a chunk of 256 keys: how they join those of the chunks before and reach memory; and the rows that parts
// cannot carry, whose chunk is made again by f32 arithmetic alone. Whether a row is one of these depends on what it sees, and on
// nothing else: its bits stay its own.
#pragma once
#include "attend_call.h"

namespace transweld {
namespace {

// Sums of p·v of a warp's rows: 64/C columns of each of Slices·64.
template <int C, int Slices> struct Sums {
  static constexpr unsigned kColumns = kTile / C, kMine = kColumns / 8;
  float at[Slices][kMine][4];

  template <class F> __device__ void each(const F& f) {
#pragma unroll
    for (unsigned s = 0; s < Slices; s++) {
#pragma unroll
      for (unsigned n = 0; n < kMine; n++) {
#pragma unroll
        for (unsigned r = 0; r < 4; r++) f(r, at[s][n][r]);
      }
    }
  }
};

// The end of a chunk for one row: its result joins those before it, which stand in `out`.
struct Ending {
  float* out;                                                 // null: a row beyond the last, or one that goes its own way
  Vec<float, 2> factor;
  float total;

  __device__ float put(float old, float sum, bool first, bool last) const {
    const float both = first ? sum : joined(old, sum, factor);
    return last ? quotient(both, total) : both;
  }
};

// Brings `all` along. Apart: the result goes to scratch as it is.
template <bool Apart> __device__ Ending ending_of(const Attention& a, const Work& w, uint64_t row, bool first, const Softmax& chunk, Softmax& all) {
  const uint64_t query = w.sequence.begin + row / a.rule.group, head = w.head * a.rule.group + row % a.rule.group;
  Ending ending{};
  if (first) all = chunk;
  else ending.factor = all.join(chunk);
  ending.total = all.total;
  if constexpr (Apart) {
    const uint64_t at = (uint64_t{blockIdx.y} * a.rows + query) * a.heads + head;
    ending.out = a.apart + at * a.rule.width + w.strip;
    if (w.strip == 0) {
      a.apart_most[at] = all.most;
      a.apart_total[at] = all.total;
    }
  } else {
    ending.out = a.out + query * a.out_stride + head * a.rule.width + w.strip;
  }
  return ending;
}

// A warp's sums go out through shared memory, so that neighbouring lanes write neighbouring columns. Endings stand in the padding.
template <int C, int Slices>
__device__ void put_sums(const Sums<C, Slices>& sums, unsigned columns, bool first, bool last, const Ending (&ending)[2], float* staged) {
  constexpr unsigned kColumns = Sums<C, Slices>::kColumns, kAhead = 4;   // columns of `out` under way: 8 spill on sm_120
  static_assert(sizeof(Ending) <= (kPitch - kTile) * sizeof(float), "an ending is the padding of a row");
  const unsigned lane = lane_of();
  if (lane % 4 == 0) {
    *reinterpret_cast<Ending*>(staged + lane / 4 * kPitch + kTile) = ending[0];
    *reinterpret_cast<Ending*>(staged + (lane / 4 + 8) * kPitch + kTile) = ending[1];
  }
#pragma unroll
  for (unsigned s = 0; s < Slices; s++) {
    if (s * kTile >= columns) break;
#pragma unroll
    for (unsigned n = 0; n < kColumns / 8; n++) {
      float* at = staged + lane / 4 * kPitch + 8 * n + lane % 4 * 2;
      store_vec(at, Vec<float, 2>{sums.at[s][n][0], sums.at[s][n][1]});
      store_vec(at + 8 * kPitch, Vec<float, 2>{sums.at[s][n][2], sums.at[s][n][3]});
    }
    __syncwarp();
#pragma unroll 1
    for (unsigned i = 0; i < 16 * kColumns / 32; i += kAhead) {
      float old[kAhead];
      const auto each = [&](const auto& f) {
#pragma unroll
        for (unsigned j = 0; j < kAhead; j++) {
          const unsigned e = (i + j) * 32 + lane, row = e / kColumns, own = e % kColumns, column = s * kTile + warp_of() % C * kColumns + own;
          const Ending& at = *reinterpret_cast<const Ending*>(staged + row * kPitch + kTile);
          if (at.out && column < columns) f(at, j, at.out + column, staged[row * kPitch + own]);
        }
      };
      if (!first) each([&](const Ending&, unsigned j, const float* out, float) { old[j] = *out; });
      each([&](const Ending& at, unsigned j, float* out, float sum) { *out = at.put(first ? 0 : old[j], sum, first, last); });
    }
    __syncwarp();
  }
}

// A chunk's result for rows that see what parts cannot carry, by a warp each: C warps share its columns. named: of rows g, g + 8.
template <int C, bool Apart>
__device__ void attend_alone(const Attention& a, const Work& w, uint32_t first_key, bool first, bool last, const bool (&named)[2], Softmax (&all)[2]) {
  const unsigned lane = lane_of();
#pragma unroll 1
  for (unsigned i = 0; i < 16; i++) {
    if (!__shfl_sync(kAllLanes, i < 8 ? named[0] : named[1], i % 8 * 4)) continue;
    const uint64_t row = w.rows.first + 16 * row_group(C) + i;
    if (row >= w.rows.count) continue;
    const uint32_t place = w.rows.place(row, a.rule.group);
    const float nothing = -float_of(0x7f800000u), *q = w.rows.query(a.rule, row);
    constexpr unsigned kEach = kChunk / 32;
    float power[kEach];
    Softmax chunk;
#pragma unroll
    for (unsigned n = 0; n < kEach; n++) {
      const uint32_t key = first_key + 32 * n + lane;
      power[n] = place - key < a.rule.limit ? score_alone(a.rule, q, w.rows.key(a.rule, key)) : nothing;
      chunk.most = max_second(power[n], chunk.most);
    }
#pragma unroll
    for (int step = 16; step; step /= 2) chunk.most = max_second(__shfl_xor_sync(kAllLanes, chunk.most, step), chunk.most);
#pragma unroll
    for (unsigned n = 0; n < kEach; n++) {
      power[n] = exp_of(power[n] - Softmax::base(chunk.most));
      chunk.total = chunk.total + power[n];
    }
#pragma unroll
    for (int step = 16; step; step /= 2) chunk.total += __shfl_xor_sync(kAllLanes, chunk.total, step);
    Softmax before{__shfl_sync(kAllLanes, i < 8 ? all[0].most : all[1].most, i % 8 * 4),
                   __shfl_sync(kAllLanes, i < 8 ? all[0].total : all[1].total, i % 8 * 4)};
    const Ending ending = ending_of<Apart>(a, w, row, first, chunk, before);
    if (lane / 4 == i % 8) (i < 8 ? all[0] : all[1]) = before;
    for (unsigned c = warp_of() % C * 32; c < w.columns; c += 32 * C) {
      const float* v = static_cast<const float*>(w.values.data) + c + lane;
      float sum = 0;
#pragma unroll
      for (unsigned n = 0; n < kEach; n++) {
#pragma unroll 1
        for (unsigned j = 0; j < 32; j++) {
          const uint32_t key = first_key + 32 * n + j;
          const float p = __shfl_sync(kAllLanes, power[n], j);
          if (c + lane < w.columns && place - key < a.rule.limit) sum = fmaf(p, v[key * a.v_stride], sum);
        }
      }
      float* out = ending.out + c + lane;
      if (c + lane < w.columns) *out = ending.put(first ? 0 : *out, sum, first, last);
    }
  }
}

}   // namespace
}   // namespace transweld
