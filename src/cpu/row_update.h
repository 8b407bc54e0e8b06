// What happens to one row of a weight once its whole gradient is at hand: penalty, projection, Adam, unit norm.
// The row, its two moments and the gradient are in the first-level cache: every pass after the first is nearly free.
#pragma once
#include "adam.h"

namespace transweld::TRANSWELD_ISA { namespace {

// A row of a weight and of its two moments.
struct Row { float *w, *m, *v; };

struct RowUpdate {
  Adam adam;
  float self_penalty;
  bool project, unit;

  // `plane_sum`: Σ plane of term 0. `next`: the row whose turn comes after, asked for while this one moves (the three
  // matrices stream, but a row is less than a page: the processor's own prefetch stops at its end). Returns ‖w‖ after the step.
  float move(const Row& row, const Row& next, float* g, float plane_sum, size_t columns) const {
    float *const w = row.w, *const m = row.m, *const v = row.v;
    if (self_penalty != 0) {
      const float norm = __builtin_sqrtf(dot(w, w, columns));
      if (norm != 0) add(g, splat(self_penalty * plane_sum / norm), w, columns);
    }
    if (project) add(g, splat(-dot(g, w, columns)), w, columns);
    lanes squares = splat(0);   // dot(w, w) of what was just written, in dot's own order
    sixteens(columns, [&](size_t k, size_t n) {
      __builtin_prefetch(next.w + k);
      __builtin_prefetch(next.m + k);
      __builtin_prefetch(next.v + k);
      adam.move(w + k, m + k, v + k, load_upto(g + k, n), n);
      const lanes moved = load_upto(w + k, n);
      squares = fma(moved, moved, squares);
    });
    const float norm = __builtin_sqrtf(fold(squares));
    if (!unit || norm == 0) return norm;
    squares = splat(0);
    sixteens(columns, [&](size_t k, size_t n) {
      store_upto(w + k, load_upto(w + k, n) / splat(norm), n);
      const lanes scaled = load_upto(w + k, n);
      squares = fma(scaled, scaled, squares);
    });
    return __builtin_sqrtf(fold(squares));
  }

  static void add(float* g, lanes scale, const float* w, size_t columns) {
    sixteens(columns, [&](size_t k, size_t n) { store_upto(g + k, fma(scale, load_upto(w + k, n), load_upto(g + k, n)), n); });
  }
};

} }   // namespace
