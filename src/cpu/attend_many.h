// attend for many rows: up to 256 of one key head stay in place while blocks of keys and values, brought into shape once for all
// of them, pass by. A later block changes the running largest score m: what was summed before is scaled by e^(m_old − m_new),
// then the block's sums are added.
#pragma once
#include "attend_call.h"
#include "attend_keys.h"

namespace transweld::TRANSWELD_ISA { namespace {

constexpr size_t kManyRows = 256;

struct Many { Sequence s; size_t begin, end; };         // rows begin ... end − 1 of a sequence, of any key head

// Memory of one worker, f32. `columns`: the width in whole strips.
struct ManyRoom {
  size_t padded, columns;
  float *keys, *values, *queries, *scores, *out, *most, *total;
  static size_t floats(const Call& c) {
    return kBlock * (c.padded() + strips(c.width) * kStrip) + kRows * (c.padded() + kBlock) + kManyRows * (strips(c.width) * kStrip + 2);
  }
  ManyRoom(float* memory, const Call& c)
      : padded(c.padded()), columns(strips(c.width) * kStrip), keys(memory), values(keys + kBlock * padded), queries(values + kBlock * columns),
        scores(queries + kRows * padded), out(scores + kRows * kBlock), most(out + kManyRows * columns), total(most + kManyRows) {}
};

// out = out·kept + the block's sum, or the sum alone in a row's first block; S registers of width from column k on.
template <int S>
TW_INLINE void add_block(const ManyRoom& room, size_t i, const Span* keys, const bool* first, const float* scale, size_t k) {
  native sum[kRows][S];
  weigh<kRows, S>(room.scores, kBlock, 1, room.values + k * kBlock, kStrip, keys, sum);
  for (int q = 0; q < kRows; q++) {
    if (keys[q].empty()) continue;
    float* to = room.out + (i + q) * room.columns + k;
    for (int s = 0; s < S; s++) {
      store_native(to + s * kWidth, first[q] ? sum[q][s] : fma_native(load_native(to + s * kWidth), splat_native(scale[q]), sum[q][s]));
    }
  }
}

// A tile of rows, from row i of the item on, and one block of keys. Rows beyond the last repeat it, and are thrown away.
TW_INLINE void attend_tile(const Call& c, const Many& m, size_t key_head, size_t i, size_t block, const ManyRoom& room) {
  Span keys[kRows], all{kBlock, 0};
  bool first[kRows];
  float scale[kRows] = {};
  const size_t last = m.end - 1;
  for (size_t q = 0; q < kRows; q++) {
    const size_t r = m.begin + i + q < last ? m.begin + i + q : last;
    const Span seen = c.keys(m.s, r);
    keys[q] = within(seen, block);
    first[q] = seen.begin >= block;
    if (keys[q].empty()) continue;
    if (keys[q].begin < all.begin) all.begin = keys[q].begin;
    if (keys[q].end > all.end) all.end = keys[q].end;
    sixteens(c.width, [&](size_t k, size_t n) { store(room.queries + q * room.padded + k, load_upto(c.query(m.s, key_head, r) + k, n)); });
  }
  if (all.empty()) return;
  dot_keys(room.queries, room.keys, all, room.padded, room.scores);
  for (size_t q = 0; q < kRows; q++) {
    if (keys[q].empty()) continue;
    float *scores = room.scores + q * kBlock, &most = room.most[i + q], &total = room.total[i + q];
    const float here = shape_scores(scores, keys[q], c.a.scale, c.a.cap), next = first[q] ? here : larger(most, here);
    const float sum = soften(scores, keys[q], next);
    scale[q] = first[q] ? 0 : kept(most, next);
    total = first[q] ? sum : fma_one(total, scale[q], sum);
    most = next;
  }
  for (size_t k = 0; k < c.width; k += kStrip) {
    if (k + kWidth < c.width) add_block<2>(room, i, keys, first, scale, k);
    else add_block<1>(room, i, keys, first, scale, k);
  }
}

TW_INLINE void attend_many(const Call& c, const Many& m, size_t key_head, float* memory) {
  const ManyRoom room(memory, c);
  const size_t rows = m.end - m.begin, end = c.keys(m.s, m.end - 1).end;
  for (size_t block = c.keys(m.s, m.begin).begin / kBlock * kBlock; block < end; block += kBlock) {
    const size_t keys = end - block < kBlock ? end - block : kBlock;
    expect_rows(c.value(m.s, key_head, block), c.a.v.stride, keys, c.width);
    turn_keys(c.key(m.s, key_head, block), c.a.k.stride, keys, c.width, room.keys, room.padded);
    pack_strips(c.value(m.s, key_head, block), c.a.v.stride, keys, c.width, room.values);
    for (size_t i = 0; i < rows; i += kRows) attend_tile(c, m, key_head, i, block, room);
  }
  for (size_t i = 0; i < rows; i++) {
    const lanes total = splat(room.total[i]);
    float* to = c.out(m.s, key_head, m.begin + i);
    sixteens(c.width, [&](size_t k, size_t n) { store_upto(to + k, load_upto(room.out + i * room.columns + k, n) / total, n); });
  }
}

} }   // namespace
