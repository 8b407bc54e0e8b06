// Dense products with bias, activation and accumulation in the same pass, on the tile of tile.h.
//
//   COLUMNS  rows of a with rows of b, straight from memory. An item is a block of outputs: kStrip rows of b at a time stay
//            in the first cache's reach while the block of a streams from the second. Narrow rows are widened into scratch.
//   ROWS     both sides are transposed into scratch, chunk by chunk of 256 rows, as many chunks as the scratch may hold;
//            then every chunk is a product over columns, and the chunks are added in order.
#include "activation.h"
#include "../expect.h"
#include "ops.h"
#include "tile.h"
#include "transpose.h"

namespace transweld::TRANSWELD_ISA {
namespace {

constexpr size_t kStripRows = 16 * kTileRows, kStripColumns = 48;   // outputs that are finished while in the first cache
constexpr size_t kBlockBytes = 512 << 10;                           // of a: half of a small second cache
constexpr size_t kBlockColumns = 4 * kStripColumns;
constexpr size_t kItemsEach = 12;                                   // items a thread, so that none waits long at the end
constexpr size_t kChunk = 256;                                      // rows of one dot in ROWS: op_table.h
constexpr size_t kChunkStride = kChunk + 16;                        // floats; a power of two would fall on one cache set
constexpr size_t kPackBytes = 32 << 20;

size_t least(size_t a, size_t b) { return a < b ? a : b; }
size_t groups(size_t count, size_t size) { return (count + size - 1) / size; }

// How the outputs are cut into items.
struct Cut { size_t rows, columns, down, across; };
Cut cut(const tw_context* context, size_t M, size_t N, size_t depth) {
  Cut c{kBlockBytes / (4 * depth + 4) / kStripRows * kStripRows, kBlockColumns, 0, 0};
  if (c.rows < kStripRows) c.rows = kStripRows;
  for (;;) {
    c.down = groups(M, c.rows);
    c.across = groups(N, c.columns);
    if (c.down * c.across >= kItemsEach * threads(context)) return c;
    if (c.columns > kStripColumns) c.columns -= kStripColumns;
    else if (c.rows > 2 * kStripRows) c.rows -= kStripRows;
    else return c;
  }
}

// Asks for a strip's lines of c before its sums are made: written all at once later, they would stall the stores (3 to 5 %
// at K = 192).
void expect_strip(const tw_view& c, size_t m, size_t rows, size_t n, size_t columns) {
  for (size_t r = 0; r < rows; r++) for (size_t k = 0; k < columns; k += 16) __builtin_prefetch(row(c, m + r) + n + k, 1, 2);
}

// c[m, n ...] = act(sums + bias) (+ c) for a strip.
void finish(const tw_matmul_args& a, const float* sums, size_t stride, size_t m, size_t rows, size_t n, size_t columns) {
  for (size_t r = 0; r < rows; r++) {
    const float* from = sums + r * stride;
    float* to = row(a.c, m + r) + n;
    sixteens(columns, [&](size_t k, size_t some) {
      lanes x = load_upto(from + k, some);
      if (has(a.bias)) x = x + load_upto(f32(a.bias) + n + k, some);
      x = activate(a.activation, x);
      if (a.accumulate) x = x + load_upto(to + k, some);
      store_upto(to + k, x, some);
    });
  }
}

// Rows [from, from + count) as f32 with their stride: in place, or widened into `room`.
struct Rows { const float* data; size_t stride; };
Rows widened(const tw_view& v, size_t from, size_t count, float* room) {
  if (v.dtype == TW_F32) return {row(v, from), v.stride};
  with_float(v, [&](auto* data) {
    for (size_t r = 0; r < count; r++) {
      const auto* narrow = data + (from + r) * v.stride;
      sixteens(v.columns, [&](size_t k, size_t some) { store_upto(room + r * v.columns + k, load_upto(narrow + k, some), some); });
    }
  });
  return {room, v.columns};
}

tw_status over_columns(tw_context* context, const tw_matmul_args& a) {
  const size_t M = a.c.rows, N = a.c.columns, depth = a.a.columns;
  const Cut c = cut(context, M, N, depth);
  const size_t a_room = a.a.dtype == TW_F32 ? 0 : c.rows * depth, b_room = a.b.dtype == TW_F32 ? 0 : kStripColumns * depth;
  float* room = nullptr;
  if (a_room + b_room) {
    room = static_cast<float*>(scratch(context, threads(context) * (a_room + b_room) * sizeof(float)));
    if (!room) return fail(context, TW_MEMORY, "out of memory for %zu rows of %zu columns widened to f32", c.rows + kStripColumns, depth);
  }
  each(context, c.down * c.across, [&](size_t item, unsigned worker) {
    const size_t m = item % c.down * c.rows, n_begin = item / c.down * c.columns;
    const size_t rows = least(c.rows, M - m), n_end = least(n_begin + c.columns, N);
    float* own = room + worker * (a_room + b_room);
    const Rows left = widened(a.a, m, rows, own);
    alignas(64) float sums[kStripRows * kStripColumns];
    for (size_t n = n_begin; n < n_end; n += kStripColumns) {
      const size_t columns = least(kStripColumns, n_end - n);
      const Rows right = widened(a.b, n, columns, own + a_room);
      for (size_t r = 0; r < rows; r += kStripRows) {
        const size_t height = least(kStripRows, rows - r);
        expect_strip(a.c, m + r, height, n, columns);
        canonical_block(left.data + r * left.stride, left.stride, height, right.data, right.stride, columns, depth, sums, kStripColumns);
        finish(a, sums, kStripColumns, m + r, height, n, columns);
      }
    }
  });
  return TW_OK;
}

// packed[chunk, column] = kChunk values of that column, from row `begin` on.
void pack(tw_context* context, const tw_view& v, size_t begin, size_t chunks, float* packed) {
  constexpr size_t kWide = 64;
  const size_t across = groups(v.columns, kWide);
  each(context, chunks * across, [&](size_t item, unsigned) {
    const size_t chunk = item / across, column = item % across * kWide, from = begin + chunk * kChunk;
    const size_t rows = least(kChunk, v.rows - from), columns = least(kWide, v.columns - column);
    float* to = packed + (chunk * v.columns + column) * kChunkStride;
    with_float(v, [&](auto* data) { transpose(data + from * v.stride + column, v.stride, rows, columns, to, kChunkStride); });
  });
}

tw_status over_rows(tw_context* context, const tw_matmul_args& a) {
  const size_t M = a.c.rows, N = a.c.columns, depth = a.a.rows;
  const size_t all = depth ? groups(depth, kChunk) : 1, chunk_bytes = (M + N) * kChunkStride * sizeof(float);
  size_t chunks = kPackBytes / chunk_bytes;             // packed at a time
  chunks = chunks < 1 ? 1 : least(chunks, all);
  const bool apart = a.accumulate && all > chunks;      // the old c is added last: sums of several packs wait elsewhere
  float* left = static_cast<float*>(scratch(context, chunks * chunk_bytes + (apart ? M * N * sizeof(float) : 0)));
  if (!left) return fail(context, TW_MEMORY, "out of memory for %zu chunks of %zu transposed columns", chunks, M + N);
  float* right = left + chunks * M * kChunkStride;
  float* waiting = apart ? right + chunks * N * kChunkStride : f32(a.c);
  const size_t waiting_stride = apart ? N : a.c.stride;
  const Cut c = cut(context, M, N, kChunk);
  for (size_t first = 0; first < all; first += chunks) {
    const size_t now = least(chunks, all - first);
    pack(context, a.a, first * kChunk, now, left);
    pack(context, a.b, first * kChunk, now, right);
    each(context, c.down * c.across, [&](size_t item, unsigned) {
      const size_t m_begin = item % c.down * c.rows, n_begin = item / c.down * c.columns;
      const size_t m_end = least(m_begin + c.rows, M), n_end = least(n_begin + c.columns, N);
      alignas(64) float part[kStripRows * kStripColumns], sums[kStripRows * kStripColumns];
      for (size_t n = n_begin; n < n_end; n += kStripColumns) {
        const size_t columns = least(kStripColumns, n_end - n);
        for (size_t m = m_begin; m < m_end; m += kStripRows) {
          const size_t height = least(kStripRows, m_end - m);
          float* wait = waiting + m * waiting_stride + n;
          expect_strip(a.c, m, height, n, columns);
          for (size_t i = 0; i < now; i++) {
            const size_t rows = least(kChunk, depth - (first + i) * kChunk);
            canonical_block(left + (i * M + m) * kChunkStride, kChunkStride, height, right + (i * N + n) * kChunkStride, kChunkStride, columns,
                            rows, part, kStripColumns);
            for (size_t r = 0; r < height; r++) {
              const float* old = i ? sums + r * kStripColumns : wait + r * waiting_stride;
              const float* new_part = part + r * kStripColumns;
              float* to = sums + r * kStripColumns;
              sixteens(columns, [&](size_t k, size_t some) {
                const lanes x = load_upto(new_part + k, some);
                store_upto(to + k, first + i ? load_upto(old + k, some) + x : x, some);
              });
            }
          }
          if (first + now == all) { finish(a, sums, kStripColumns, m, height, n, columns); continue; }
          for (size_t r = 0; r < height; r++) memcpy(wait + r * waiting_stride, sums + r * kStripColumns, columns * sizeof(float));
        }
      }
    });
  }
  return TW_OK;
}

}   // namespace

tw_status matmul(tw_context* context, const tw_matmul_args& a) {
  Check check{context};
  check.that(a.contract <= TW_ROWS, "0 (columns) or 1 (rows)", "contract", a.contract)
      .that(a.activation <= TW_GELU_ERF, "0 to 3", "activation", a.activation);
  const bool columns = a.contract == TW_COLUMNS;
  const uint64_t M = columns ? a.a.rows : a.a.columns, N = columns ? a.b.rows : a.b.columns, depth = columns ? a.a.columns : a.a.rows;
  check.view("a", a.a, {kFloat, kAny, kAny})
      .view("b", a.b, {kFloat, columns ? N : depth, columns ? depth : N})
      .optional("bias", a.bias, {TW_F32, 1, N})
      .view("c", a.c, {TW_F32, M, N});
  if (check.status || !M || !N) return check.status;
  return columns ? over_columns(context, a) : over_rows(context, a);
}

}   // namespace transweld
