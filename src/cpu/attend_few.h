// attend for few rows, as when one token is generated: keys and values are read once, where they lie, and every block of keys is
// an item of its own, so that one sequence keeps all threads busy. The bits are those of the running sums in attend_many.h:
//
//   1  scores of a block, and their largest
//   2  e^(score − the largest so far), which is known now, and the block's sums
//   3  the blocks' sums are added in order
#pragma once
#include "attend_call.h"
#include "tile.h"

namespace transweld::TRANSWELD_ISA { namespace {

constexpr size_t kFewRows = 32;                         // of the time of attend_many.h on 2048 keys: 0.7 for 12 rows, 0.9 for 32
constexpr size_t kFewAtOnce = 24;                       // keys between two calls for memory

struct Piece { Sequence s; size_t block, index; float* memory; };   // one block of keys of a sequence, all key heads; its index there

// What is kept of a piece and a key head, f32.
struct FewRoom {
  float *scores, *sums, *most, *total;
  static size_t floats(const Call& c, size_t rows) { return rows * (kBlock + c.padded() + 2); }
  FewRoom(const Call& c, const Piece& p, size_t key_head) {
    const size_t rows = p.s.queries * c.group;
    scores = p.memory + key_head * floats(c, rows);
    sums = scores + rows * kBlock;
    most = sums + rows * c.padded();
    total = most + rows;
  }
};

// Of a worker: queries, and values whose width is no whole number of registers.
TW_INLINE size_t few_floats(const Call& c) { return kFewRows * c.width + kBlock * c.padded(); }

// dots[r, j] = dot(query r, key j). One query has a tile of its own: its fold is as long as its sums.
TW_INLINE void few_dots(const float* queries, size_t rows, const float* keys, size_t stride, size_t count, size_t width, float* dots) {
  size_t j = 0;
  for (; rows == 1 && j + 4 <= count; j += 4) {
    const float* const four[4] = {keys + j * stride, keys + (j + 1) * stride, keys + (j + 2) * stride, keys + (j + 3) * stride};
    canonical_tile<1, 4>(&queries, four, width, dots + j, kBlock);
  }
  if (j < count) canonical_block(queries, width, rows, keys + j * stride, stride, count - j, width, dots + j, kBlock);
}

TW_INLINE void few_scores(const Call& c, const Piece& p, size_t key_head, float* queries) {
  const FewRoom room(c, p, key_head);
  const size_t rows = p.s.queries * c.group;
  Span all{kBlock, 0};
  for (size_t r = 0; r < rows; r++) {
    const Span keys = within(c.keys(p.s, r), p.block);
    if (!keys.empty() && keys.begin < all.begin) all.begin = keys.begin;
    if (keys.end > all.end) all.end = keys.end;
    memcpy(queries + r * c.width, c.query(p.s, key_head, r), c.width * sizeof(float));
  }
  for (size_t j = all.begin; j < all.end; j += kFewAtOnce) {
    const size_t count = all.end - j < kFewAtOnce ? all.end - j : kFewAtOnce, ahead = j + count;
    const size_t next = all.end - ahead < kFewAtOnce ? all.end - ahead : kFewAtOnce;
    expect_rows(c.key(p.s, key_head, p.block + ahead), c.a.k.stride, next, c.width);
    few_dots(queries, rows, c.key(p.s, key_head, p.block + j), c.a.k.stride, count, c.width, room.scores + j);
  }
  for (size_t r = 0; r < rows; r++) {
    const Span keys = within(c.keys(p.s, r), p.block);
    if (!keys.empty()) room.most[r] = shape_scores(room.scores + r * kBlock, keys, c.a.scale, c.a.cap);
  }
}

// Q rows from row r on, S registers of width.
template <int Q, int S>
TW_INLINE void few_weigh(const FewRoom& room, size_t r, size_t rows, const Span* keys, const float* values, size_t stride,
                         size_t padded, size_t k) {
  native sum[Q][S];
  weigh<Q, S>(room.scores + r * kBlock, kBlock, 1, values + k, stride, keys, sum);
  for (size_t q = 0; q < Q && r + q < rows; q++) {
    for (int s = 0; s < S; s++) store_native(room.sums + (r + q) * padded + k + s * kWidth, sum[q][s]);
  }
}

template <int Q>
TW_INLINE void few_tile(const Call& c, const FewRoom& room, size_t r, size_t rows, const Span* keys, const float* values, size_t stride) {
  constexpr int S = kWidth == 16 || Q == 1 ? 4 : 2;     // sixteen of 32 registers, four or eight of 16
  size_t k = 0;
  for (; k + S * kWidth <= c.width; k += S * kWidth) few_weigh<Q, S>(room, r, rows, keys, values, stride, c.padded(), k);
  for (; k < c.width; k += kWidth) few_weigh<Q, 1>(room, r, rows, keys, values, stride, c.padded(), k);
}

// `piece` lies in a list where the earlier blocks of its sequence stand before it.
TW_INLINE void few_sums(const Call& c, const Piece* piece, size_t key_head, float* copies) {
  const Piece& p = *piece;
  const FewRoom room(c, p, key_head);
  const size_t rows = p.s.queries * c.group, count = p.s.keys - p.block < kBlock ? p.s.keys - p.block : kBlock;
  Span keys[kFewRows];
  for (size_t r = 0; r < rows; r++) {
    keys[r] = within(c.keys(p.s, r), p.block);
    if (keys[r].empty()) continue;
    float most = room.most[r];
    for (const Piece* q = piece - p.index; q < piece; q++) {
      if (!within(c.keys(p.s, r), q->block).empty()) most = larger(most, FewRoom(c, *q, key_head).most[r]);
    }
    room.total[r] = soften(room.scores + r * kBlock, keys[r], most);
  }
  const float* values = c.value(p.s, key_head, p.block);
  size_t stride = c.a.v.stride;
  if (c.width % kWidth) {
    for (size_t j = 0; j < count; j++) {
      float* to = copies + j * c.padded();
      sixteens(c.width, [&](size_t k, size_t n) { store(to + k, load_upto(values + j * stride + k, n)); });
    }
    values = copies;
    stride = c.padded();
  }
  if (rows == 1) few_tile<1>(c, room, 0, rows, keys, values, stride);
  else {
    for (size_t r = rows; r < (rows + 3) / 4 * 4; r++) keys[r] = keys[rows - 1];
    for (size_t r = 0; r < rows; r += 4) few_tile<4>(c, room, r, rows, keys + r, values, stride);
  }
}

// `pieces` of one sequence, in order.
TW_INLINE void few_finish(const Call& c, const Piece* pieces, size_t count, size_t key_head) {
  const Sequence& s = pieces->s;
  for (size_t r = 0; r < s.queries * c.group; r++) {
    float* out = c.out(s, key_head, r);
    float most = 0, total = 0;
    float* sums = nullptr;
    for (size_t i = 0; i < count; i++) {
      if (within(c.keys(s, r), pieces[i].block).empty()) continue;
      const FewRoom room(c, pieces[i], key_head);
      float* here = room.sums + r * c.padded();
      if (!sums) {
        sums = here, most = room.most[r], total = room.total[r];
        continue;
      }
      const float next = larger(most, room.most[r]), scale = kept(most, next);
      sixteens(c.width, [&](size_t k, size_t n) { store_upto(sums + k, fma(load_upto(sums + k, n), splat(scale), load_upto(here + k, n)), n); });
      total = fma_one(total, scale, room.total[r]);
      most = next;
    }
    sixteens(c.width, [&](size_t k, size_t n) { store_upto(out + k, load_upto(sums + k, n) / splat(total), n); });
  }
}

} }   // namespace
