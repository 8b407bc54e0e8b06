// Where norm and norm_frozen keep a group of columns between their passes, so that it comes from memory once. The first two give it to
// a half-warp, whose lane j makes the partial sum of the columns j, j + 16, ...
//   InRegisters<N>  up to 16·N columns, all of their loads under way together
//   InMemory        any number, read again in every pass: twice of them from the caches
//   InShared        a group to a block: 128 threads load it, the first warp makes the sums, 128 threads write. Wide rows are few
//                   where a model answers word by word, and a half-warp alone would read 4096 columns in 256 loads a lane
// Each has: kGroups, of a block; mine(), which of them; leads(), one thread of it; load(source, count); each(f): f(k, value) of the
// columns of this lane's partial sum, ascending; agree(f): f() as made by those who sum, for all threads of the group; finish(f):
// f(k, value), each column once.
#pragma once
#include "device/reduce.h"
#include "tile.h"

namespace transweld {

// Column k of a group: x, or x·gain.
struct Source {
  const float *x, *gain;   // gain: or null
  __device__ float operator()(uint64_t k) const { return gain ? x[k] * gain[k] : x[k]; }
};

// What is taken from a group's columns and what they are multiplied by.
struct Line { float mean, inverse; };

struct HalfWarps {
  static constexpr unsigned kGroups = tile::norm::kThreads / kHalf;
  __device__ unsigned mine() const { return threadIdx.x / kHalf; }
  __device__ bool leads() const { return half_lane() == 0; }
  template <class F> __device__ Line agree(const F& f) const { return f(); }
};

template <int N> struct InRegisters : HalfWarps {
  float held[N];
  unsigned count;

  __device__ explicit InRegisters(float*) {}
  __device__ void load(const Source& source, uint64_t columns) {
    const unsigned lane = half_lane();
    count = static_cast<unsigned>(columns);
#pragma unroll
    for (int i = 0; i < N; i++) held[i] = lane + kHalf * i < count ? source(lane + kHalf * i) : 0;
  }
  template <class F> __device__ void each(const F& f) const {
    const unsigned lane = half_lane();
#pragma unroll
    for (int i = 0; i < N; i++) {
      if (lane + kHalf * i < count) f(lane + kHalf * i, held[i]);
    }
  }
  template <class F> __device__ void finish(const F& f) const { each(f); }
};

struct InMemory : HalfWarps {
  Source source;
  uint64_t count;

  __device__ explicit InMemory(float*) {}
  __device__ void load(const Source& from, uint64_t columns) { source = from, count = columns; }
  template <class F> __device__ void each(const F& f) const {
#pragma unroll 8
    for (uint64_t k = half_lane(); k < count; k += kHalf) f(k, source(k));
  }
  template <class F> __device__ void finish(const F& f) const { each(f); }
};

struct InShared {
  static constexpr unsigned kGroups = 1;
  float* held;         // shared memory, room_for(columns)
  unsigned count;

  static size_t room_for(uint64_t columns) { return sizeof(Line) + columns * sizeof(float); }
  __device__ explicit InShared(float* room) : held(room + sizeof(Line) / sizeof(float)) {}
  __device__ unsigned mine() const { return 0; }
  __device__ bool leads() const { return threadIdx.x == 0; }
  __device__ void load(const Source& source, uint64_t columns) {
    __syncthreads();   // until the group before has been written
    count = static_cast<unsigned>(columns);
#pragma unroll 8
    for (unsigned k = threadIdx.x; k < count; k += tile::norm::kThreads) held[k] = source(k);
    __syncthreads();
  }
  // The halves of the warp do the same.
  template <class F> __device__ void each(const F& f) const {
#pragma unroll 8
    for (unsigned k = half_lane(); k < count; k += kHalf) f(k, held[k]);
  }
  template <class F> __device__ Line agree(const F& f) const {
    Line* line = reinterpret_cast<Line*>(held) - 1;
    if (warp_of() == 0) {
      const Line made = f();
      if (leads()) *line = made;
    }
    __syncthreads();
    return *line;
  }
  template <class F> __device__ void finish(const F& f) const {
#pragma unroll 4
    for (unsigned k = threadIdx.x; k < count; k += tile::norm::kThreads) f(k, held[k]);
  }
};

// f(Kept<type>{}, shared bytes) with what groups of so many columns are kept in.
template <class T> struct Kept { using type = T; };
template <class F> tw_status with_kept(uint64_t columns, const F& f) {
  using namespace tile::norm;
  if (columns <= kHalf * kHeld[0]) return f(Kept<InRegisters<kHeld[0]>>{}, size_t{0});
  if (columns <= kHalf * kHeld[1]) return f(Kept<InRegisters<kHeld[1]>>{}, size_t{0});
  if (columns <= kStaged) return f(Kept<InShared>{}, InShared::room_for(columns));
  return f(Kept<InMemory>{}, size_t{0});
}

}   // namespace transweld
