// What happens to one row of a weight once its whole gradient is at hand: penalty, projection, Adam, unit norm, its norm, its
// low-precision copy, in exactly the CPU backend's arithmetic.
//
// A block owns the row, a thread the same W columns of every 'blockDim · W' throughout: what it leaves in the row's buffers is
// its own, so that barriers stand around the dots alone. A canonical dot is sixteen chains of D/16 multiply-adds, which only a
// few lanes can walk: warp 0 does, from shared memory, while the blocks beside this one use the multiprocessor.
#pragma once
#include "adam.h"
#include "dot.h"
#include "shadow.h"

namespace transweld {

struct RowUpdate {
  Adam adam;
  float self_penalty;
  bool project, unit;
  float *weight, *m, *v;            // [F, D]
  uint64_t w_stride, m_stride, v_stride;
  float* norms;                     // [F] or null
  ShadowView shadow;                // data null: none

  // Whether a step needs sums over the whole row; otherwise it goes element by element.
  __host__ __device__ bool whole() const { return self_penalty != 0 || project || unit || norms || shadow.data; }
  // Whether the row before the step is read more than once.
  __host__ __device__ bool keeps_old() const { return self_penalty != 0 || project; }
};

// What warp 0 found for all.
struct Told {
  float scale;
  bool applies;
  float norm;
  ShadowScale shadow;
};

// f(c) for the first of each W columns that this thread owns.
template <int W, class F> __device__ __forceinline__ void own_columns(uint64_t columns, const F& f) {
  for (uint64_t c = uint64_t{threadIdx.x} * W; c < columns; c += uint64_t{blockDim.x} * W) f(c);
}

// g = fma(scale, w, g), as the row's owner of columns.
template <int W> __device__ inline void add_scaled(float* g, float scale, const float* w, uint64_t columns) {
  own_columns<W>(columns, [&](uint64_t c) {
    Vec<float, W> x = load_vec<W>(g + c);
    const Vec<float, W> y = load_vec<W>(w + c);
#pragma unroll
    for (int i = 0; i < W; i++) x.at[i] = fmaf(scale, y.at[i], x.at[i]);
    store_vec(g + c, x);
  });
}

// ‖row‖ and what its copy needs, by one warp.
template <int W> __device__ inline float measure(const RowUpdate& u, const float* row, uint64_t columns, Told& told) {
  float squares[W] = {}, peak = 0;
  canonical_steps<W, tile::sparse_scatter::kDotAhead>(columns, [&](uint64_t k) { return load_vec<W>(row + k); },
    [&](const Vec<float, W>& x) {
#pragma unroll
      for (int i = 0; i < W; i++) {
        squares[i] = fmaf(x.at[i], x.at[i], squares[i]);
        peak = fmaxf(peak, fabsf(x.at[i]));
      }
    });
  const float square = fold_group(squares);
  if (u.shadow.data) {
#pragma unroll
    for (int step = kGroup<W> / 2; step; step /= 2) peak = fmaxf(peak, __shfl_xor_sync(kAllLanes, peak, step, kGroup<W>));
    if (lane_of() == 0) told.shadow = shadow_scale(u.shadow.screen, peak, length_up(square, columns));
  }
  if (lane_of() == 0) told.norm = sqrtf(square);
  return square;
}

// Makes the copy of row f from `row`, which becomes w − ŵ. Called after told.shadow is there.
template <int W>
__device__ inline void refresh_copy(const RowUpdate& u, uint64_t f, float* row, uint64_t columns, float square, const Told& told) {
  own_columns<W>(columns, [&](uint64_t c) {
    if constexpr (W == 4) {
      Vec<float, 4> x = load_vec<4>(row + c);
      float miss[4];
      store_codes(u.shadow, f, c, x.at, told.shadow, miss);
      for (int i = 0; i < 4; i++) x.at[i] = miss[i];
      store_vec(row + c, x);
    } else {
      for (int i = 0; i < W; i++) row[c + i] = store_code(u.shadow, f, c + i, row[c + i], told.shadow);
    }
  });
  __syncthreads();   // what every thread missed
  if (warp_of()) return;
  const float misses = group_dot<W, tile::sparse_scatter::kDotAhead>(row, row, columns);
  if (lane_of() == 0) store_bounds(u.shadow, f, told.shadow, square, misses);
}

// Columns c ... c + W − 1 of row f where nothing is asked of the row as a whole.
template <int W> __device__ inline void step_columns(const RowUpdate& u, uint64_t f, uint64_t c, const Vec<float, W>& g) {
  float *const w = u.weight + f * u.w_stride + c, *const m = u.m + f * u.m_stride + c, *const v = u.v + f * u.v_stride + c;
  Vec<float, W> x = load_once<W>(w), first = load_once<W>(m), second = load_once<W>(v);
  u.adam.step(x, g, first, second);
  store_once(w, x);
  store_once(m, first);
  store_once(v, second);
}

// `g`: the gradient, this thread's columns written by itself; `old`: as long, where keeps_old. Both become scratch.
// `plane_sum`: Σ plane of term 0, in thread 0. All threads of the block call it.
template <int W>
__device__ inline void update_row(const RowUpdate& u, uint64_t f, uint64_t columns, float plane_sum, float* g, float* old, Told& told) {
  constexpr int kAhead = tile::sparse_scatter::kDotAhead;
  float *const w = u.weight + f * u.w_stride, *const m = u.m + f * u.m_stride, *const v = u.v + f * u.v_stride;
  const bool first_warp = warp_of() == 0, keeps = u.keeps_old();
  if (keeps) own_columns<W>(columns, [&](uint64_t c) { store_vec(old + c, load_once<W>(w + c)); });
  if (u.self_penalty != 0) {
    __syncthreads();   // the whole old row
    if (first_warp) {
      const float norm = sqrtf(group_dot<W, kAhead>(old, old, columns));
      if (lane_of() == 0) told.scale = u.self_penalty * plane_sum / norm, told.applies = norm != 0;
    }
    __syncthreads();   // told
    if (told.applies) add_scaled<W>(g, told.scale, old, columns);
  }
  if (u.project) {
    __syncthreads();   // the whole gradient
    if (first_warp) {
      const float along = group_dot<W, kAhead>(g, old, columns);
      if (lane_of() == 0) told.scale = -along;
    }
    __syncthreads();   // told
    add_scaled<W>(g, told.scale, old, columns);
  }
  own_columns<W>(columns, [&](uint64_t c) {
    Vec<float, W> x = keeps ? load_vec<W>(old + c) : load_once<W>(w + c), first = load_once<W>(m + c), second = load_once<W>(v + c);
    u.adam.step(x, load_vec<W>(g + c), first, second);
    store_once(m + c, first);
    store_once(v + c, second);
    store_vec(g + c, x);
    if (!u.unit) store_once(w + c, x);
  });
  __syncthreads();     // the whole new row
  float square = 0;
  if (first_warp) square = measure<W>(u, g, columns, told);
  if (u.unit) {
    __syncthreads();   // told
    const float norm = told.norm;
    own_columns<W>(columns, [&](uint64_t c) {
      Vec<float, W> x = load_vec<W>(g + c);
#pragma unroll
      for (int i = 0; i < W; i++) x.at[i] = norm != 0 ? x.at[i] / norm : x.at[i];
      store_vec(g + c, x);
      store_once(w + c, x);
    });
    __syncthreads();   // the whole scaled row; the norm before has been read
    if (first_warp) square = measure<W>(u, g, columns, told);
  }
  if (threadIdx.x == 0 && u.norms) u.norms[f] = told.norm;
  if (!u.shadow.data) return;
  __syncthreads();     // told
  refresh_copy<W>(u, f, g, columns, square, told);
}

}   // namespace transweld
