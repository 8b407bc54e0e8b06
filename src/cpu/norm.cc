// Layer norm, a row at a time in three passes over a row that the first cache holds: mean, variance about it, result.
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

}   // namespace

tw_status norm(tw_context* context, const tw_norm_args& a) {
  const uint64_t rows = a.x.rows, columns = a.x.columns;
  Check check{context};
  check.view("x", a.x, {TW_F32, kAny, kAny})
      .view("gain", a.gain, {TW_F32, 1, columns})
      .optional("bias", a.bias, {TW_F32, 1, columns})
      .optional("normalised", a.normalised, {TW_F32, rows, columns})
      .view("out", a.out, {TW_F32, rows, columns});
  if (check.status || !columns) return check.status;
  const float* gain = f32(a.gain);
  const float* bias = f32(a.bias);
  each(context, (rows + kRows - 1) / kRows, [&](size_t item, unsigned) {
    for (size_t r = item * kRows; r < rows && r < (item + 1) * kRows; r++) {
      const float* x = row(a.x, r);
      float* out = row(a.out, r);
      float* normalised = has(a.normalised) ? row(a.normalised, r) : nullptr;
      const float count = static_cast<float>(columns), mean = sum(x, columns) / count;
      const float scale = 1.0f / __builtin_sqrtf(squares(x, mean, columns) / count + a.epsilon);
      sixteens(columns, [&](size_t k, size_t n) {
        const lanes y = (load_upto(x + k, n) - splat(mean)) * splat(scale);
        if (normalised) store_upto(normalised + k, y, n);
        store_upto(out + k, bias ? fma(y, load_upto(gain + k, n), load_upto(bias + k, n)) : y * load_upto(gain + k, n), n);
      });
    }
  });
  return TW_OK;
}

}   // namespace
