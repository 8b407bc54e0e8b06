// norm_frozen: a norm whose inverse is kept, as a linear map of x [R, groups·W]; row r takes row r mod P of inverse [P, groups]
//   map        out = (x − mean)·inverse·gain             (x·inverse·gain for RMS_NORM)
//   transpose  t = x·gain; out = (t − mean of t)·inverse (t·inverse)
// Bytes: 8·R·groups·W (12 where it accumulates), 4 flops an element: bound by memory. A group of columns is read once (held.h); out may
// be x, since whoever writes a column has read it.
#include "held.h"
#include "ops.h"

namespace transweld {
namespace {

using tile::norm::kThreads;

struct Rows {
  const float *x, *before, *after, *inverse;   // gains before the mean is taken and after the product with inverse: or null
  float* out;
  uint64_t lines, groups, columns, period, x_stride, inverse_stride, out_stride;   // lines: groups of all rows; period: P
  bool shifts, accumulates;                    // shifts: layer norm
};

template <class Kept> __global__ void __launch_bounds__(kThreads) norm_frozen_map_kernel(const Rows a) {
  DYNAMIC_SHARED(float, room);
  Kept kept(room);
  for (uint64_t first = uint64_t{blockIdx.x} * Kept::kGroups; first < a.lines; first += uint64_t{gridDim.x} * Kept::kGroups) {
    const uint64_t at = first + kept.mine(), n = at / a.groups, g = at - n * a.groups, offset = g * a.columns;
    const bool is_line = at < a.lines;                       // beyond the last: along with the folds, without memory
    kept.load({a.x + n * a.x_stride + offset, a.before}, is_line ? a.columns : 0);
    const Line line = kept.agree([&] {
      float mean = 0;
      if (a.shifts) {
        float sum = 0;
        kept.each([&](uint64_t, float value) { sum = sum + value; });
        mean = fold(sum) / static_cast<float>(a.columns);
      }
      return Line{mean, is_line ? a.inverse[n % a.period * a.inverse_stride + g] : 0};
    });
    float* out = a.out + n * a.out_stride + offset;
    kept.finish([&](uint64_t k, float value) {
      float y = (a.shifts ? value - line.mean : value) * line.inverse;
      if (a.after) y = y * a.after[k];
      out[k] = a.accumulates ? y + out[k] : y;
    });
  }
}

}   // namespace

tw_status norm_frozen(tw_context* context, const tw_norm_frozen_args& a) {
  const uint64_t rows = a.x.rows, groups = a.groups;
  Check check{context};
  check.that(a.kind <= TW_RMS_NORM, "0 (layer) or 1 (rms)", "kind", a.kind)
      .view("x", a.x, {TW_F32, kAny, kAny})
      .that(groups && a.x.columns % groups == 0, "groups that divide the columns of x", "groups", groups);
  if (check.status) return check.status;
  const uint64_t columns = a.x.columns / groups, period = a.inverse.rows;
  check.optional("gain", a.gain, {TW_F32, 1, columns})
      .view("inverse", a.inverse, {TW_F32, kAny, groups})
      .view("out", a.out, {TW_F32, rows, a.x.columns})
      .that(period ? rows % period == 0 : !rows, "a number of rows that divides those of x, for rows of", "inverse", period);
  if (check.status || !rows || !columns) return check.status;
  const float* gain = f32(a.gain);
  const Rows all{f32(a.x), a.transpose ? gain : nullptr, a.transpose ? nullptr : gain, f32(a.inverse), f32(a.out), rows * groups, groups,
                 columns, period, a.x.stride, a.inverse.stride, a.out.stride, a.kind == TW_LAYER_NORM, a.accumulate != 0};
  return with_kept(columns, [&](auto kept, size_t shared) {
    using T = typename decltype(kept)::type;
    return launched(context, launch(norm_frozen_map_kernel<T>, grid_of(all.lines, T::kGroups), kThreads, shared, stream(context), all),
                    "norm_frozen_map_kernel");
  });
}

}   // namespace transweld
