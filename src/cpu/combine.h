// Row sums of rows that lie anywhere: the heart of sparse_decode (rows of weight, for a row of codes) and of
// sparse_scatter (rows of dense, for a feature).
#pragma once
#include "convert.h"

namespace transweld::TRANSWELD_ISA { namespace {

constexpr size_t kChunk = 256;                          // positions of one chain of fused multiply-adds: op_table.h
constexpr size_t kLine = 64;                            // bytes

// One chunk: what to add up, gathered first so that the sum can look ahead.
template <class T> struct Gathered {
  size_t count = 0;
  float scale[kChunk];
  const T* row[kChunk];
};

TW_INLINE void prefetch_row(const void* data, size_t bytes) {
  for (size_t i = 0; i < bytes; i += kLine) __builtin_prefetch(static_cast<const char*>(data) + i);
}

template <int S, class T> TW_INLINE void combine_strip(const Gathered<T>& g, size_t k, bool first, float* sum) {
  lanes s[S];
  for (int j = 0; j < S; j++) s[j] = splat(0);
  for (size_t i = 0; i < g.count; i++) {
    const lanes scale = splat(g.scale[i]);
    const T* row = g.row[i] + k;
    for (int j = 0; j < S; j++) s[j] = fma(scale, load(row + 16 * j), s[j]);
  }
  for (int j = 0; j < S; j++) store(sum + k + 16 * j, first ? s[j] : load(sum + k + 16 * j) + s[j]);
}

// sum[0 ... columns) = Σ scale·row of the chunk, added to sum where it is not the first. Strips of columns stay in registers.
template <class T> TW_INLINE void combine(const Gathered<T>& g, size_t columns, bool first, float* sum) {
  constexpr int kStrip = kWidth == 16 ? 12 : 4;         // accumulators beside a scale and a row, of 32 or 16 registers
  size_t k = 0;
  for (; k + 16 * kStrip <= columns; k += 16 * kStrip) combine_strip<kStrip>(g, k, first, sum);
  for (; k + 16 <= columns; k += 16) combine_strip<1>(g, k, first, sum);
  if (k == columns) return;
  lanes s = splat(0);
  for (size_t i = 0; i < g.count; i++) s = fma(splat(g.scale[i]), load_some(g.row[i] + k, columns - k), s);
  store_some(sum + k, first ? s : load_some(sum + k, columns - k) + s, columns - k);
}

} }   // namespace
