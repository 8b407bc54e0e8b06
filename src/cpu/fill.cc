// Every element becomes one value: `value` where the view is f32, else the low bits of `bits`.
#include "ops.h"
#include "../expect.h"
#include "lanes.h"

namespace transweld::TRANSWELD_ISA {
namespace {

constexpr size_t kRows = 16;   // rows an item

template <class T> void fill_row(void* data, size_t offset, T value, size_t count) {
  T* to = static_cast<T*>(data) + offset;
  for (size_t i = 0; i < count; i++) to[i] = value;
}

}   // namespace

tw_status fill(tw_context* context, const tw_fill_args& a) {
  const size_t rows = a.out.rows, columns = a.out.columns;
  Check check{context};
  check.view("out", a.out, {a.out.dtype, rows, columns}).that(a.out.dtype <= TW_U64, "a dtype", "out", a.out.dtype);
  if (check.status) return check.status;
  each(context, (rows + kRows - 1) / kRows, [&](size_t item, unsigned) {
    for (size_t r = item * kRows; r < rows && r < (item + 1) * kRows; r++) {
      const size_t at = r * a.out.stride;
      if (a.out.dtype == TW_F32) fill_row(a.out.data, at, a.value, columns);
      else if (a.out.dtype == TW_U64) fill_row(a.out.data, at, a.bits, columns);
      else if (a.out.dtype == TW_U32) fill_row(a.out.data, at, static_cast<uint32_t>(a.bits), columns);
      else if (a.out.dtype == TW_I8) fill_row(a.out.data, at, static_cast<uint8_t>(a.bits), columns);
      else fill_row(a.out.data, at, static_cast<uint16_t>(a.bits), columns);
    }
  });
  return TW_OK;
}

}   // namespace transweld::TRANSWELD_ISA
