// out[c] = scale · (row sum of x[:, c]): chunks of 256 rows in parallel, then the chunks in order.
#include "ops.h"
#include "../expect.h"
#include "lanes.h"

namespace transweld::TRANSWELD_ISA {
namespace {
constexpr size_t kChunk = 256;     // rows of one chain of additions: op_table.h
constexpr size_t kColumns = 256;   // columns an item
}

tw_status reduce_rows(tw_context* context, const tw_reduce_rows_args& a) {
  const size_t rows = a.x.rows, columns = a.x.columns;
  Check check{context};
  check.view("x", a.x, {TW_F32, rows, columns}).view("out", a.out, {TW_F32, 1, columns});
  if (check.status) return check.status;
  const size_t chunks = rows ? (rows + kChunk - 1) / kChunk : 1, strips = (columns + kColumns - 1) / kColumns;
  float* sums = static_cast<float*>(scratch(context, chunks * columns * sizeof(float) + 64));
  if (!sums) return fail(context, TW_MEMORY, "no memory for %zu chunks of %zu columns", chunks, columns);
  each(context, chunks * strips, [&](size_t item, unsigned) {
    const size_t chunk = item / strips, from = item % strips * kColumns, to = from + kColumns < columns ? from + kColumns : columns;
    float* sum = sums + chunk * columns;
    memset(sum + from, 0, (to - from) * sizeof(float));
    for (size_t r = chunk * kChunk; r < rows && r < (chunk + 1) * kChunk; r++) {
      const float* x = row(a.x, r);
      sixteens(to - from, [&](size_t k, size_t n) { store_upto(sum + from + k, load_upto(sum + from + k, n) + load_upto(x + from + k, n), n); });
    }
  });
  sixteens(columns, [&](size_t k, size_t n) {
    lanes total = load_upto(sums + k, n);
    for (size_t chunk = 1; chunk < chunks; chunk++) total = total + load_upto(sums + chunk * columns + k, n);
    store_upto(f32(a.out) + k, splat(a.scale) * total, n);
  });
  return TW_OK;
}

}   // namespace transweld::TRANSWELD_ISA
