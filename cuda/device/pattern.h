// A pattern of codes as kernels see it: where the positions of a row begin and end, checked where they are read.
#pragma once
#include "../../src/expect.h"
#include "fault.h"

namespace transweld {

struct Pattern {
  const unsigned long long* starts;   // null: fixed
  const uint32_t* index;
  uint64_t rows, width, stride;       // width: K, or the capacity
  uint64_t features;

  struct Span { uint64_t begin, end; };

  // Offsets of row n into the index and into every plane. Wrong starts give an empty row and a report.
  __device__ Span span(uint64_t n, const Report& report) const {
    if (!starts) return {n * stride, n * stride + width};
    const uint64_t begin = starts[n], end = starts[n + 1];
    if (begin > end || (n == 0 && begin != 0)) { report(kFaultStarts, begin); return {0, 0}; }
    if (end > width) { report(kFaultCapacity, end); return {0, 0}; }
    return {begin, end};
  }

  // Whether position p may be used: its feature is below F.
  __device__ bool feature(uint64_t p, uint32_t& f, const Report& report) const {
    f = index[p];
    if (f < features) return true;
    report(kFaultIndex, f);
    return false;
  }
};

// Positions that a pattern of `rows` rows may have at most.
inline uint64_t most_positions(const Pattern& codes) { return codes.starts ? codes.width : codes.rows * codes.width; }

// Fills `out` with a pattern of `rows` rows whose indices must be below `features`; its numbers are checked by the kernels.
inline Check& read_pattern(Check& check, const tw_pattern& codes, uint64_t rows, uint64_t features, Pattern& out) {
  const bool ragged = has(codes.starts);
  check.view("codes.index", codes.index, {TW_U32, ragged ? 1 : rows, kAny});
  if (ragged) check.view("codes.starts", codes.starts, {TW_U64, 1, rows + 1});
  out = {ragged ? static_cast<const unsigned long long*>(codes.starts.data) : nullptr, u32(codes.index), rows, codes.index.columns,
         codes.index.stride, features};
  return check;
}

// A plane lies as the index does, so that one offset serves both.
inline Check& read_plane(Check& check, const char* name, const tw_pattern& codes, const tw_view& plane) {
  check.view(name, plane, {TW_F32, codes.index.rows, codes.index.columns});
  return check.that(plane.stride == codes.index.stride || plane.rows <= 1, "the row stride of codes.index", name, plane.stride);
}

}   // namespace transweld
