// Row sums of values: the second half of attention, and all of it once its pattern is kept.
//
//   values   [strip][256 rows][kStrip columns]   a strip of a block is 32 KB on AVX-512: it stays in the first cache while
//                                                tile after tile of weights passes
//   sum      Q × S registers                     one chain of multiply-adds a register over the keys, lanes along the width
#pragma once
#include "attend_scores.h"

namespace transweld::TRANSWELD_ISA { namespace {

constexpr size_t kStrip = 2 * kWidth;                   // columns
constexpr int kRows = kWidth == 16 ? 8 : 4;             // of weights in a tile: with two registers of width they keep all ports busy

TW_INLINE size_t strips(size_t width) { return (width + kStrip - 1) / kStrip; }

// Asks for rows that lie far apart, before they are read: one by one they would cost a trip to memory each.
TW_INLINE void expect_rows(const float* from, size_t stride, size_t rows, size_t width) {
  for (size_t r = 0; r < rows; r++) for (size_t k = 0; k < width; k += 16) __builtin_prefetch(from + r * stride + k);
}

// Columns of up to 256 rows as strips, zeros beyond the width.
TW_INLINE void pack_strips(const float* from, size_t stride, size_t rows, size_t width, float* to) {
  for (size_t r = 0; r < rows; r++) {
    const float* row = from + r * stride;
    float* strip = to + r * kStrip;
    size_t k = 0;
    for (; k + kStrip <= width; k += kStrip, strip += kBlock * kStrip) {
      store_native(strip, load_native(row + k));
      store_native(strip + kWidth, load_native(row + k + kWidth));
    }
    if (k == width) continue;
    memset(strip, 0, kStrip * sizeof(float));
    memcpy(strip, row + k, (width - k) * sizeof(float));
  }
}

// sum[q] = Σ_k weights[q·row_step + k·key_step]·values[k], k ascending over keys[q]. What all rows have in common is the loop; the
// few keys before and behind that only some of them see are taken row by row, so that nothing else is ever multiplied.
template <int Q, int S>
TW_INLINE void weigh(const float* weights, size_t row_step, size_t key_step, const float* values, size_t stride, const Span* keys,
                     native (&sum)[Q][S]) {
  size_t begin = keys[0].begin, end = keys[0].end;
  for (int q = 1; q < Q; q++) {
    if (keys[q].begin > begin) begin = keys[q].begin;
    if (keys[q].end < end) end = keys[q].end;
  }
  if (end < begin) end = begin;
#pragma GCC unroll 8
  for (int q = 0; q < Q; q++) {
    for (int s = 0; s < S; s++) sum[q][s] = splat_native(0);
    const size_t before = keys[q].end < begin ? keys[q].end : begin;
    for (size_t k = keys[q].begin; k < before; k++) {
      const native p = splat_native(weights[q * row_step + k * key_step]);
#pragma GCC unroll 8
      for (int s = 0; s < S; s++) sum[q][s] = fma_native(p, load_native(values + k * stride + s * kWidth), sum[q][s]);
    }
  }
  for (size_t k = begin; k < end; k++) {
    native value[S];
#pragma GCC unroll 8
    for (int s = 0; s < S; s++) value[s] = load_native(values + k * stride + s * kWidth);
#pragma GCC unroll 8
    for (int q = 0; q < Q; q++) {
      const native p = splat_native(weights[q * row_step + k * key_step]);
#pragma GCC unroll 8
      for (int s = 0; s < S; s++) sum[q][s] = fma_native(p, value[s], sum[q][s]);
    }
  }
#pragma GCC unroll 8
  for (int q = 0; q < Q; q++) {
    for (size_t k = end; k < keys[q].end; k++) {
      const native p = splat_native(weights[q * row_step + k * key_step]);
#pragma GCC unroll 8
      for (int s = 0; s < S; s++) sum[q][s] = fma_native(p, load_native(values + k * stride + s * kWidth), sum[q][s]);
    }
  }
}

} }   // namespace
