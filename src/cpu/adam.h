// One Adam step of up to sixteen elements: m and v move, w follows. Division and square root are the exact ones, so that
// every instruction set of a class gives the same bits.
#pragma once
#include "lanes.h"

namespace transweld::TRANSWELD_ISA { namespace {

struct Adam {
  lanes rate, beta1, beta2, rest1, rest2, epsilon, correction1, correction2;   // rest: 1 − beta

  // m = β1·m + (1 − β1)·g, v = β2·v + (1 − β2)·g², and the new w.
  __attribute__((always_inline)) lanes step(lanes w, lanes g, lanes& m, lanes& v) const {
    m = fma(beta1, m, rest1 * g);
    v = fma(beta2, v, rest2 * (g * g));
    return w - rate * (m / correction1) / (root(v / correction2) + epsilon);
  }

  // The same in place, on n of sixteen.
  __attribute__((always_inline)) void move(float* w, float* m, float* v, lanes g, size_t n) const {
    lanes first = load_upto(m, n), second = load_upto(v, n);
    store_upto(w, step(load_upto(w, n), g, first, second), n);
    store_upto(m, first, n);
    store_upto(v, second, n);
  }
};

// From the fields that the args of sparse_scatter and adam_step share.
template <class Args> TW_INLINE Adam adam_of(const Args& a) {
  return {splat(a.rate), splat(a.beta1), splat(a.beta2), splat(1 - a.beta1), splat(1 - a.beta2), splat(a.epsilon), splat(a.correction1),
          splat(a.correction2)};
}

} }   // namespace
