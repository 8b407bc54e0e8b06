// Candidates of the screened product: blocks of rows × all groups of features in low precision, an interval for every
// pre-activation (screening.h), a running limit L for every row, and a list of the features whose upper end reaches it.
#pragma once
#include "screen_tile.h"
#include "screening.h"

namespace transweld::TRANSWELD_ISA { namespace {

struct ScreenWork {
  size_t* counts = nullptr;                    // [chunk] candidates of a row, then its positives; kNowhere: handed back
  size_t* home = nullptr;                      // [chunk] where its positives go
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

struct ScreenScratch {              // of a worker
  int32_t* codes;                   // [rows of a block][stride] words of x
  int32_t* sums;                    // [kScreenRows][kMostStrip · 16]
  size_t stride;
  ScreenRow* rows;
  float *lower, *merged;            // lower ends of a block's rows; one row's list
  int32_t* keys;
  uint32_t *merged_index, *order, *cursors;
  int64_t* wide;
};

TW_INLINE ScreenScratch screen_scratch(Divider& d, const EncodeCall& call) {
  const size_t stride = (call.columns + 15) / 16 * 8 + 8, lows = low_room(call) + kSpill;
  const size_t longest = screen_room(call) + 6 * call.k + 64;   // of any list of one row, hands included
  ScreenScratch s;
  s.stride = stride;
  s.codes = d.take<int32_t>((kRowBlock + kScreenRows) * stride);
  s.sums = d.take<int32_t>(kScreenRows * kMostStrip * 16);
  s.rows = d.take<ScreenRow>(kRowBlock);
  s.lower = d.take<float>(kRowBlock * lows);
  s.merged = d.take<float>(longest);
  s.keys = d.take<int32_t>(longest);
  s.merged_index = d.take<uint32_t>(longest);
  s.order = d.take<uint32_t>(call.k + 16);
  s.cursors = d.take<uint32_t>(screen_chunk(call));
  s.wide = d.take<int64_t>(call.k + 16);
  return s;
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
template <uint32_t kScreen> TW_INLINE void first_limit(const EncodeCall& call, const ScreenWork& work, ScreenRow& row, size_t groups,
                                                       const int32_t* sums, const Bounds* bounds, int32_t* keys) {
  if (groups * 16 > call.features) groups--;   // whole groups only
  const size_t hands = (4 * call.k + 15) / 16 < groups ? (4 * call.k + 15) / 16 : groups;
  if (hands * 16 < call.k) return;
  float best[16];
  for (size_t h = 0; h < hands; h++) {
    lanes most = splat(-__builtin_inff());
    for (size_t g = h; g < groups; g += hands) {
      const lanes lower = end_of<kScreen>(interval<kScreen>(row, sums + g * 16, bounds[g]), work.low + g * 16, -row.a, -row.b);
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

// One row against a strip of groups. Appending is unconditional: candidates are frequent enough that a branch on them, which
// nobody can predict, costs more than two compressing stores.
template <uint32_t kScreen, bool kPositive>
TW_INLINE void scan_strip(const EncodeCall& call, const ScreenWork& work, ScreenRow& row, size_t group, size_t groups, const int32_t* sums,
                          const Bounds* bounds, size_t lows, int32_t* keys) {
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
      const lanes lower = end_of<kScreen>(i, work.low + g * 16, -row.a, -row.b);
      const uint32_t high = above(lower, limit) & pass;
      if (high) {
        append(high, lower, lower_list + low);
        low += bits_in(high);
      }
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

template <uint32_t kScreen>
static void screen_block(const EncodeCall& call, const ScreenWork& work, size_t from, size_t first, size_t count, const ScreenScratch& s) {
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
      const size_t share = (wide * words + padded / kScreenRows - 1) / (padded / kScreenRows);   // of the next strip, 64 bytes each
      const int8_t* next = shadow_codes(call.args.shadow.data, kScreen, call.columns, group + wide) + r / kScreenRows * share * 64;
      for (size_t i = 0; i < share && group + wide < groups; i++) __builtin_prefetch(next + i * 64, 0, 2);
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
        if (group == 0 && !call.positive && !row.lost) first_limit<kScreen>(call, work, row, wide, sums, bounds, s.keys);
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

#endif

} }   // namespace
