// The pattern of attention of one sequence, written out: dots straight into the rows of out, then row by row scores, their largest,
// e^(score − largest), and the quotient. An item is kTall rows of one head.
#include "../expect.h"
#include "attend_scores.h"
#include "ops.h"
#include "tile.h"

namespace transweld::TRANSWELD_ISA {
namespace {

constexpr size_t kTall = 32;

// p = e^(score − largest)/total of the row at position i, in place; zeros where it does not see.
void finish_row(float* p, size_t i, const tw_attend_pattern_args& a) {
  const Span seen_keys = seen(i, a.window);
  alignas(64) float scores[kBlock];
  const auto each_block = [&](const auto& f) {
    for (size_t block = seen_keys.begin / kBlock * kBlock; block < seen_keys.end; block += kBlock) {
      const Span keys = within(seen_keys, block);
      memcpy(scores + keys.begin, p + block + keys.begin, (keys.end - keys.begin) * sizeof(float));
      hide(scores, keys);
      f(keys);
      memcpy(p + block + keys.begin, scores + keys.begin, (keys.end - keys.begin) * sizeof(float));
    }
  };
  float most = -__builtin_inff(), total = 0;
  bool first = true;
  each_block([&](Span keys) { most = larger(most, shape_scores(scores, keys, a.scale, a.cap)); });
  each_block([&](Span keys) {
    const float sum = soften(scores, keys, most);
    total = first ? sum : total + sum;
    first = false;
  });
  memset(p, 0, seen_keys.begin * sizeof(float));
  float* to = p + seen_keys.begin;
  sixteens(seen_keys.end - seen_keys.begin, [&](size_t k, size_t n) { store_upto(to + k, load_upto(to + k, n) / splat(total), n); });
  memset(p + seen_keys.end, 0, (a.q.rows - seen_keys.end) * sizeof(float));
}

}   // namespace

tw_status attend_pattern(tw_context* context, const tw_attend_pattern_args& a) {
  const uint64_t T = a.q.rows, columns = a.q.columns;
  Check check{context};
  check.that(a.heads > 0 && columns % a.heads == 0, "a divisor of the columns", "heads", a.heads)
      .that(a.key_heads > 0 && a.heads % a.key_heads == 0, "a divisor of the heads", "key_heads", a.key_heads);
  if (check.status) return check.status;
  const size_t width = columns / a.heads, group = a.heads / a.key_heads;
  check.view("q", a.q, {TW_F32, kAny, kAny}).view("k", a.k, {TW_F32, T, width * a.key_heads}).view("out", a.out, {TW_F32, a.heads * T, T});
  if (check.status) return check.status;
  const size_t tiles = (T + kTall - 1) / kTall;
  each(context, tiles * a.heads, [&](size_t item, unsigned) {
    const size_t head = item % a.heads, begin = (tiles - 1 - item / a.heads) * kTall, rows = T - begin < kTall ? T - begin : kTall;
    const size_t first = seen(begin, a.window).begin, keys = begin + rows - first;
    float* out = row(a.out, head * T + begin);
    canonical_block(row(a.q, begin) + head * width, a.q.stride, rows, row(a.k, first) + head / group * width, a.k.stride, keys, width,
                    out + first, a.out.stride);
    for (size_t i = 0; i < rows; i++) finish_row(out + i * a.out.stride, begin + i, a);
  });
  return TW_OK;
}

}   // namespace
