// Elementwise work over rows: which thread does which element, for any shape and any stride.
//   flatten(a, b, ...)                   matrices that lie without gaps become one long row, where all of them do
//   Walk walk = walk_of<Ahead>(rows, steps)                          host: `steps` vectors a row
//   launch(kernel, walk.blocks(), walk.kThreads, 0, stream, walk, ...)
//   walk.each<Ahead>(open, load, store)  device: at = open(row): pointers; value = load(at, step), then store(at, step, value)
// A block is a tile of rows × steps, `across` threads wide, so that no thread divides by the width of the matrix. A thread
// loads `Ahead` vectors, `across` apart, before it stores the first: that many are in flight, and an output may be an input.
//   with_unit(address_bits, f)           moved bytes: f(Unit{}) with the largest unit of 16, 8, 4, 2, 1 bytes that divides
#pragma once
#include "vec.h"

namespace transweld {

// Whether rows follow each other without a gap; an absent view does not object.
inline bool whole(const tw_view& v) { return !v.data || v.rows <= 1 || v.stride == v.columns; }

template <class... V> void flatten(V&... views) {
  if (!(whole(views) && ...)) return;
  ((views.columns *= views.rows, views.stride = views.columns, views.rows = 1), ...);
}

struct Walk {
  static constexpr unsigned kThreads = 256, kNarrowest = 32;   // across: no narrower than a warp where the row allows it

  uint64_t rows, steps, strips, tiles;   // strips: tiles side by side
  unsigned shift;                        // across = 1 << shift

  unsigned blocks() const { return grid_of(tiles); }

  template <int Ahead, class Open, class Load, class Store>
  __device__ void each(const Open& open, const Load& load, const Store& store) const {
    const unsigned across = 1u << shift;
    for (uint64_t tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
      const uint64_t row = tile / strips * (kThreads >> shift) + (threadIdx.x >> shift);
      const uint64_t first = tile % strips * (uint64_t{across} * Ahead) + (threadIdx.x & (across - 1));
      if (row >= rows) continue;
      const auto at = open(row);
      decltype(load(at, first)) value[Ahead];
#pragma unroll
      for (int i = 0; i < Ahead; i++) {
        if (first + i * across < steps) value[i] = load(at, first + i * across);
      }
#pragma unroll
      for (int i = 0; i < Ahead; i++) {
        if (first + i * across < steps) store(at, first + i * across, value[i]);
      }
    }
  }
};

template <int Ahead> Walk walk_of(uint64_t rows, uint64_t steps) {
  unsigned shift = 0;
  while ((1u << shift) < Walk::kThreads && (uint64_t{1} << shift) < steps &&
         ((1u << shift) < Walk::kNarrowest || (uint64_t{Ahead} << shift) < steps)) shift++;
  const uint64_t strips = blocks_of(steps, uint64_t{Ahead} << shift);
  return {rows, steps, strips, strips * blocks_of(rows, Walk::kThreads >> shift), shift};
}

// What has to be a multiple of the unit: where a view begins, how long its rows are and how far apart.
inline uint64_t address_bits(const tw_view& v) {
  const uint64_t bytes = tw_dtype_bytes(v.dtype);
  return reinterpret_cast<uintptr_t>(v.data) | v.columns * bytes | (v.rows > 1 ? v.stride * bytes : 0);
}

template <class F> tw_status with_unit(uint64_t bits, const F& f) {
  if (bits % 16 == 0) return f(uint4{});
  if (bits % 8 == 0) return f(uint2{});
  if (bits % 4 == 0) return f(uint32_t{});
  return bits % 2 == 0 ? f(uint16_t{}) : f(uint8_t{});
}

}   // namespace transweld
