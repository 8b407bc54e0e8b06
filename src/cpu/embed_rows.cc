// Token embeddings times a scale, with those of the positions added: product and sum are rounded each.
#include "convert.h"
#include "../expect.h"
#include "ops.h"

namespace transweld::TRANSWELD_ISA {
namespace {

constexpr size_t kRows = 32;   // an item

Check& within(Check& check, const char* expected, const char* name, const tw_view& index, uint64_t rows) {
  for (uint64_t i = 0; i < index.columns; i++) check.that(u32(index)[i] < rows, expected, name, u32(index)[i]);
  return check;
}

}   // namespace

tw_status embed_rows(tw_context* context, const tw_embed_rows_args& a) {
  const uint64_t rows = a.ids.columns, columns = a.table.columns;
  Check check{context};
  check.view("ids", a.ids, {TW_U32, 1, kAny})
      .view("table", a.table, {a.table.dtype == TW_I8 ? uint32_t{TW_I8} : kFloat, kAny, kAny})
      .optional("places", a.places, {TW_U32, 1, rows})
      .optional("positions", a.positions, {kFloat, kAny, columns})
      .view("out", a.out, {TW_F32, rows, columns});
  if (a.table.dtype == TW_I8) check.view("table_scales", a.table_scales, {TW_F32, 1, a.table.rows});
  else check.that(!has(a.table_scales), "none but with an i8 table", "table_scales", a.table_scales.columns);
  if (check.status) return check.status;
  if (has(a.places) != has(a.positions)) {
    return fail(context, TW_INVALID, "expected places and positions together but received only %s", has(a.places) ? "places" : "positions");
  }
  within(check, "ids below V", "ids", a.ids, a.table.rows);
  if (has(a.places)) within(check, "places below P", "places", a.places, a.positions.rows);
  if (check.status) return check.status;
  each(context, (rows + kRows - 1) / kRows, [&](size_t item, unsigned) {
    for (size_t r = item * kRows; r < rows && r < (item + 1) * kRows; r++) {
      float* out = row(a.out, r);
      const uint32_t id = u32(a.ids)[r];
      const lanes row_scale = splat(has(a.table_scales) ? f32(a.table_scales)[id] : 1), scale = splat(a.scale);   // · 1 is exact
      with_stored(a.table, [&](auto* table) {
        const auto* from = table + id * a.table.stride;
        sixteens(columns, [&](size_t k, size_t n) { store_upto(out + k, load_upto(from + k, n) * row_scale * scale, n); });
      });
      if (!has(a.places)) continue;
      with_float(a.positions, [&](auto* positions) {
        const auto* from = positions + u32(a.places)[r] * a.positions.stride;
        sixteens(columns, [&](size_t k, size_t n) { store_upto(out + k, load_upto(out + k, n) + load_upto(from + k, n), n); });
      });
    }
  });
  return TW_OK;
}

}   // namespace
