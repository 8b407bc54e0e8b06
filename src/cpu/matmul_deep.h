// A block of outputs whose contraction is longer than the first cache: the rows of a tile go through in pieces of about 3 KB, and what
// stands in a tile's accumulators waits in scratch meanwhile. A sum is carried on where it stopped, so its order does not change.
//
//   for pieces of k      all rows' pieces stay in the second cache
//     for C rows of b    their pieces stay in the first one; the next rows' lines are asked for, a little at every tile
//       for R rows of a
#pragma once
#include "matmul_finish.h"
#include "matmul_stream.h"

namespace transweld::TRANSWELD_ISA { namespace {

constexpr size_t kPieceBytes = 3 << 10;        // of a row: ten rows of a tile are 30 of 32 or 48 KB
constexpr size_t kWaiting = kStripRows * kStripColumns * 16;   // floats that the accumulators of a strip take

struct Begins { static constexpr bool value = false; };
struct GoesOn { static constexpr bool value = true; };

// Columns of a piece: all of them where they are few, else parts of equal length; at least one, for a sum of nothing.
template <class T> TW_INLINE size_t piece_of(size_t depth) {
  constexpr size_t kMost = kPieceBytes / sizeof(T);
  return !depth ? 1 : depth <= kMost * 3 / 2 ? depth : groups(groups(depth, groups(depth, kMost)), 32) * 32;
}

// out[r·stride + c] = the sums of row r of a and row c of b; sums(on, left, right, count, acc) adds `count` columns to a tile.
template <int R, int C, class T, class Sums>
TW_INLINE void deep_block(const T* a, size_t a_stride, size_t rows, const T* b, size_t b_stride, size_t columns, size_t depth, float* waiting,
                          float* out, size_t stride, const Sums& sums) {
  constexpr size_t kLine = 64 / sizeof(T);
  const size_t piece = piece_of<T>(depth), tiles = groups(rows, R);
  for (size_t k = 0; k < depth || k == 0; k += piece) {
    const size_t count = least(piece, depth - k), lines = groups(count, kLine), share = groups(C * lines, tiles);
    const bool first = k == 0, last = k + piece >= depth;
    float* state = waiting;
    for (size_t c = 0; c < columns; c += C) {
      const T* right[C];
      for (size_t i = 0; i < C; i++) right[i] = b + least(c + i, columns - 1) * b_stride + k;
      size_t ahead = c + C, line = 0;
      for (size_t r = 0; r < rows; r += R, state += R * C * 16) {
        for (size_t i = 0; i < share; i++) {
          __builtin_prefetch(b + ahead * b_stride + k + line * kLine, 0, 2);
          if (++line == lines) { line = 0; ahead++; }
        }
        const T* left[R];
        for (size_t i = 0; i < R; i++) left[i] = a + least(r + i, rows - 1) * a_stride + k;
        lanes acc[R][C];
        if (first) {
          sums(Begins{}, left, right, count, acc);
        } else {
          for (int i = 0; i < R; i++) for (int j = 0; j < C; j++) acc[i][j] = load(state + (i * C + j) * 16);
          sums(GoesOn{}, left, right, count, acc);
        }
        if (last) {
          float* to = out + r * stride + c;
          if (rows - r >= R && columns - c >= C) fold_tile<R, C>(acc, to, stride);
          else fold_upto<R, C>(acc, rows - r, columns - c, to, stride);
        } else {
          for (int i = 0; i < R; i++) for (int j = 0; j < C; j++) store(state + (i * C + j) * 16, acc[i][j]);
        }
      }
    }
  }
}

} }   // namespace
