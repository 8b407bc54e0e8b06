// Norms of rows, and rows brought to one norm. w/‖w‖ first and the target after, as in sparse_scatter's unit step.
#include "ops.h"
#include "../expect.h"
#include "lanes.h"

namespace transweld::TRANSWELD_ISA {
namespace {
constexpr size_t kRows = 32;   // rows an item
}

tw_status unit_rows(tw_context* context, const tw_unit_rows_args& a) {
  const size_t rows = a.weight.rows, columns = a.weight.columns;
  Check check{context};
  check.view("weight", a.weight, {TW_F32, rows, columns}).optional("norms", a.norms, {TW_F32, 1, rows});
  if (check.status) return check.status;
  each(context, (rows + kRows - 1) / kRows, [&](size_t item, unsigned) {
    for (size_t f = item * kRows; f < rows && f < (item + 1) * kRows; f++) {
      float* w = row(a.weight, f);
      float norm = __builtin_sqrtf(dot(w, w, columns));
      if (a.target > 0 && norm != 0) {
        sixteens(columns, [&](size_t k, size_t n) { store_upto(w + k, load_upto(w + k, n) / splat(norm) * splat(a.target), n); });
        norm = __builtin_sqrtf(dot(w, w, columns));
      }
      if (has(a.norms)) f32(a.norms)[f] = norm;
    }
  });
  return TW_OK;
}

}   // namespace transweld::TRANSWELD_ISA
