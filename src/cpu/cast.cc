// Between f32, bf16 and f16, rounded to nearest even (convert.h); rows of one dtype are copied bit by bit.
#include "ops.h"
#include "convert.h"
#include "../expect.h"

namespace transweld::TRANSWELD_ISA {
namespace {

constexpr size_t kRows = 16;   // rows an item

template <class From, class To> void convert(const From* from, To* to, size_t count) {
  sixteens(count, [&](size_t k, size_t n) { store_upto(to + k, load_upto(from + k, n), n); });
}
template <class T> void convert(const T* from, T* to, size_t count) { memcpy(to, from, count * sizeof(T)); }

}   // namespace

tw_status cast(tw_context* context, const tw_cast_args& a) {
  const size_t rows = a.source.rows, columns = a.source.columns;
  Check check{context};
  check.view("source", a.source, {kFloat, rows, columns}).view("out", a.out, {kFloat, rows, columns});
  if (check.status || !columns) return check.status;
  with_float(a.source, [&](const auto* from) {
    with_float(a.out, [&](auto* to) {
      each(context, (rows + kRows - 1) / kRows, [&](size_t item, unsigned) {
        for (size_t r = item * kRows; r < rows && r < (item + 1) * kRows; r++) {
          convert(from + r * a.source.stride, to + r * a.out.stride, columns);
        }
      });
    });
  });
  return TW_OK;
}

}   // namespace transweld::TRANSWELD_ISA
