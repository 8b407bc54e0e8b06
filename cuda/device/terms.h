// The terms of a gradient, codesᵀ × dense by feature: G[f] = Σ_terms Σ plane[slot]·dense[row] over the feature's positions, each
// term a row sum (rowsum.h), and b[f] = the same with dense = 1.
//
// A block owns a feature and each of its threads W columns. The positions of a chunk are staged once in shared memory (where its
// row begins, its scale), then every thread walks them with kAhead rows under way: 16 bytes a thread and row, neighbours together.
//
// A feature with thousands of positions would keep one multiprocessor busy after all others have finished. So the chunks of
// features with more than kSplit positions are summed by blocks of their own first, and their owner only adds them up. Which
// chunks find room there may depend on the order of blocks; that a chunk's sum is the same whoever makes it, does not.
#pragma once
#include "../../src/op_table.h"
#include "../tile.h"
#include "fault.h"
#include "rowsum.h"
#include "vec.h"

namespace transweld {

struct Term {
  const unsigned long long* starts;   // [F+1]
  const uint32_t *rows, *slots;
  const float *plane, *dense;
  uint64_t room, reach, dense_rows, stride;   // positions, elements of the plane, rows of dense and their pitch
};

// Sums of chunks that were made ahead of their owners.
struct Ahead {
  struct Chunk { uint32_t term, feature, chunk; };
  uint32_t room;        // 0: no feature can have that many positions
  uint32_t* listed;     // [1]: chunks asked for, more than room perhaps
  uint32_t* first;      // [terms][F], of features that were split alone: their first chunk in the list, kNowhere without room
  Chunk* chunks;        // [room]
  float* sums;          // [room][pitch]
  float* planes;        // [room]
  uint64_t pitch;

  static constexpr uint32_t kNowhere = UINT32_MAX;
};

struct Terms {
  Term term[4];
  uint32_t count;
  bool planes;          // whether sums of plane are wanted
  uint64_t features, columns;
  const uint32_t* ok;
  Ahead ahead;
  Report report;

  struct Span { uint64_t begin, count; };

  __device__ bool off() const { return ok && !*ok; }

  // The positions of feature f, none where the starts are wrong.
  __device__ Span span(unsigned t, uint64_t f) const {
    const Term& of = term[t];
    const uint64_t begin = of.starts[f], end = of.starts[f + 1];
    if (begin > end || (f == 0 && begin != 0)) report(kFaultFeatureStarts, begin);
    else if (end > of.room) report(kFaultTermRoom, end);
    else if (begin < end && !of.dense_rows) report(kFaultTermRows, of.rows[begin]);
    else return {begin, end - begin};
    return {0, 0};
  }

  __device__ uint32_t made_ahead(unsigned t, uint64_t f, uint64_t positions) const {
    return ahead.room && positions > tile::sparse_scatter::kSplit ? ahead.first[t * features + f] : Ahead::kNowhere;
  }
};

// The positions of one chunk in shared memory.
struct Staged {
  const float* row[kChunk];
  float scale[kChunk];
};

// All threads of the block call it; what stood there before has been read when it returns, and the new is there.
__device__ inline void stage(const Terms& a, const Term& term, uint64_t begin, unsigned count, Staged& staged) {
  __syncthreads();   // nobody reads the chunk before any more
  for (unsigned i = threadIdx.x; i < count; i += blockDim.x) {
    const uint32_t row = term.rows[begin + i], slot = term.slots[begin + i];
    const bool inside = row < term.dense_rows && slot < term.reach;
    if (row >= term.dense_rows) a.report(kFaultTermRows, row);
    else if (!inside) a.report(kFaultTermSlots, slot);
    staged.row[i] = term.dense + (inside ? row * term.stride : 0);
    staged.scale[i] = inside ? term.plane[slot] : 0;
  }
  __syncthreads();   // every thread walks all of it
}

// Columns c ... c + W − 1 of a row, and in thread 0 the sum of plane beside it.
template <int W> struct Summed {
  Vec<float, W> row;
  float plane;

  __device__ void add(const Summed& x) {
#pragma unroll
    for (int i = 0; i < W; i++) row.at[i] += x.row.at[i];
    plane += x.plane;
  }
};

// One chain over what is staged.
template <int W> __device__ inline Summed<W> sum_staged(const Staged& staged, unsigned count, uint64_t c, uint64_t columns, bool plane) {
  using tile::sparse_scatter::kAhead;
  Summed<W> sum{};
  if (plane && threadIdx.x == 0) {
    in_order<kAhead>(count, [&](unsigned i) { return staged.scale[i]; }, [&](float scale, unsigned) { sum.plane += scale; });
  }
  if (c >= columns) return sum;
  in_order<kAhead>(count, [&](unsigned i) { return load_vec<W>(staged.row[i] + c); }, [&](const Vec<float, W>& row, unsigned i) {
    const float scale = staged.scale[i];
#pragma unroll
    for (int j = 0; j < W; j++) sum.row.at[j] = fmaf(scale, row.at[j], sum.row.at[j]);
  });
  return sum;
}

// A term's whole sum for feature f: the chunks in order, made here or fetched.
template <int W> __device__ inline Summed<W> sum_term(const Terms& a, unsigned t, uint64_t f, uint64_t c, bool plane, Staged& staged) {
  const Terms::Span span = a.span(t, f);
  const uint32_t first = a.made_ahead(t, f, span.count);
  Summed<W> total{};
  if (first != Ahead::kNowhere) {
    const float *sums = a.ahead.sums + first * a.ahead.pitch + c, *planes = a.ahead.planes + first;
    const auto load = [&](unsigned i) {
      return Summed<W>{c < a.columns ? load_vec<W>(sums + i * a.ahead.pitch) : Vec<float, W>{}, plane && threadIdx.x == 0 ? planes[i] : 0};
    };
    in_order<tile::sparse_scatter::kAhead>(static_cast<unsigned>(chunks_of(span.count)), load, [&](const Summed<W>& sum, unsigned i) {
      if (i) total.add(sum); else total = sum;
    });
    return total;
  }
  for (uint64_t p = 0; p < span.count; p += kChunk) {
    const unsigned count = static_cast<unsigned>(span.count - p < kChunk ? span.count - p : kChunk);
    stage(a, a.term[t], span.begin + p, count, staged);
    const Summed<W> sum = sum_staged<W>(staged, count, c, a.columns, plane);
    if (p) total.add(sum); else total = sum;
  }
  return total;
}

struct PlaneSums { float first, all; };   // Σ plane of term 0, and of all terms; in thread 0

template <int W>
__device__ inline Vec<float, W> sum_terms(const Terms& a, uint64_t f, uint64_t c, bool plane, Staged& staged, PlaneSums& planes) {
  Summed<W> total = sum_term<W>(a, 0, f, c, plane, staged);
  const float first = total.plane;
  for (unsigned t = 1; t < a.count; t++) total.add(sum_term<W>(a, t, f, c, plane, staged));
  if (plane) planes = {first, total.plane};
  return total.row;
}

}   // namespace transweld
