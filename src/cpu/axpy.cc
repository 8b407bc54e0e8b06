// out = alpha·x + beta·y; a single row of x or y serves every row (a bias). beta·y is rounded, then one fused multiply-add.
#include "ops.h"
#include "../expect.h"
#include "lanes.h"

namespace transweld::TRANSWELD_ISA {
namespace {
constexpr size_t kRows = 16;   // rows an item
}

tw_status axpy(tw_context* context, const tw_axpy_args& a) {
  const size_t rows = a.out.rows, columns = a.out.columns;
  Check check{context};
  check.view("out", a.out, {TW_F32, rows, columns});
  check.view("x", a.x, {TW_F32, a.x.rows == 1 ? 1 : rows, columns}).optional("y", a.y, {TW_F32, a.y.rows == 1 ? 1 : rows, columns});
  if (check.status) return check.status;
  const lanes alpha = splat(a.alpha), beta = splat(a.beta);
  each(context, (rows + kRows - 1) / kRows, [&](size_t item, unsigned) {
    for (size_t r = item * kRows; r < rows && r < (item + 1) * kRows; r++) {
      const float* x = row(a.x, a.x.rows == 1 ? 0 : r);
      const float* y = has(a.y) ? row(a.y, a.y.rows == 1 ? 0 : r) : nullptr;
      float* out = row(a.out, r);
      sixteens(columns, [&](size_t k, size_t n) {
        const lanes rest = y ? beta * load_upto(y + k, n) : splat(0);
        store_upto(out + k, fma(alpha, load_upto(x + k, n), rest), n);
      });
    }
  });
  return TW_OK;
}

}   // namespace transweld::TRANSWELD_ISA
