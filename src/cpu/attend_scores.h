// What becomes of the scores of one query and one block of keys: scaled, capped, e^(score − largest), their sum.
#pragma once
#include "../op_table.h"
#include "cap.h"

namespace transweld::TRANSWELD_ISA { namespace {

constexpr size_t kBlock = 256;                          // keys of one chunk of the row sum: op_table.h

// Keys begin ... end − 1; of a block where they are counted from its first key.
struct Span {
  size_t begin, end;
  bool empty() const { return begin >= end; }
};

// The keys that the query at `position` of its sequence sees; and those of them in the block from key `first` on.
TW_INLINE Span seen(size_t position, size_t window) { return {window && position >= window ? position + 1 - window : 0, position + 1}; }
TW_INLINE Span within(Span keys, size_t first) {
  const size_t begin = keys.begin > first ? keys.begin - first : 0, end = keys.end > first ? keys.end - first : 0;
  return {begin < kBlock ? begin : kBlock, end < kBlock ? end : kBlock};
}

// What lies in the same groups of sixteen and is not seen becomes -inf, whatever it was.
TW_INLINE void hide(float* scores, Span keys) {
  for (size_t j = keys.begin & ~size_t{15}; j < keys.begin; j++) scores[j] = -__builtin_inff();
  for (size_t j = keys.end; j % 16; j++) scores[j] = -__builtin_inff();
}

// Dots of a block become scores, hidden where not seen. Returns the largest. A NaN among them may or may not be it: e^(NaN − largest)
// is NaN in any case.
TW_INLINE float shape_scores(float* scores, Span keys, float scale, float cap) {
  const size_t begin = keys.begin & ~size_t{15};
  for (size_t j = begin; j < keys.end; j += 16) {
    const lanes s = load(scores + j) * splat(scale);
    store(scores + j, cap > 0 ? capped(s, cap) : s);
  }
  hide(scores, keys);
  lanes most = splat(-__builtin_inff());
  for (size_t j = begin; j < keys.end; j += 16) most = max(most, load(scores + j));
  return fold_max(most);
}

// The larger of two, and what to subtract from scores: where all are -inf, their e^score are zeros and not e^(inf − inf).
TW_INLINE float larger(float a, float b) { return b > a ? b : a; }
TW_INLINE float pivot(float most) { return most == -__builtin_inff() ? 0 : most; }

// Scores become e^(score − most), zeros where not seen. Returns their sum, as sum of a row.
TW_INLINE float soften(float* scores, Span keys, float most) {
  lanes sum = splat(0);
  for (size_t j = keys.begin & ~size_t{15}; j < keys.end; j += 16) {
    const lanes e = exp(load(scores + j) - splat(pivot(most)));
    store(scores + j, e);
    sum = sum + e;
  }
  return fold(sum);
}

// What a block's sums are multiplied by when the largest score grows from `old` to `most`.
TW_INLINE float kept(float old, float most) { return exp_one(old - pivot(most)); }

} }   // namespace
