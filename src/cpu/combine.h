// Row sums of rows that lie anywhere: the heart of sparse_decode (rows of weight, for a row of codes) and of
// sparse_scatter (rows of dense, for a feature).
#pragma once
#include "convert.h"

namespace transweld::TRANSWELD_ISA { namespace {

constexpr size_t kChunk = 256;                          // positions of one chain of fused multiply-adds: op_table.h

// One chunk: what to add up, gathered first so that the sum can look ahead.
template <class T> struct Gathered {
  size_t count = 0;
  float scale[kChunk];
  const T* row[kChunk];
};

// S accumulators from column k on. Asked for ahead of time: the strip to the right, which the next call walks, and at the
// left edge, where rows are met for the first time, the row four places on (up to twice the speed, bf16 rows the most).
template <int S, class T> TW_INLINE void combine_strip(const Gathered<T>& g, size_t k, size_t columns, bool first, float* sum) {
  const bool left = k == 0, more = k + 32 * S <= columns;
  lanes s[S];
  for (int j = 0; j < S; j++) s[j] = splat(0);
  for (size_t i = 0; i < g.count; i++) {
    const lanes scale = splat(g.scale[i]);
    const T* row = g.row[i] + k;
    if (more) for (int j = 0; j < S; j++) __builtin_prefetch(row + 16 * (S + j));
    if (left && i + 4 < g.count) for (int j = 0; j < S; j++) __builtin_prefetch(g.row[i + 4] + 16 * j);
    for (int j = 0; j < S; j++) s[j] = fma(scale, load(row + 16 * j), s[j]);
  }
  for (int j = 0; j < S; j++) store(sum + k + 16 * j, first ? s[j] : load(sum + k + 16 * j) + s[j]);
}

// sum[0 ... columns) = Σ scale·row of the chunk, added to sum where it is not the first. Strips of columns stay in registers.
template <class T> TW_INLINE void combine(const Gathered<T>& g, size_t columns, bool first, float* sum) {
  constexpr int kStrip = kWidth == 16 ? 12 : 4;         // accumulators beside a scale and a row, of 32 or 16 registers
  size_t k = 0;
  for (; k + 16 * kStrip <= columns; k += 16 * kStrip) combine_strip<kStrip>(g, k, columns, first, sum);
  for (; k + 16 <= columns; k += 16) combine_strip<1>(g, k, columns, first, sum);
  if (k == columns) return;
  lanes s = splat(0);
  for (size_t i = 0; i < g.count; i++) s = fma(splat(g.scale[i]), load_some(g.row[i] + k, columns - k), s);
  store_some(sum + k, first ? s : load_some(sum + k, columns - k) + s, columns - k);
}

} }   // namespace
