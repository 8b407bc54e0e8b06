#include "stock.h"

#include <algorithm>
#include <random>

namespace transweld {

tw_view Stock::room(uint64_t rows, uint64_t columns, uint32_t dtype) {
  const Memory& block = blocks_.emplace_back(opened, rows * columns * tw_dtype_bytes(dtype));
  return {block.data, rows, columns, columns, dtype, 0};
}

tw_view Stock::normal(uint64_t rows, uint64_t columns, float deviation, float mean) {
  const tw_view out = room(rows, columns);
  call(&tw_op_table::fill_random, tw_fill_random_args{sizeof(tw_fill_random_args), TW_NORMAL, seed_++, 0, mean, deviation, out});
  return out;
}

tw_view Stock::in_dtype(const tw_view& f32, uint32_t dtype) {
  const tw_view out = room(f32.rows, f32.columns, dtype);
  call(&tw_op_table::cast, tw_cast_args{sizeof(tw_cast_args), 0, f32, out});
  return out;
}

tw_view Stock::zeros(uint64_t rows, uint64_t columns) {
  const tw_view out = room(rows, columns);
  call(&tw_op_table::fill, tw_fill_args{sizeof(tw_fill_args), 0, 0, out});
  return out;
}

tw_view Stock::integers(const std::vector<uint32_t>& values) {
  const tw_view out = room(1, values.size(), TW_U32);
  blocks_.back().write(values.data());
  return out;
}

tw_view Stock::below(uint64_t rows, uint64_t columns, uint32_t limit) {
  std::mt19937_64 random(seed_++);
  std::vector<uint32_t> values(rows * columns);
  for (uint32_t& value : values) value = static_cast<uint32_t>((random() >> 32) * limit >> 32);
  tw_view out = integers(values);
  out.rows = rows;
  out.columns = out.stride = columns;
  return out;
}

tw_pattern Stock::codes(const Shape& s) {
  // One random start a row and a stride of its own: different features without a table of what was drawn.
  std::mt19937_64 random(seed_++);
  std::vector<uint32_t> index(s.N * s.K);
  for (uint64_t n = 0; n < s.N; n++) {
    const uint64_t start = random() % s.F, step = 1 + random() % (s.F / s.K);
    for (uint64_t k = 0; k < s.K; k++) index[n * s.K + k] = static_cast<uint32_t>((start + k * step) % s.F);
  }
  tw_view view = integers(index);
  view.rows = s.N;
  view.columns = view.stride = s.K;
  return {{}, view};
}

Major Stock::major(const Shape& s, const tw_pattern& codes, const tw_view& z) {
  const Major m{room(1, s.F + 1, TW_U64), room(1, s.N * s.K, TW_U32), room(1, s.N * s.K, TW_U32), room(1, s.F, TW_U32)};
  call(&tw_op_table::feature_major,
       tw_feature_major_args{sizeof(tw_feature_major_args), static_cast<uint32_t>(s.F), codes, s.N, z, m.feature_starts, m.rows, m.slots, m.fired});
  return m;
}

tw_view Stock::shadow(uint32_t screen, const tw_view& weight) {
  const uint64_t bytes = screen == TW_SCREEN_NONE ? 0 : opened.table->screen_bytes(opened.context, screen, weight.rows, weight.columns);
  if (!bytes) return {nullptr, 0, 0, 0, TW_I8, 0};
  const tw_view out = room(1, bytes, TW_I8);
  call(&tw_op_table::screen_rows, tw_screen_rows_args{sizeof(tw_screen_rows_args), screen, weight, out});
  return out;
}

}   // namespace transweld
