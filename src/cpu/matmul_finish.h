// What becomes of the sums of a product: c = cap(act(sum·scale + bias)) + old c, and how its outputs are cut into items.
#pragma once
#include "../expect.h"
#include "activation.h"
#include "cap.h"
#include "context.h"
#include "tile.h"

namespace transweld::TRANSWELD_ISA { namespace {

constexpr size_t kStripRows = 16 * kTileRows, kStripColumns = 48;   // outputs that are finished while in the first cache
constexpr size_t kBlockBytes = 512 << 10;                   // of a: half of a small second cache
constexpr size_t kBlockColumns = 4 * kStripColumns;
constexpr size_t kItemsEach = 12;                           // items a thread, so that none waits long at the end

TW_INLINE size_t least(size_t a, size_t b) { return a < b ? a : b; }
TW_INLINE size_t groups(size_t count, size_t size) { return (count + size - 1) / size; }

struct Cut { size_t rows, columns, down, across; };

// M×N outputs in items of at most `rows` rows and `columns` columns, smaller where threads would wait.
static inline Cut cut(const tw_context* context, size_t M, size_t N, size_t rows, size_t columns, size_t strip) {
  Cut c{groups(rows, kStripRows) * kStripRows, columns, 0, 0};
  for (;;) {
    c.down = groups(M, c.rows);
    c.across = groups(N, c.columns);
    if (c.down * c.across >= kItemsEach * threads(context)) return c;
    if (c.columns > strip) c.columns -= strip;
    else if (c.rows > 2 * kStripRows) c.rows -= kStripRows;
    else return c;
  }
}

// Rows of a side whose block should stay in the second cache.
TW_INLINE size_t block_rows(size_t row_bytes) {
  const size_t fit = kBlockBytes / (row_bytes + 4) / kStripRows * kStripRows;
  return fit < kStripRows ? kStripRows : fit;
}

// Asks for a strip's lines of c before its sums are made: written all at once later, they would stall the stores (3 to 5 %
// at K = 192).
TW_INLINE void expect_strip(const tw_view& c, size_t m, size_t rows, size_t n, size_t columns) {
  for (size_t r = 0; r < rows; r++) for (size_t k = 0; k < columns; k += 16) __builtin_prefetch(row(c, m + r) + n + k, 1, 2);
}

// c[m, n ...] from the sums of a strip. COLUMNS multiplies the integers' sums by their rows' scales. A product without a curve has
// its own copy, in line: called for every sixteen outputs it would take 4 % of the rounded product at K = 768.
template <bool kCurved>
TW_INLINE void finish_strip(const tw_matmul_args& a, const float* sums, size_t stride, size_t m, size_t rows, size_t n, size_t columns) {
  const float* scales = a.contract == TW_COLUMNS && has(a.b_scales) ? f32(a.b_scales) + n : nullptr;
  const float* bias = has(a.bias) ? f32(a.bias) + n : nullptr;
  const bool adds = a.accumulate;
  for (size_t r = 0; r < rows; r++) {
    const float* from = sums + r * stride;
    float* to = row(a.c, m + r) + n;
    sixteens(columns, [&](size_t k, size_t some) __attribute__((always_inline)) {
      lanes x = load_upto(from + k, some);
      if (scales) x = x * load_upto(scales + k, some);
      if (bias) x = x + load_upto(bias + k, some);
      if (kCurved) {
        x = activate(a.activation, x);
        if (a.cap > 0) x = capped(x, a.cap);
      }
      if (adds) x = x + load_upto(to + k, some);
      store_upto(to + k, x, some);
    });
  }
}

static inline void finish(const tw_matmul_args& a, const float* sums, size_t stride, size_t m, size_t rows, size_t n, size_t columns) {
  if (a.activation == TW_LINEAR && !(a.cap > 0)) finish_strip<false>(a, sums, stride, m, rows, n, columns);
  else finish_strip<true>(a, sums, stride, m, rows, n, columns);
}

} }   // namespace
