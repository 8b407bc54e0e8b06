// A pattern of codes read by rows, checked before anything is computed from it: an index out of range would read or
// write memory of someone else. Checking costs one pass over 4 bytes a position; the work is a row of floats a position.
#pragma once
#include "../expect.h"
#include "lanes.h"

namespace transweld::TRANSWELD_ISA { namespace {

// Row n has the positions begin(n) ... end(n) − 1: offsets into the index and into every plane.
struct Pattern {
  const uint64_t* starts = nullptr;   // null: fixed
  const uint32_t* index = nullptr;
  size_t rows = 0, width = 0, stride = 0;

  size_t begin(size_t n) const { return starts ? starts[n] : n * stride; }
  size_t end(size_t n) const { return starts ? starts[n + 1] : n * stride + width; }
};

// The largest of `count` numbers, 0 of none.
TW_INLINE uint32_t largest(const uint32_t* list, size_t count) {
  uint32_t most = 0;
  for (size_t i = 0; i < count; i++) most = list[i] > most ? list[i] : most;
  return most;
}

// Ascending from 0 and at most `limit`: what starts of rows and of features must be.
TW_INLINE Check& starts_fit(Check& check, const char* name, const uint64_t* starts, size_t count, uint64_t limit) {
  size_t i = 0;   // the first that is wrong
  if (starts[0] == 0) while (i < count && starts[i] <= starts[i + 1]) i++;
  check.that(starts[0] == 0 && i == count, "ascending starts from 0", name, starts[i]);
  return check.that(starts[count] <= limit, "starts within the capacity", name, starts[count]);
}

// Fills `out` with a pattern of `rows` rows whose indices are below `features`.
TW_INLINE Check& read_pattern(Check& check, const tw_pattern& codes, uint64_t rows, uint64_t features, Pattern& out) {
  const bool ragged = has(codes.starts);
  check.view("codes.index", codes.index, {TW_U32, ragged ? 1 : rows, kAny});
  if (ragged) {
    check.view("codes.starts", codes.starts, {TW_U64, 1, rows + 1});
    if (!check.status) starts_fit(check, "codes.starts", u64(codes.starts), rows, codes.index.columns);
  }
  if (check.status) return check;
  out = {ragged ? u64(codes.starts) : nullptr, u32(codes.index), rows, codes.index.columns, codes.index.stride};
  uint32_t most = 0;
  if (ragged) most = largest(out.index, out.starts[rows]);
  else for (size_t n = 0; n < rows; n++) {
    const uint32_t m = largest(out.index + out.begin(n), out.width);
    most = m > most ? m : most;
  }
  const bool some = rows && (ragged ? out.starts[rows] != 0 : out.width != 0);
  return check.that(!some || most < features, "feature indices below F", "codes.index", most);
}

// A plane lies as the index does, so that one offset serves both.
TW_INLINE Check& read_plane(Check& check, const char* name, const tw_pattern& codes, const tw_view& plane) {
  check.view(name, plane, {TW_F32, codes.index.rows, codes.index.columns});
  return check.that(plane.stride == codes.index.stride || plane.rows <= 1, "the row stride of codes.index", name, plane.stride);
}

} }   // namespace
