// What every path of sparse_encode works on, and how the screened product hands its rows over.
//
//   host      EncodeCall: the call, with the context to launch on
//   kernels   EncodeTask: the same as plain pointers and numbers, passed by value
//   between   RowLists: for each row of a chunk the features whose pre-activation is known, in any order
#pragma once
#include "context.h"
#include "device/scratch.h"

namespace transweld {

constexpr uint32_t kLost = UINT32_MAX;        // in place of a count: the row needs the plain product
constexpr uint64_t kNowhere = UINT64_MAX;     // in place of a position: the row has none

struct EncodeTask {
  const float *x, *weight, *bias;             // bias: null where there is none
  uint64_t x_stride, weight_stride;
  const uint32_t* subset;                     // null: all features
  uint64_t rows, features, columns, k;        // N, F (or S), D, K (0 where POSITIVE)
  uint64_t all_features;                      // F, also beside a subset
  uint32_t positive, relu;
  uint32_t* index;                            // fixed: [N, K]; ragged: [1, capacity]
  float* z;
  uint64_t index_stride, z_stride, capacity;
  unsigned long long *starts, *counts;        // starts: null where TOPK

  // Place j's feature. A subset's wrong number is reported once (encode_subset_kernel) and stays inside the weight here.
  __device__ uint32_t feature(uint64_t j) const {
    if (!subset) return static_cast<uint32_t>(j);
    const uint32_t f = subset[j];
    return f < all_features ? f : static_cast<uint32_t>(all_features - 1);
  }
};

struct EncodeCall {
  const tw_sparse_encode_args& args;
  tw_context* context;
  EncodeTask task;
  bool warpgroups;                            // wgmma is there: encode_products.h
};

// Rows from ... of a chunk: row r's entries are at r·room of index and value, counts[r] of them, each feature once.
// value is the canonical pre-activation, bias and all. TOPK: the row's K best are among them. POSITIVE: all positive and NaN ones.
struct RowLists {
  uint32_t* counts;                           // [rows], kLost: nothing of this row is known
  uint32_t* index;                            // [rows, room]
  float* value;                               // [rows, room]
  uint64_t room;
};

}   // namespace transweld
