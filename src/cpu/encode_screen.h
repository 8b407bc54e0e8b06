// The screened product of sparse_encode: the candidates that a certificate cannot exclude, found in low precision, then
// evaluated by the canonical dot.
//
//   1  block of rows × all groups of features      candidates (candidates.h)
//   2  all rows of the chunk × block of features    candidates become pre-activations: the weight streams from memory, once
//      for the K of a row that look best, and once for what their K-th value still admits
//   3  row by row                                   the exact selection among them, in the order of the plain path
//
// A row without a certificate, or with more candidates than its list holds, is handed back for the plain product.
#pragma once
#include "candidates.h"
#include "encode_plain.h"

namespace transweld::TRANSWELD_ISA { namespace {

#if defined(__AVX2__)

// ---- 2: their pre-activations ------------------------------------------------------------------------------------------

// Candidates of a chunk's rows, row by row `stride` apart, features ascending; counts[r] of them, none where kNowhere.
struct Lists { const size_t* counts; uint32_t* index; float* values; size_t stride; };

// Dots of one row of x with C rows of the weight, bias added, over the upper ends.
template <int C> TW_INLINE void evaluate_some(const EncodeCall& call, const float* x, const uint32_t* index, float* values) {
  const float* w[C];
  for (int c = 0; c < C; c++) w[c] = call.w(index[c]);
  canonical_tile<1, C>(&x, w, call.columns, values, C);
  if (call.biased()) for (int c = 0; c < C; c++) values[c] += call.b(index[c]);
}

TW_INLINE void evaluate_row(const EncodeCall& call, const float* x, const uint32_t* index, float* values, size_t count) {
  size_t at = 0;
  for (; at + 4 <= count; at += 4) evaluate_some<4>(call, x, index + at, values + at);
  if (at + 2 <= count) { evaluate_some<2>(call, x, index + at, values + at); at += 2; }
  if (at < count) evaluate_some<1>(call, x, index + at, values + at);
}

// Features begin ... end of all rows, block by block: a block of the weight is read into the second cache once.
static inline void evaluate(const EncodeCall& call, const Lists& lists, size_t from, size_t rows, size_t begin, size_t end, size_t block,
                            uint32_t* cursors) {
  for (size_t r = 0; r < rows; r++) {
    const uint32_t* index = lists.index + r * lists.stride;
    size_t low = 0, high = lists.counts[r] == kNowhere ? 0 : lists.counts[r];
    while (low < high) {
      const size_t middle = (low + high) / 2;
      if (index[middle] < begin) low = middle + 1; else high = middle;
    }
    cursors[r] = static_cast<uint32_t>(low);
  }
  const size_t lines = (call.columns + 15) / 16, share = (block * lines + rows - 1) / rows;
  for (size_t first = begin; first < end; first += block) {
    const size_t last = first + block < end ? first + block : end;
    size_t ahead = last, line = 0;
    for (size_t r = 0; r < rows; r++) {
      for (size_t i = 0; i < share && ahead < end && ahead < last + block; i++) {   // the next block, a little at every row
        __builtin_prefetch(call.w(ahead) + line * 16, 0, 2);
        if (++line == lines) { line = 0; ahead++; }
      }
      if (lists.counts[r] == kNowhere) continue;
      const uint32_t* index = lists.index + r * lists.stride;
      float* values = lists.values + r * lists.stride;
      const float* x = call.x(from + r);
      const size_t at = cursors[r];
      size_t stop = at;
      while (stop < lists.counts[r] && index[stop] < last) stop++;
      evaluate_row(call, x, index + at, values + at, stop - at);
      cursors[r] = static_cast<uint32_t>(stop);
    }
  }
}

// All features, in ranges that the threads share: own(worker) is a worker's scratch.
template <class Own> TW_INLINE void evaluate_all(const EncodeCall& call, const Lists& lists, size_t from, size_t rows, const Own& own) {
  const size_t crew = threads(call.context), fit = 256 * 1024 / (call.columns * sizeof(float)), block = fit < 16 ? 16 : fit;
  const size_t blocks = (call.features + block - 1) / block, range = (blocks + 4 * crew - 1) / (4 * crew) * block;
  each(call.context, (call.features + range - 1) / range, [&](size_t item, unsigned worker) {
    const size_t begin = item * range, end = begin + range < call.features ? begin + range : call.features;
    evaluate(call, lists, from, rows, begin, end, block, own(worker).cursors);
  });
}

// Moves the K candidates with the largest upper ends to the row's front list. They are evaluated first: the smallest of
// them is a better limit than any lower end, and most of the others need no evaluation then.
TW_INLINE void split_front(const ScreenWork& work, size_t r, size_t k, int32_t* keys) {
  uint32_t *index = work.index + r * (work.room + kSpill), *front_index = work.front_index + r * (k + 16);
  float *values = work.values + r * (work.room + kSpill), *front_values = work.front_values + r * (k + 16);
  rank_keys(values, work.counts[r], keys);
  size_t larger, kept = 0, moved = 0;
  const int32_t last = kth_key(keys, work.counts[r], k, larger);
  size_t ties = k - larger;
  for (size_t i = 0; i < work.counts[r]; i += 16) {
    const uint32_t valid = work.counts[r] - i < 16 ? (1u << (work.counts[r] - i)) - 1 : 0xffff;
    const uint32_t best = best_lanes(keys + i, last, ties), rest = valid & ~best;
    const lanes v = load(values + i);
    append(best, v, front_values + moved);
    append(best, index + i, front_index + moved);
    append(rest, v, values + kept);   // never ahead of what is read
    append(rest, index + i, index + kept);
    moved += bits_in(best);
    kept += bits_in(rest);
  }
  work.counts[r] = kept;
}

// Drops what the evaluated front excludes.
TW_INLINE void prune_rest(const ScreenWork& work, size_t r, size_t k) {
  int32_t least = INT32_MAX;
  for (size_t i = 0; i < k; i++) {
    const int32_t key = rank_key(work.front_values[r * (k + 16) + i]);
    least = key < least ? key : least;
  }
  ScreenRow row{};
  row.limit = least == INT32_MAX ? __builtin_inff() : ranked_value(least);   // all NaN: only what may be NaN stays
  row.count = static_cast<uint32_t>(work.counts[r]);
  row.index = work.index + r * (work.room + kSpill);
  row.upper = work.values + r * (work.room + kSpill);
  prune(row);
  work.counts[r] = row.count;
}

// ---- 3: selection ------------------------------------------------------------------------------------------------------

// The K best of the front and the rest, merged: their features ascending.
TW_INLINE void select_top(const EncodeCall& call, const ScreenWork& work, size_t from, size_t r, const ScreenScratch& s) {
  const size_t k = call.k, rest = work.counts[r];
  const uint32_t *front_index = work.front_index + r * (k + 16), *index = work.index + r * (work.room + kSpill);
  const float *front_values = work.front_values + r * (k + 16), *values = work.values + r * (work.room + kSpill);
  for (size_t i = 0, f = 0, at = 0; at < k + rest; at++) {
    const bool front = f < k && (i == rest || front_index[f] < index[i]);
    s.merged_index[at] = front ? front_index[f] : index[i];
    s.merged[at] = front ? front_values[f] : values[i];
    f += front;
    i += !front;
  }
  keep_best(s.merged, s.merged_index, k + rest, k, s.keys);
  write_top(call, from + r, s.merged, s.merged_index, s.wide, s.order);
}

TW_INLINE void select_positive(const ScreenWork& work, size_t r) {
  uint32_t* index = work.index + r * (work.room + kSpill);
  float* values = work.values + r * (work.room + kSpill);
  size_t kept = 0;
  for (size_t i = 0; i < work.counts[r]; i++) {
    const float p = values[i];
    values[kept] = p == p ? p : __builtin_nanf("");
    index[kept] = index[i];
    kept += !(p <= 0);
  }
  work.counts[r] = kept;
}

constexpr size_t kSmallWeight = 4u << 20;   // such a weight stays in cache: no blocks of it, a row is finished at once

TW_INLINE void finish_row(const EncodeCall& call, const ScreenWork& work, size_t from, size_t r, const ScreenScratch& s) {
  uint32_t* index = work.index + r * (work.room + kSpill);
  float* values = work.values + r * (work.room + kSpill);
  evaluate_row(call, call.x(from + r), index, values, work.counts[r]);
  if (call.positive) return select_positive(work, r);
  keep_best(values, index, work.counts[r], call.k, s.keys);
  write_top(call, from + r, values, index, s.wide, s.order);
}

// Rows from ... from + count − 1. Writes the codes of a TOPK, or leaves the positives in `work`; the rows handed back go
// to `list`, ascending. Returns how many those are.
static inline size_t screen_chunk_rows(const EncodeCall& call, ScreenWork& work, size_t from, size_t count, uintptr_t workers,
                                       size_t worker_bytes, uint32_t* list) {
  const unsigned crew = threads(call.context);
  const auto own = [&](unsigned worker) {
    Divider d{workers + worker * worker_bytes};
    return screen_scratch(d, call);
  };
  const auto each_row = [&](const auto& body) {
    each(call.context, (count + 63) / 64, [&](size_t item, unsigned worker) {
      const ScreenScratch s = own(worker);
      for (size_t r = item * 64; r < item * 64 + 64 && r < count; r++) if (work.counts[r] != kNowhere) body(r, s);
    });
  };
  for (size_t r = 0; r < count; r++) work.counts[r] = kNowhere;
  bias_ends(call, call.args.certificate_scale, work.high, work.low);
  const size_t rounds = (count + kRowBlock * crew - 1) / (kRowBlock * crew), share = (count + rounds * crew - 1) / (rounds * crew);
  const size_t whole = (share + kScreenRows - 1) / kScreenRows * kScreenRows, block = whole < kRowBlock ? whole : kRowBlock;
  each(call.context, (count + block - 1) / block, [&](size_t item, unsigned worker) {
    const size_t first = item * block, rows = count - first < block ? count - first : block;
    if (call.args.screen == TW_SCREEN_INT8) return screen_block<TW_SCREEN_INT8>(call, work, from, first, rows, own(worker));
#if defined(__AVX512BF16__)
    screen_block<TW_SCREEN_BF16>(call, work, from, first, rows, own(worker));
#endif
  });

  size_t lost = 0;
  work.evaluated = 0;
  for (size_t r = 0; r < count; r++) {
    work.fronts[r] = work.counts[r] == kNowhere ? kNowhere : call.k;
    if (work.counts[r] == kNowhere) list[lost++] = static_cast<uint32_t>(from + r);
  }
  if (call.features * call.columns * sizeof(float) <= kSmallWeight) {
    for (size_t r = 0; r < count; r++) if (work.counts[r] != kNowhere) work.evaluated += work.counts[r];
    each_row([&](size_t r, const ScreenScratch& s) { finish_row(call, work, from, r, s); });
    return lost;
  }
  if (!call.positive) {
    each_row([&](size_t r, const ScreenScratch& s) { split_front(work, r, call.k, s.keys); });
    evaluate_all(call, {work.fronts, work.front_index, work.front_values, call.k + 16}, from, count, own);
    each_row([&](size_t r, const ScreenScratch&) { prune_rest(work, r, call.k); });
  }
  for (size_t r = 0; r < count; r++) if (work.counts[r] != kNowhere) work.evaluated += call.k + work.counts[r];
  evaluate_all(call, {work.counts, work.index, work.values, work.room + kSpill}, from, count, own);
  each_row([&](size_t r, const ScreenScratch& s) {
    if (call.positive) select_positive(work, r); else select_top(call, work, from, r, s);
  });
  return lost;
}

// Positives to their places.
static inline void screen_place(const EncodeCall& call, const ScreenWork& work, size_t count) {
  each(call.context, (count + 63) / 64, [&](size_t item, unsigned) {
    for (size_t r = item * 64; r < item * 64 + 64 && r < count; r++) {
      if (work.counts[r] == kNowhere || work.home[r] == kNowhere) continue;
      memcpy(u32(call.args.codes.index) + work.home[r], work.index + r * (work.room + kSpill), work.counts[r] * sizeof(uint32_t));
      memcpy(f32(call.args.z) + work.home[r], work.values + r * (work.room + kSpill), work.counts[r] * sizeof(float));
    }
  });
}

#endif

} }   // namespace
