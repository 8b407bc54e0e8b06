// The Adam step of sparse_scatter on a whole tensor whose gradient exists: biases, the skip matrix, small models.
#include "ops.h"
#include "adam.h"
#include "../expect.h"

namespace transweld::TRANSWELD_ISA {
namespace {
constexpr size_t kColumns = 16384;   // elements an item: 256 KB of traffic
}

tw_status adam_step(tw_context* context, const tw_adam_step_args& a) {
  const size_t rows = a.weight.rows, columns = a.weight.columns;
  const Wanted same = {TW_F32, rows, columns};
  Check check{context};
  check.view("weight", a.weight, same).view("m", a.m, same).view("v", a.v, same).view("gradient", a.gradient, same);
  check.optional("ok", a.ok, {TW_U32, 1, 1});
  if (check.status || (has(a.ok) && !u32(a.ok)[0])) return check.status;
  const Adam adam = adam_of(a);
  const size_t strips = (columns + kColumns - 1) / kColumns;
  const size_t some = columns >= kColumns || !columns ? 1 : kColumns / columns, blocks = (rows + some - 1) / some;   // rows an item
  each(context, blocks * strips, [&](size_t item, unsigned) {
    const size_t from = item % strips * kColumns, width = columns - from < kColumns ? columns - from : kColumns;
    for (size_t r = item / strips * some; r < rows && r < (item / strips + 1) * some; r++) {
      float *w = row(a.weight, r) + from, *m = row(a.m, r) + from, *v = row(a.v, r) + from;
      const float* g = row(a.gradient, r) + from;
      sixteens(width, [&](size_t k, size_t n) { adam.move(w + k, m + k, v + k, load_upto(g + k, n), n); });
    }
  });
  return TW_OK;
}

}   // namespace transweld::TRANSWELD_ISA
