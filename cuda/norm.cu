// norm: layer norm and RMS norm of groups of W columns. x, normalised, out [N, groups·W] f32, gain, bias [1, W], inverse [N, groups]
//   LAYER_NORM  inverse = 1/√(variance + epsilon), normalised = (x − mean)·inverse, sums of a row in the canonical order
//   RMS_NORM    inverse = 1/√(dot(x, x)/W + epsilon), normalised = x·inverse
//   out = normalised·gain + bias
// Bytes: 8·N·groups·W (12 with normalised), flops as many: bound by memory. held.h reads a group once and keeps it through all passes;
// out may be x, since whoever writes a column has read it.
#include "held.h"
#include "ops.h"

namespace transweld {
namespace {

using tile::norm::kThreads;

struct Rows {
  const float *x, *gain, *bias;                // gain, bias: or null
  float *normalised, *inverse, *out;           // normalised, inverse: or null
  uint64_t lines, groups, columns, x_stride, normalised_stride, inverse_stride, out_stride;   // lines: groups of all rows
  float epsilon;
  bool shifts;                                 // layer norm
};

template <class Kept> __global__ void __launch_bounds__(kThreads) norm_group_kernel(const Rows a) {
  DYNAMIC_SHARED(float, room);
  Kept kept(room);
  const float count = static_cast<float>(a.columns);
  for (uint64_t first = uint64_t{blockIdx.x} * Kept::kGroups; first < a.lines; first += uint64_t{gridDim.x} * Kept::kGroups) {
    const uint64_t at = first + kept.mine(), n = at / a.groups, g = at - n * a.groups, offset = g * a.columns;
    const bool is_line = at < a.lines;                       // beyond the last: along with the folds, without memory
    kept.load({a.x + n * a.x_stride + offset, nullptr}, is_line ? a.columns : 0);
    const Line line = kept.agree([&] {
      float mean = 0, squares = 0;
      if (a.shifts) {
        float sum = 0;
        kept.each([&](uint64_t, float value) { sum = sum + value; });
        mean = fold(sum) / count;
        kept.each([&](uint64_t, float value) {
          const float d = value - mean;
          squares = squares + d * d;
        });
      } else {
        kept.each([&](uint64_t, float value) { squares = fmaf(value, value, squares); });
      }
      return Line{mean, 1.0f / sqrtf(fold(squares) / count + a.epsilon)};
    });
    if (a.inverse && is_line && kept.leads()) a.inverse[n * a.inverse_stride + g] = line.inverse;
    float* out = a.out + n * a.out_stride + offset;
    float* normalised = a.normalised ? a.normalised + n * a.normalised_stride + offset : nullptr;
    kept.finish([&](uint64_t k, float value) {
      const float y = (a.shifts ? value - line.mean : value) * line.inverse;
      if (normalised) normalised[k] = y;
      out[k] = !a.gain ? y : a.bias ? fmaf(y, a.gain[k], a.bias[k]) : y * a.gain[k];
    });
  }
}

}   // namespace

tw_status norm(tw_context* context, const tw_norm_args& a) {
  const uint64_t rows = a.x.rows, groups = a.groups;
  Check check{context};
  check.that(a.kind <= TW_RMS_NORM, "0 (layer) or 1 (rms)", "kind", a.kind)
      .view("x", a.x, {TW_F32, kAny, kAny})
      .that(groups && a.x.columns % groups == 0, "groups that divide the columns of x", "groups", groups);
  if (check.status) return check.status;
  const uint64_t columns = a.x.columns / groups;
  check.that(has(a.gain) || !has(a.bias), "no bias without a gain", "bias", a.bias.columns)
      .optional("gain", a.gain, {TW_F32, 1, columns})
      .optional("bias", a.bias, {TW_F32, 1, columns})
      .optional("normalised", a.normalised, {TW_F32, rows, a.x.columns})
      .optional("inverse", a.inverse, {TW_F32, rows, groups})
      .view("out", a.out, {TW_F32, rows, a.x.columns});
  if (check.status || !rows) return check.status;
  const Rows all{f32(a.x), f32(a.gain), f32(a.bias), f32(a.normalised), f32(a.inverse), f32(a.out), rows * groups, groups, columns,
                 a.x.stride, a.normalised.stride, a.inverse.stride, a.out.stride, a.epsilon, a.kind == TW_LAYER_NORM};
  return with_kept(columns, [&](auto kept, size_t shared) {
    using T = typename decltype(kept)::type;
    return launched(context, launch(norm_group_kernel<T>, grid_of(all.lines, T::kGroups), kThreads, shared, stream(context), all),
                    "norm_group_kernel");
  });
}

}   // namespace transweld
