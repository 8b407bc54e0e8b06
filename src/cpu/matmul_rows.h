// The product over rows (aᵀ·b): both sides are transposed into scratch, chunk by chunk of 256 rows, as many chunks as the
// scratch may hold; then every chunk is a product over columns, and the chunks are added in order.
#pragma once
#include "matmul_finish.h"
#include "transpose.h"

namespace transweld::TRANSWELD_ISA { namespace {

constexpr size_t kChunk = 256;                                      // rows of one dot: op_table.h
constexpr size_t kChunkStride = kChunk + 16;                        // floats; a power of two would fall on one cache set
constexpr size_t kPackBytes = 32 << 20;

// packed[chunk, column] = kChunk values of that column, from row `begin` on.
static inline void pack(tw_context* context, const tw_view& v, size_t begin, size_t chunks, float* packed) {
  constexpr size_t kWide = 64;
  const size_t across = groups(v.columns, kWide);
  each(context, chunks * across, [&](size_t item, unsigned) {
    const size_t chunk = item / across, column = item % across * kWide, from = begin + chunk * kChunk;
    const size_t rows = least(kChunk, v.rows - from), columns = least(kWide, v.columns - column);
    float* to = packed + (chunk * v.columns + column) * kChunkStride;
    with_float(v, [&](auto* data) { transpose(data + from * v.stride + column, v.stride, rows, columns, to, kChunkStride); });
  });
}

static inline tw_status over_rows(tw_context* context, const tw_matmul_args& a) {
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
  const Cut c = cut(context, M, N, block_rows(kChunk * sizeof(float)), kBlockColumns, kStripColumns);
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

} }   // namespace
