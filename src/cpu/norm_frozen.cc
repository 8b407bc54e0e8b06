// A norm whose inverse is kept, as the linear map that it then is, or transposed: two passes over a group of columns (one for RMS norm,
// which has no mean) that the first cache holds. out may be x: the last pass reads sixteen columns before it writes them.
#include "../expect.h"
#include "lanes.h"
#include "ops.h"

namespace transweld::TRANSWELD_ISA {
namespace {

constexpr size_t kRows = 16;   // an item

// Sixteen columns of x, in the transpose times the gain.
TW_INLINE lanes scaled(const float* x, const float* gain, size_t k, size_t n) {
  const lanes v = load_upto(x + k, n);
  return gain ? v * load_upto(gain + k, n) : v;
}

}   // namespace

tw_status norm_frozen(tw_context* context, const tw_norm_frozen_args& a) {
  const size_t rows = a.x.rows, groups = a.groups;
  Check check{context};
  check.that(a.kind <= TW_RMS_NORM, "0 (layer) or 1 (rms)", "kind", a.kind)
      .view("x", a.x, {TW_F32, kAny, kAny})
      .that(groups && a.x.columns % groups == 0, "groups that divide the columns of x", "groups", groups);
  if (check.status) return check.status;
  const size_t columns = a.x.columns / groups, period = a.inverse.rows;
  check.optional("gain", a.gain, {TW_F32, 1, columns})
      .view("inverse", a.inverse, {TW_F32, kAny, groups})
      .view("out", a.out, {TW_F32, rows, a.x.columns})
      .that(period ? rows % period == 0 : !rows, "a number of rows that divides those of x, for rows of", "inverse", period);
  if (check.status) return check.status;
  const float* before = a.transpose ? f32(a.gain) : nullptr;   // the gain of the transpose comes first, that of the map last
  const float* after = a.transpose ? nullptr : f32(a.gain);
  each(context, (rows + kRows - 1) / kRows, [&](size_t item, unsigned) {
    for (size_t r = item * kRows; r < rows && r < (item + 1) * kRows; r++) {
      for (size_t g = 0; g < groups; g++) {
        const float* x = row(a.x, r) + g * columns;
        float* out = row(a.out, r) + g * columns;
        const lanes inverse = splat(row(a.inverse, r % period)[g]);
        lanes mean = splat(0);
        if (a.kind == TW_LAYER_NORM) {
          lanes s = splat(0);
          sixteens(columns, [&](size_t k, size_t n) { s = s + scaled(x, before, k, n); });
          mean = splat(fold(s) / static_cast<float>(columns));
        }
        sixteens(columns, [&](size_t k, size_t n) {
          lanes y = scaled(x, before, k, n);
          if (a.kind == TW_LAYER_NORM) y = y - mean;
          y = y * inverse;
          if (after) y = y * load_upto(after + k, n);
          if (a.accumulate) y = y + load_upto(out + k, n);
          store_upto(out + k, y, n);
        });
      }
    }
  });
  return TW_OK;
}

}   // namespace
