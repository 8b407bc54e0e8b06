// out[index[i]] = source[i], any dtype: rows are copied as bytes. An item is a strip of columns of all rows, in their order: of an
// index that comes twice the last row stays, whole, with any number of threads.
#include "../expect.h"
#include "ops.h"
#include "pattern.h"

namespace transweld::TRANSWELD_ISA {
namespace {
constexpr size_t kLeast = 256;   // bytes of a strip: several cache lines, of which one is shared with the next strip
}

tw_status scatter_rows(tw_context* context, const tw_scatter_rows_args& a) {
  const size_t rows = a.source.rows, columns = a.source.columns, bytes = tw_dtype_bytes(a.source.dtype);
  Check check{context};
  check.view("source", a.source, {a.source.dtype, kAny, kAny}).view("index", a.index, {TW_U32, 1, rows});
  check.view("out", a.out, {a.source.dtype, kAny, columns});
  if (check.status || !rows) return check.status;
  const uint32_t most = largest(u32(a.index), rows);
  if (check.that(most < a.out.rows, "indices of rows of out", "index", most).status) return check.status;
  const size_t all = columns * bytes, share = (all / threads(context) + 63) / 64 * 64, strip = share < kLeast ? kLeast : share;
  each(context, (all + strip - 1) / strip, [&](size_t item, unsigned) {
    const size_t first = item * strip, count = all - first < strip ? all - first : strip;
    const char* from = static_cast<const char*>(a.source.data) + first;
    char* to = static_cast<char*>(a.out.data) + first;
    for (size_t i = 0; i < rows; i++) memcpy(to + u32(a.index)[i] * a.out.stride * bytes, from + i * a.source.stride * bytes, count);
  });
  return TW_OK;
}

}   // namespace
