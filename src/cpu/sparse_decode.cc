// out[n] = Σ z·weight[f] over row n's positions, + bias, + out[n]. One item is a row of codes; its rows of weight lie
// anywhere in up to a hundred megabytes, so that waiting for memory is all there is to hide.
#include "ops.h"
#include "combine.h"
#include "pattern.h"

namespace transweld::TRANSWELD_ISA {
namespace {

constexpr size_t kRows = 4;   // rows of codes an item: 4·K rows of weight, tens of microseconds

template <class T>
void decode_row(const Pattern& codes, const float* z, const T* weight, size_t stride, size_t n, size_t columns, float* sum) {
  Gathered<T> g;
  const size_t begin = codes.begin(n), end = codes.end(n);
  for (size_t p = begin; p < end; p += kChunk) {
    g.count = end - p < kChunk ? end - p : kChunk;
    for (size_t i = 0; i < g.count; i++) {
      g.scale[i] = z[p + i];
      g.row[i] = weight + codes.index[p + i] * stride;
    }
    combine(g, columns, p == begin, sum);
  }
  if (begin == end) memset(sum, 0, columns * sizeof(float));
}

}   // namespace

tw_status sparse_decode(tw_context* context, const tw_sparse_decode_args& a) {
  const size_t rows = a.out.rows, columns = a.out.columns;
  Pattern codes;
  Check check{context};
  check.view("weight", a.weight, {kFloat, kAny, columns}).optional("bias", a.bias, {TW_F32, 1, columns});
  check.view("out", a.out, {TW_F32, rows, columns});
  read_pattern(check, a.codes, rows, a.weight.rows, codes);
  read_plane(check, "z", a.codes, a.z);
  if (check.status || !rows || !columns) return check.status;
  const size_t padded = columns / 16 * 16 + 16;
  float* sums = static_cast<float*>(scratch(context, threads(context) * padded * sizeof(float)));
  if (!sums) return fail(context, TW_MEMORY, "no memory for a row of %zu columns a thread", columns);
  with_float(a.weight, [&](const auto* weight) {
    each(context, (rows + kRows - 1) / kRows, [&](size_t item, unsigned worker) {
      float* sum = sums + worker * padded;
      for (size_t n = item * kRows; n < rows && n < (item + 1) * kRows; n++) {
        float* out = row(a.out, n);
        decode_row(codes, f32(a.z), weight, a.weight.stride, n, columns, sum);
        sixteens(columns, [&](size_t k, size_t some) {
          lanes y = load_upto(sum + k, some);
          if (has(a.bias)) y = y + load_upto(f32(a.bias) + k, some);
          if (a.accumulate) y = y + load_upto(out + k, some);
          store_upto(out + k, y, some);
        });
      }
    });
  });
  return TW_OK;
}

}   // namespace transweld::TRANSWELD_ISA
