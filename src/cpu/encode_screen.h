// The screened product of sparse_encode: the candidates that a certificate (screening.h) cannot exclude, found in low
// precision, then evaluated again by the canonical dot.
//
//   1  block of rows × all groups of features   intervals, a running limit L a row, candidates appended    screen_block
//   2  all rows of the chunk × block of features   candidates become pre-activations, the weight streams once    evaluate
//   3  row by row   the exact selection among them, in the order of the plain path
//
// A row without a certificate, or with more candidates than its list holds, is handed back for the plain product.
#pragma once
#include "encode_plain.h"
#include "screen_tile.h"
#include "screening.h"

namespace transweld::TRANSWELD_ISA { namespace {

struct ScreenWork {
  size_t *counts = nullptr, *home = nullptr;   // [chunk] candidates of a row, then its positives (kNowhere: handed back); place
  size_t room = 0;                             // of a row's list
  uint32_t* index = nullptr;                   // [chunk][room + kSpill] ascending
  float* values = nullptr;                     // [chunk][room + kSpill] upper ends, then pre-activations
  size_t* fronts = nullptr;                    // [chunk] K, or kNowhere
  uint32_t* front_index = nullptr;             // [chunk][K + 16] the first to be evaluated, ascending
  float* front_values = nullptr;
  float *high = nullptr, *low = nullptr;       // [F] the bias's part of an interval
  uint64_t evaluated = 0;
};

// A twelfth of the features as candidates costs about what the plain product would.
TW_INLINE size_t screen_room(const EncodeCall& call) {
  const size_t room = call.features / 12 + 4 * call.k + 112;
  return room < call.features ? room : call.features;
}
TW_INLINE bool worth_screening(const EncodeCall& call) { return call.features && call.columns && 12 * call.k <= call.features; }

// Rows whose lists exist at a time: about 24 MB of them.
TW_INLINE size_t screen_chunk(const EncodeCall& call) {
  const size_t rows = (24u << 20) / ((screen_room(call) + kSpill) * 8) / kRowBlock * kRowBlock;
  return rows < kRowBlock ? kRowBlock : rows < 4096 ? rows : 4096;
}

#if defined(__AVX2__)

struct ScreenRow {
  float scale, a, b, limit;   // limit: L, or 0 where positives are wanted
  bool lost;
  uint32_t count, lows;
  uint32_t* index;
  float *upper, *lower;       // candidates' upper ends; the largest lower ends so far
};

constexpr size_t kMostStrip = 132;   // groups whose sums are held, a multiple of kScreenGroups

// Lower ends that are kept before the limit is raised to the K-th of them.
TW_INLINE size_t low_room(const EncodeCall& call) { return 2 * call.k + 16; }

struct ScreenScratch { int32_t *codes, *sums; size_t stride; ScreenRow* rows; float *lower, *merged; int32_t* keys;
                       uint32_t *merged_index, *order, *cursors; int64_t* wide; };

TW_INLINE ScreenScratch screen_scratch(Divider& d, const EncodeCall& call) {
  const size_t stride = (call.columns + 15) / 16 * 8 + 8, lows = low_room(call) + kSpill;
  const size_t longest = screen_room(call) + 6 * call.k + 64;   // of any list of one row, hands included
  return {d.take<int32_t>((kRowBlock + kScreenRows) * stride), d.take<int32_t>(kScreenRows * kMostStrip * 16), stride, d.take<ScreenRow>(kRowBlock), d.take<float>(kRowBlock * lows), d.take<float>(longest),
          d.take<int32_t>(longest), d.take<uint32_t>(longest), d.take<uint32_t>(call.k + 16),
          d.take<uint32_t>(screen_chunk(call)), d.take<int64_t>(call.k + 16)};
}

TW_INLINE ScreenWork screen_work(Divider& d, const EncodeCall& call, size_t rows) {
  ScreenWork work;
  work.room = screen_room(call);
  work.counts = d.take<size_t>(rows);
  work.home = d.take<size_t>(rows);
  work.index = d.take<uint32_t>(rows * (work.room + kSpill));
  work.values = d.take<float>(rows * (work.room + kSpill));
  work.fronts = d.take<size_t>(rows);
  work.front_index = d.take<uint32_t>(rows * (call.k + 16));
  work.front_values = d.take<float>(rows * (call.k + 16));
  work.high = d.take<float>((call.features + 15) / 16 * 16);
  work.low = d.take<float>((call.features + 15) / 16 * 16);
  return work;
}

// ---- 1: candidates -----------------------------------------------------------------------------------------------------

// Candidates that a higher limit still admits.
TW_INLINE void prune(ScreenRow& row) {
  size_t kept = 0;
  for (size_t i = 0; i < row.count; i += 16) {
    const uint32_t valid = row.count - i < 16 ? (1u << (row.count - i)) - 1 : 0xffff;
    const lanes v = load(row.upper + i);
    const uint32_t pass = not_below(v, row.limit) & valid;
    append(pass, row.index + i, row.index + kept);   // never ahead of what is read
    append(pass, v, row.upper + kept);
    kept += bits_in(pass);
  }
  row.count = static_cast<uint32_t>(kept);
}

// L = the K-th largest lower end so far; the list keeps K of them.
TW_INLINE void raise(ScreenRow& row, size_t k, int32_t* keys) {
  if (row.lows < k) return;
  rank_keys(row.lower, row.lows, keys);
  size_t larger, kept = 0;
  const int32_t key = kth_key(keys, row.lows, k, larger);
  row.limit = ranked_value(key);
  for (size_t i = 0; i < row.lows; i += 16) {
    const uint32_t valid = row.lows - i < 16 ? (1u << (row.lows - i)) - 1 : 0xffff;
    const lanes v = load(row.lower + i);
    const uint32_t pass = above(v, row.limit) & valid;
    append(pass, v, row.lower + kept);
    kept += bits_in(pass);
  }
  for (; kept < k; kept++) row.lower[kept] = row.limit;
  row.lows = static_cast<uint32_t>(k);
}

// The interval's parts for one group of features: what stands beside the sums of a row.
struct Interval { lanes number, scale, norm, error; };

template <uint32_t kScreen> TW_INLINE Interval interval(const ScreenRow& row, const int32_t* sums, const Bounds& bounds) {
  const bool whole = kScreen == TW_SCREEN_INT8;
  return {whole ? floats_of(sums) : load(reinterpret_cast<const float*>(sums)), whole ? splat(row.scale) * load(bounds.scale) : splat(1),
          load(bounds.norm), load(bounds.error)};
}
// bias ± (A·norm + B·error) + screen, the sign in a and b.
template <uint32_t kScreen> TW_INLINE lanes end_of(const Interval& i, const float* bias, float a, float b) {
  const lanes slack = fma(splat(b), i.error, fma(splat(a), i.norm, load(bias)));
  return kScreen == TW_SCREEN_INT8 ? fma(i.number, i.scale, slack) : slack + i.number;
}

// A first L, so that few candidates have to be pruned later: the lower ends are dealt to at least 4·K hands, and the K-th
// largest of the hands' best is at most the K-th largest of all. Fewer hands than K: none yet.
template <uint32_t kScreen> TW_INLINE void first_limit(const EncodeCall& call, const ScreenWork& work, ScreenRow& row, size_t group, size_t groups,
                                                       const int32_t* sums, const Bounds* bounds, int32_t* keys) {
  const size_t hands = (4 * call.k + 15) / 16 < groups ? (4 * call.k + 15) / 16 : groups;
  if (hands * 16 < call.k || (group + groups) * 16 > call.features) return;
  float best[16];
  for (size_t h = 0; h < hands; h++) {
    lanes most = splat(-__builtin_inff());
    for (size_t g = h; g < groups; g += hands) {
      const lanes lower = end_of<kScreen>(interval<kScreen>(row, sums + g * 16, bounds[g]), work.low + (group + g) * 16, -row.a, -row.b);
      most = max(lower, most);   // `most` where lower is NaN
    }
    store(best, most);
    rank_keys(best, 16, keys + h * 16);
  }
  size_t larger;
  const int32_t key = kth_key(keys, hands * 16, call.k, larger);
  row.limit = ranked_value(key);
}

// A list is full: raise the limit, drop what it no longer admits, and give the row up if that does not help.
static inline __attribute__((noinline)) void settle(const EncodeCall& call, const ScreenWork& work, ScreenRow& row, int32_t* keys) {
  if (!call.positive) raise(row, call.k, keys);
  if (row.count <= work.room / 8 * 7) return;
  prune(row);
  if (row.count <= work.room / 8 * 7) return;
  row.lost = true;
  row.count = 0;
  row.limit = __builtin_inff();
}

// One row against a strip of groups; no branch that the data decides but those of a full list.
template <uint32_t kScreen, bool kPositive> TW_INLINE void scan_strip(const EncodeCall& call, const ScreenWork& work, ScreenRow& row, size_t group,
                                                                      size_t groups, const int32_t* sums, const Bounds* bounds, size_t lows, int32_t* keys) {
  size_t count = row.count, low = row.lows;
  float limit = row.limit;
  uint32_t* const index = row.index;
  float *const upper_list = row.upper, *const lower_list = row.lower;
  const size_t room = work.room, last = call.features % 16 ? call.features / 16 : SIZE_MAX;
  for (size_t g = 0; g < groups; g++) {
    const Interval i = interval<kScreen>(row, sums + g * 16, bounds[g]);
    const lanes upper = end_of<kScreen>(i, work.high + (group + g) * 16, row.a, row.b);
    uint32_t pass = not_below(upper, limit);
    if (__builtin_expect(group + g == last, 0)) pass &= (1u << call.features % 16) - 1;
    append(pass, upper, upper_list + count);
    append_from(pass, static_cast<uint32_t>(group + g) * 16, index + count);
    count += bits_in(pass);
    if constexpr (!kPositive) {
      const lanes lower = end_of<kScreen>(i, work.low + (group + g) * 16, -row.a, -row.b);
      const uint32_t high = above(lower, limit) & pass;
      append(high, lower, lower_list + low);
      low += bits_in(high);
    }
    if (__builtin_expect((count > room) | (low > lows), 0)) {
      row.count = static_cast<uint32_t>(count);
      row.lows = static_cast<uint32_t>(low);
      settle(call, work, row, keys);
      count = row.count;
      low = row.lows;
      limit = row.limit;
    }
  }
  row.count = static_cast<uint32_t>(count);
  row.lows = static_cast<uint32_t>(low);
}

// Groups of features between two looks at a row: their codes stay in the second cache while the rows of the block pass.
TW_INLINE size_t strip_groups(size_t words) {
  const size_t groups = 384 * 1024 / (words * 64) / kScreenGroups * kScreenGroups;
  return groups < kScreenGroups ? kScreenGroups : groups < kMostStrip ? groups : kMostStrip;
}

template <uint32_t kScreen> static void screen_block(const EncodeCall& call, const ScreenWork& work, size_t from, size_t first, size_t count,
                                              const ScreenScratch& s) {
  const size_t lows = low_room(call), words = shadow_words(kScreen, call.columns), groups = (call.features + 15) / 16;
  const size_t padded = (count + kScreenRows - 1) / kScreenRows * kScreenRows, strip = strip_groups(words);
  for (size_t r = 0; r < count; r++) {
    const Certificate c = certify(kScreen, call.x(from + first + r), call.columns, call.args.certificate_scale, s.codes + r * s.stride);
    const float limit = !c.holds ? __builtin_inff() : call.positive ? 0 : -__builtin_inff();
    const size_t list = (first + r) * (work.room + kSpill);
    s.rows[r] = {c.scale, c.a, c.b, limit, !c.holds, 0, 0, work.index + list, work.values + list, s.lower + r * (lows + kSpill)};
  }
  memset(s.codes + count * s.stride, 0, (padded - count) * s.stride * sizeof(int32_t));
  const Bounds* bounds = shadow_bounds(call.args.shadow.data, kScreen, call.features, call.columns);
  for (size_t group = 0; group < groups; group += strip) {
    const size_t wide = groups - group < strip ? groups - group : strip;
    for (size_t r = 0; r < padded; r += kScreenRows) {
      const int32_t* x = s.codes + r * s.stride;
      size_t g = 0;
      for (; g + kScreenGroups <= wide; g += kScreenGroups)
        screen_tile<kScreen, kScreenGroups>(x, s.stride, shadow_codes(call.args.shadow.data, kScreen, call.columns, group + g), words,
                                            bounds + group + g, s.sums + g * 16, kMostStrip * 16);
      for (; g < wide; g++)
        screen_tile<kScreen, 1>(x, s.stride, shadow_codes(call.args.shadow.data, kScreen, call.columns, group + g), words,
                                bounds + group + g, s.sums + g * 16, kMostStrip * 16);
      for (size_t i = 0; i < kScreenRows && r + i < count; i++) {
        ScreenRow& row = s.rows[r + i];
        const int32_t* sums = s.sums + i * kMostStrip * 16;
        if (group == 0 && !call.positive && !row.lost) first_limit<kScreen>(call, work, row, group, wide, sums, bounds + group, s.keys);
        if (call.positive) scan_strip<kScreen, true>(call, work, row, group, wide, sums, bounds + group, lows, s.keys);
        else scan_strip<kScreen, false>(call, work, row, group, wide, sums, bounds + group, lows, s.keys);
      }
    }
  }
  for (size_t r = 0; r < count; r++) {
    ScreenRow& row = s.rows[r];
    if (!call.positive && !row.lost) raise(row, call.k, s.keys);
    if (!row.lost) prune(row);
    work.counts[first + r] = row.lost || row.count < call.k ? kNowhere : row.count;
  }
}

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
