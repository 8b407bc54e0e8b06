// Layer norm and RMS norm, a group of columns at a time in passes over what the first cache holds: mean and variance about it, or the
// mean square; then the result. out may be x: the last pass reads sixteen columns before it writes them.
#include "../expect.h"
#include "lanes.h"
#include "ops.h"

namespace transweld::TRANSWELD_ISA {
namespace {

constexpr size_t kRows = 16;   // an item

// Σ (x − mean)² over a row, as the sum of a row: the product is rounded, then added.
TW_INLINE float squares(const float* x, float mean, size_t columns) {
  lanes s = splat(0);
  sixteens(columns, [&](size_t k, size_t n) {
    lanes d = load_upto(x + k, n) - splat(mean);
    if (n < 16) {                       // lanes beyond the row count as zeros, not as −mean
      float rest[16];
      store(rest, d);
      d = load_some(rest, n);
    }
    s = s + d * d;
  });
  return fold(s);
}

// What x is taken from and multiplied by: normalised = (x − mean)·inverse; RMS norm has no mean.
struct Line { float mean, inverse; };
TW_INLINE Line line_of(const tw_norm_args& a, const float* x, size_t columns) {
  const float count = static_cast<float>(columns), mean = a.kind == TW_LAYER_NORM ? sum(x, columns) / count : 0;
  const float square = a.kind == TW_LAYER_NORM ? squares(x, mean, columns) : dot(x, x, columns);
  return {mean, 1.0f / __builtin_sqrtf(square / count + a.epsilon)};
}

}   // namespace

tw_status norm(tw_context* context, const tw_norm_args& a) {
  const size_t rows = a.x.rows, groups = a.groups;
  Check check{context};
  check.that(a.kind <= TW_RMS_NORM, "0 (layer) or 1 (rms)", "kind", a.kind)
      .view("x", a.x, {TW_F32, kAny, kAny})
      .that(groups && a.x.columns % groups == 0, "groups that divide the columns of x", "groups", groups);
  if (check.status) return check.status;
  const size_t columns = a.x.columns / groups;
  check.that(has(a.gain) || !has(a.bias), "no bias without a gain", "bias", a.bias.columns)
      .optional("gain", a.gain, {TW_F32, 1, columns})
      .optional("bias", a.bias, {TW_F32, 1, columns})
      .optional("normalised", a.normalised, {TW_F32, rows, a.x.columns})
      .optional("inverse", a.inverse, {TW_F32, rows, groups})
      .view("out", a.out, {TW_F32, rows, a.x.columns});
  if (check.status) return check.status;
  const float *gain = f32(a.gain), *bias = f32(a.bias);
  const bool shifts = a.kind == TW_LAYER_NORM;
  each(context, (rows + kRows - 1) / kRows, [&](size_t item, unsigned) {
    for (size_t r = item * kRows; r < rows && r < (item + 1) * kRows; r++) {
      for (size_t g = 0; g < groups; g++) {
        const float* x = row(a.x, r) + g * columns;
        float* out = row(a.out, r) + g * columns;
        float* normalised = has(a.normalised) ? row(a.normalised, r) + g * columns : nullptr;
        const Line line = line_of(a, x, columns);
        if (has(a.inverse)) row(a.inverse, r)[g] = line.inverse;
        sixteens(columns, [&](size_t k, size_t n) {
          lanes y = load_upto(x + k, n);
          if (shifts) y = y - splat(line.mean);
          y = y * splat(line.inverse);
          if (normalised) store_upto(normalised + k, y, n);
          if (gain) y = bias ? fma(y, load_upto(gain + k, n), load_upto(bias + k, n)) : y * load_upto(gain + k, n);
          store_upto(out + k, y, n);
        });
      }
    }
  });
  return TW_OK;
}

}   // namespace
