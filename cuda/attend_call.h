// What attend is called with, where its sequences and blocks lie, and the softmax that is carried along.
#pragma once
#include "attend_scores.h"
#include "device/fault.h"
#include "ops.h"

namespace transweld {
namespace {

constexpr uint32_t kChunk = 256;                              // keys: part of the result's bits

struct Attention {
  ScoreRule rule;
  const float *q, *k, *v;
  float* out;
  const uint32_t *starts, *key_starts, *key_counts;
  uint64_t rows, key_rows, sequences, slots;                  // N, M, B; tiles of rows of all sequences, at most
  uint64_t v_stride, out_stride;
  uint32_t heads, key_heads, tile_rows;
  uint32_t chunks;                                            // that go to blocks of their own; 0: none
  float *apart, *apart_most, *apart_total;                    // [chunks, N, H·W], [chunks, N, H] of these
};

struct Sequence {
  uint64_t begin, queries, key_begin, keys;
  bool sound;
};

// What the numbers of sequence b say; sound where nothing outside the views follows from them.
__device__ inline Sequence sequence_at(const Attention& a, uint64_t b) {
  const uint64_t begin = a.starts[b], end = a.starts[b + 1];
  Sequence s{begin, end - begin, begin, end - begin, begin <= end && end <= a.rows};
  if (!a.key_starts) return s;
  s.key_begin = a.key_starts[b];
  s.keys = a.key_counts[b];
  s.sound = s.sound && s.keys >= s.queries && s.key_begin + s.keys <= a.key_rows;
  return s;
}

__device__ inline void check_sequences(const Attention& a, const Report& report) {
  if (threadIdx.x == 0 && a.starts[0] != 0) report(kFaultSequence, a.starts[0]);
  if (threadIdx.x == 0 && a.starts[a.sequences] != a.rows) report(kFaultSequence, a.starts[a.sequences]);
  for (uint64_t b = threadIdx.x; b < a.sequences; b += blockDim.x) {
    const uint64_t begin = a.starts[b], end = a.starts[b + 1];
    if (begin > end) report(kFaultSequence, end);
    if (!a.key_starts) continue;
    const uint64_t keys = a.key_counts[b], key_end = a.key_starts[b] + keys;
    if (begin <= end && keys < end - begin) report(kFaultKeyCounts, keys);
    if (key_end > a.key_rows) report(kFaultKeys, key_end);
  }
}

// The last b with first(b) <= item, where first(0) <= item and first ascends; some b where it does not.
template <class First> __device__ uint64_t sequence_of(uint64_t sequences, uint64_t item, const First& first) {
  uint64_t low = 0, high = sequences;
  while (high - low > 1) {
    const uint64_t middle = (low + high) / 2;
    (first(middle) <= item ? low : high) = middle;
  }
  return low;
}

// Largest score, sum of powers about it, and with them the factors that bring two results together.
struct Softmax {
  float most = -float_of(0x7f800000u), total = 0;

  static __device__ float base(float most) { return most == -float_of(0x7f800000u) ? 0 : most; }   // of powers: nothing seen, or all −∞
  // What the sums so far and those that join are multiplied by.
  __device__ Vec<float, 2> join(const Softmax& other) {
    const float next = max_second(other.most, most);
    const Vec<float, 2> factor{exp_of(most - base(next)), exp_of(other.most - base(next))};
    total = fmaf(total, factor.at[0], other.total * factor.at[1]);
    most = next;
    return factor;
  }
};
__device__ inline float joined(float sum, float other, const Vec<float, 2>& factor) { return fmaf(sum, factor.at[0], other * factor.at[1]); }
__device__ inline float quotient(float sum, float total) { return sum / total + 0.0f; }   // no −0, which a factor may leave or not

// Columns that registers have no room for go to blocks of their own, which make the scores again.
template <int Slices, bool Held> __host__ __device__ unsigned strips_of(uint32_t width) { return Held ? 1 : (slices_of(width) + Slices - 1) / Slices; }

// What a block works on: tile of rows, of one key head; its columns from `strip` on. In shared memory, that it takes no registers.
struct Work {
  Sequence sequence;
  RowTile rows;
  Operand keys, values;                                       // values: columns of v as rows
  uint32_t end, begin_tile, end_tile;                         // keys that are seen; their tiles that are this block's
  uint32_t head, strip, columns;
};

// Item → what there is to do; no tiles: nothing.
template <int R, int Slices, bool Held, bool Apart> __device__ Work work_of(const Attention& a, uint64_t item) {
  const uint64_t group = a.rule.group, width = a.rule.width;
  const auto first_slot = [&](uint64_t b) { return a.starts[b] * group / (16 * R) + b; };   // room for every tile of a sequence
  const unsigned strips = strips_of<Slices, Held>(a.rule.width);
  Work w{};
  w.strip = static_cast<unsigned>(item % strips) * kTile * Slices;
  w.columns = a.rule.width - w.strip < kTile * Slices ? a.rule.width - w.strip : kTile * Slices;
  w.head = static_cast<uint32_t>(item / strips % a.key_heads);
  const uint64_t slot = a.slots - 1 - item / strips / a.key_heads;                          // later rows have more keys
  const uint64_t b = sequence_of(a.sequences, slot, first_slot), first = first_slot(b);
  const Sequence s = w.sequence = sequence_at(a, b);
  if (!s.sound || slot < first || (slot - first) * 16 * R >= s.queries * group) return w;
  w.rows = {a.q + s.begin * a.rule.q_stride + w.head * group * width, a.k + s.key_begin * a.rule.k_stride + w.head * width,
            (slot - first) * 16 * R, s.queries * group, static_cast<uint32_t>(s.keys - s.queries)};
  const Sight sight = sight_of(a.rule, w.rows, 16 * R);
  w.end = sight.end;
  w.begin_tile = sight.begin_tile;
  w.end_tile = sight.end_tile;
  if (Apart) {
    const uint32_t begin = blockIdx.y * (kChunk / kTile), end = begin + kChunk / kTile;
    w.begin_tile = w.begin_tile > begin ? w.begin_tile : begin;
    w.end_tile = w.end_tile < end ? w.end_tile : end;
  }
  w.keys = {w.rows.k, w.end, a.rule.k_stride, 1, TW_F32, a.rule.k_wide};
  w.values = {a.v + s.key_begin * a.v_stride + w.head * width + w.strip, w.columns, 1, a.v_stride, TW_F32, false};
  return w;
}

}   // namespace
}   // namespace transweld
