// Rows of an operand as f32 with a stride, whatever they are stored as: in place where they are f32 rows already, else made in
// scratch. What a strip costs is paid back by the rows of the other side that it meets.
//   rows_of       rows of a view: narrow ones widened, i8 as integers; on request rounded to bf16 first
//   columns_of    columns of a view, transposed: i8 as scale·integer
#pragma once
#include "../expect.h"
#include "transpose.h"

namespace transweld::TRANSWELD_ISA { namespace {

struct Rows { const float* data; size_t stride; };

// Floats from one row of a strip to the next: whole lines, and never a power of two, whose rows would fall on one cache set.
TW_INLINE size_t strip_stride(size_t depth) { return ((depth + 15) & ~size_t{15}) + 16; }

static inline Rows rows_of(const tw_view& v, size_t from, size_t count, float* room, bool rounded = false) {
  if (v.dtype == TW_F32 && !rounded) return {row(v, from), v.stride};
  const size_t stride = strip_stride(v.columns);
  with_stored(v, [&](const auto* data) {
    for (size_t r = 0; r < count; r++) {
      const auto* source = data + (from + r) * v.stride;
      float* to = room + r * stride;
      sixteens(v.columns, [&](size_t k, size_t n) {
        lanes x = load_upto(source + k, n);
        if (rounded) {
          bf16 narrow[16];
          store(narrow, x);
          x = load(narrow);
        }
        store_upto(to + k, x, n);
      });
    }
  });
  return {room, stride};
}

static inline Rows columns_of(const tw_view& v, const float* scales, size_t from, size_t count, float* room) {
  const size_t stride = strip_stride(v.rows);
  if (v.dtype != TW_I8) {
    with_float(v, [&](auto* data) { transpose(data + from, v.stride, v.rows, count, room, stride); });
    return {room, stride};
  }
  float wide[16 * 16];
  const int8_t* data = static_cast<const int8_t*>(v.data) + from;
  for (size_t k = 0; k < v.rows; k += 16) {
    const size_t height = v.rows - k < 16 ? v.rows - k : 16;
    for (size_t c = 0; c < count; c += 16) {
      const size_t width = count - c < 16 ? count - c : 16;
      for (size_t i = 0; i < height; i++) store(wide + i * 16, load_upto(data + (k + i) * v.stride + c, width) * splat(scales[k + i]));
      transpose(static_cast<const float*>(wide), 16, height, width, room + c * stride + k, stride);
    }
  }
  return {room, stride};
}

} }   // namespace
