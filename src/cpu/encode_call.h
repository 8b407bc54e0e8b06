// What every path of sparse_encode works on, and how the caller's codes are written.
#pragma once
#include "context.h"
#include "select.h"

namespace transweld::TRANSWELD_ISA { namespace {

constexpr size_t kPanel = 96;        // pre-activations of a row that exist at a time: a multiple of 16 and of the tile's columns
constexpr size_t kRowBlock = 128;    // rows of x that share a pass over the weight
constexpr size_t kNowhere = SIZE_MAX; // in place of a count or a place: there is none

struct EncodeCall {
  const tw_sparse_encode_args& args;
  tw_context* context;
  size_t rows, features, columns, k;   // N, F (or S), D, K
  bool positive;
  const uint32_t* subset;

  const float* x(size_t n) const { return row(args.x, n); }
  const float* w(size_t j) const { return row(args.weight, subset ? subset[j] : j); }
  bool biased() const { return has(args.bias); }
  float b(size_t j) const { return f32(args.bias)[subset ? subset[j] : j]; }
  uint32_t feature(size_t j) const { return subset ? subset[j] : static_cast<uint32_t>(j); }
};

// A row's K codes, in rank order, from its best K in ascending order. A NaN is written as the one quiet NaN.
TW_INLINE void write_top(const EncodeCall& call, size_t n, const float* values, const uint32_t* index, int64_t* wide, uint32_t* order) {
  uint32_t* to = u32(call.args.codes.index) + n * call.args.codes.index.stride;
  float* z = row(call.args.z, n);
  rank_order(values, call.k, wide, order);
  for (size_t r = 0; r < call.k; r++) {
    const float p = values[order[r]];
    to[r] = index[order[r]];
    z[r] = p != p ? __builtin_nanf("") : call.args.relu && !(p > 0) ? 0.0f : p;
  }
}

// One scratch block divided: take<T>(count) in turn, each part on a cache line of its own. With no block it only counts.
struct Divider {
  uintptr_t block = 0;
  size_t used = 0;
  template <class T> T* take(size_t count) {
    T* part = reinterpret_cast<T*>(block + used);
    used += (count * sizeof(T) + 63) / 64 * 64;
    return part;
  }
};

} }   // namespace
