// out = act(a)·b, the middle of a gated linear unit: bound by memory, or by the exponential (activation.h) where a and b are in a cache.
#include "activation.h"
#include "../expect.h"
#include "ops.h"

namespace transweld::TRANSWELD_ISA {
namespace {
constexpr size_t kRows = 8, kColumns = 2048;   // an item: one row of a decode step is several
}

tw_status gate(tw_context* context, const tw_gate_args& a) {
  const size_t rows = a.a.rows, columns = a.a.columns;
  Check check{context};
  check.that(a.activation <= TW_QUICK_GELU, "0 to 5", "activation", a.activation)
      .view("a", a.a, {TW_F32, kAny, kAny})
      .view("b", a.b, {TW_F32, rows, columns})
      .view("out", a.out, {TW_F32, rows, columns});
  if (check.status) return check.status;
  const size_t across = (columns + kColumns - 1) / kColumns;
  each(context, (rows + kRows - 1) / kRows * across, [&](size_t item, unsigned) {
    const size_t begin = item / across * kRows, column = item % across * kColumns;
    const size_t count = columns - column < kColumns ? columns - column : kColumns;
    for (size_t r = begin; r < rows && r < begin + kRows; r++) {
      const float *left = row(a.a, r) + column, *right = row(a.b, r) + column;
      float* out = row(a.out, r) + column;
      sixteens(count, [&](size_t k, size_t n) {
        store_upto(out + k, activate(a.activation, load_upto(left + k, n)) * load_upto(right + k, n), n);
      });
    }
  });
  return TW_OK;
}

}   // namespace
