// out[n] = {dot(a,a), dot(a,b), dot(b,b), dot(a−b, a−b)}: what cosine, norm ratio and error of a row are made of, in one pass.
#include "ops.h"
#include "../expect.h"
#include "lanes.h"

namespace transweld::TRANSWELD_ISA {
namespace {
constexpr size_t kRows = 16;   // rows an item
}

tw_status row_moments(tw_context* context, const tw_row_moments_args& args) {
  const size_t rows = args.a.rows, columns = args.a.columns;
  Check check{context};
  check.view("a", args.a, {TW_F32, rows, columns}).view("b", args.b, {TW_F32, rows, columns}).view("out", args.out, {TW_F32, rows, 4});
  if (check.status) return check.status;
  each(context, (rows + kRows - 1) / kRows, [&](size_t item, unsigned) {
    for (size_t r = item * kRows; r < rows && r < (item + 1) * kRows; r++) {
      const float *left = row(args.a, r), *right = row(args.b, r);
      lanes aa = splat(0), ab = splat(0), bb = splat(0), ee = splat(0);
      sixteens(columns, [&](size_t k, size_t n) {
        const lanes a = load_upto(left + k, n), b = load_upto(right + k, n), e = a - b;
        aa = fma(a, a, aa);
        ab = fma(a, b, ab);
        bb = fma(b, b, bb);
        ee = fma(e, e, ee);
      });
      float* out = row(args.out, r);
      out[0] = fold(aa);
      out[1] = fold(ab);
      out[2] = fold(bb);
      out[3] = fold(ee);
    }
  });
  return TW_OK;
}

}   // namespace transweld::TRANSWELD_ISA
