// out[i] = source[index[i]], any dtype: rows are copied as bytes.
#include "ops.h"
#include "../expect.h"
#include "pattern.h"

namespace transweld::TRANSWELD_ISA {
namespace {
constexpr size_t kRows = 64;   // rows an item
}

tw_status gather_rows(tw_context* context, const tw_gather_rows_args& a) {
  const size_t rows = a.out.rows, bytes = tw_dtype_bytes(a.source.dtype);
  Check check{context};
  check.view("source", a.source, {a.source.dtype, kAny, kAny}).view("index", a.index, {TW_U32, 1, rows});
  check.view("out", a.out, {a.source.dtype, rows, a.source.columns});
  if (check.status || !rows) return check.status;
  const uint32_t most = largest(u32(a.index), rows);
  if (check.that(most < a.source.rows, "indices of rows of source", "index", most).status) return check.status;
  const char* from = static_cast<const char*>(a.source.data);
  char* to = static_cast<char*>(a.out.data);
  each(context, (rows + kRows - 1) / kRows, [&](size_t item, unsigned) {
    for (size_t i = item * kRows; i < rows && i < (item + 1) * kRows; i++) {
      memcpy(to + i * a.out.stride * bytes, from + u32(a.index)[i] * a.source.stride * bytes, a.source.columns * bytes);
    }
  });
  return TW_OK;
}

}   // namespace transweld::TRANSWELD_ISA
