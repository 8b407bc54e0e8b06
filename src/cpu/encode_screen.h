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
  uint32_t* index = nullptr;                   // [chunk][room + 16] ascending
  float* values = nullptr;                     // [chunk][room + 16] upper ends, then pre-activations
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
  const size_t rows = (24u << 20) / ((screen_room(call) + 16) * 8) / kRowBlock * kRowBlock;
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

struct ScreenScratch { int32_t* codes; size_t stride; ScreenRow* rows; float* lower; int32_t* keys; uint32_t *order, *cursors; int64_t* wide; };

TW_INLINE ScreenScratch screen_scratch(Divider& d, const EncodeCall& call) {
  const size_t stride = (call.columns + 15) / 16 * 8 + 8, lows = top_room(call.k, call.features) + 16;
  return {d.take<int32_t>(kRowBlock * stride), stride, d.take<ScreenRow>(kRowBlock), d.take<float>(kRowBlock * lows),
          d.take<int32_t>((screen_room(call) > lows ? screen_room(call) : lows) + 32), d.take<uint32_t>(call.k + 16),
          d.take<uint32_t>(screen_chunk(call)), d.take<int64_t>(call.k + 16)};
}

TW_INLINE ScreenWork screen_work(Divider& d, const EncodeCall& call, size_t rows) {
  ScreenWork work;
  work.room = screen_room(call);
  work.counts = d.take<size_t>(rows);
  work.home = d.take<size_t>(rows);
  work.index = d.take<uint32_t>(rows * (work.room + 16));
  work.values = d.take<float>(rows * (work.room + 16));
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
  const int32_t key = kth_key(keys, row.lows, k, larger), bits = key ^ ((key >> 31) & INT32_MAX);
  memcpy(&row.limit, &bits, sizeof bits);
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

// One row against one group: sums are the tile's.
template <uint32_t kScreen> TW_INLINE void scan_group(const EncodeCall& call, const ScreenWork& work, ScreenRow& row, size_t group,
                                                      const int32_t* sums, const Bounds& bounds, size_t lows, int32_t* keys) {
  const lanes norm = load(bounds.norm), error = load(bounds.error);
  lanes upper = fma(splat(row.b), error, fma(splat(row.a), norm, load(work.high + group * 16)));
  lanes number = splat(0), scale = splat(1);
  if constexpr (kScreen == TW_SCREEN_INT8) {
    number = floats_of(sums);
    scale = splat(row.scale) * load(bounds.scale);
    upper = fma(number, scale, upper);
  } else {
    number = load(reinterpret_cast<const float*>(sums));
    upper = upper + number;
  }
  uint32_t pass = not_below(upper, row.limit);
  if (__builtin_expect(!pass, 1)) return;
  const size_t first = group * 16;
  if (call.features - first < 16) pass &= (1u << (call.features - first)) - 1;
  alignas(64) uint32_t features[16];
  for (uint32_t i = 0; i < 16; i++) features[i] = static_cast<uint32_t>(first) + i;
  append(pass, upper, row.upper + row.count);
  append(pass, features, row.index + row.count);
  row.count += static_cast<uint32_t>(bits_in(pass));
  if (!call.positive) {
    const lanes rest = fma(splat(-row.b), error, fma(splat(-row.a), norm, load(work.low + group * 16)));
    const lanes lower = kScreen == TW_SCREEN_INT8 ? fma(number, scale, rest) : rest + number;
    const uint32_t high = above(lower, row.limit) & pass;
    if (high) {
      append(high, lower, row.lower + row.lows);
      row.lows += static_cast<uint32_t>(bits_in(high));
      if (row.lows > lows) raise(row, call.k, keys);
    }
  }
  if (row.count > work.room) {
    prune(row);
    if (row.count > work.room / 8 * 7) {   // too many: no limit will save this row
      row.lost = true;
      row.count = 0;
      row.limit = __builtin_inff();
    }
  }
}

template <uint32_t kScreen> static void screen_block(const EncodeCall& call, const ScreenWork& work, size_t from, size_t first, size_t count,
                                              const ScreenScratch& s) {
  const size_t lows = top_room(call.k, call.features), words = shadow_words(kScreen, call.columns), groups = (call.features + 15) / 16;
  const size_t padded = (count + kScreenRows - 1) / kScreenRows * kScreenRows;
  for (size_t r = 0; r < count; r++) {
    const Certificate c = certify(kScreen, call.x(from + first + r), call.columns, call.args.certificate_scale, s.codes + r * s.stride);
    const float limit = !c.holds ? __builtin_inff() : call.positive ? 0 : -__builtin_inff();
    const size_t list = (first + r) * (work.room + 16);
    s.rows[r] = {c.scale, c.a, c.b, limit, !c.holds, 0, 0, work.index + list, work.values + list, s.lower + r * (lows + 16)};
  }
  memset(s.codes + count * s.stride, 0, (padded - count) * s.stride * sizeof(int32_t));
  const Bounds* bounds = shadow_bounds(call.args.shadow.data, kScreen, call.features, call.columns);
  alignas(64) int32_t sums[kScreenRows][kScreenGroups * 16];
  const auto pass = [&]<int C>(size_t group) {
    const int8_t* codes = shadow_codes(call.args.shadow.data, kScreen, call.columns, group);
    for (size_t r = 0; r < padded; r += kScreenRows) {
      screen_tile<kScreen, C>(s.codes + r * s.stride, s.stride, codes, words, bounds + group, sums);
      const size_t high = count - r < kScreenRows ? count - r : kScreenRows;
      for (size_t i = 0; i < high; i++)
        for (size_t c = 0; c < C; c++)
          scan_group<kScreen>(call, work, s.rows[r + i], group + c, sums[i] + c * 16, bounds[group + c], lows, s.keys);
    }
  };
  size_t group = 0;
  for (; group + kScreenGroups <= groups; group += kScreenGroups) pass.template operator()<kScreenGroups>(group);
  for (; group < groups; group++) pass.template operator()<1>(group);
  for (size_t r = 0; r < count; r++) {
    ScreenRow& row = s.rows[r];
    if (!call.positive && !row.lost) raise(row, call.k, s.keys);
    if (!row.lost) prune(row);
    work.counts[first + r] = row.lost || row.count < call.k ? kNowhere : row.count;
  }
}

// ---- 2: their pre-activations ------------------------------------------------------------------------------------------

// Dots of one row of x with C rows of the weight, bias added, over the upper ends.
template <int C> TW_INLINE void evaluate_some(const EncodeCall& call, const float* x, const uint32_t* index, float* values) {
  const float* w[C];
  for (int c = 0; c < C; c++) w[c] = call.w(index[c]);
  canonical_tile<1, C>(&x, w, call.columns, values, C);
  if (call.biased()) for (int c = 0; c < C; c++) values[c] += call.b(index[c]);
}

// Features begin ... end of all rows, block by block: a block of the weight is read into the second cache once.
static inline void evaluate(const EncodeCall& call, const ScreenWork& work, size_t from, size_t rows, size_t begin, size_t end, size_t block,
                            uint32_t* cursors) {
  for (size_t r = 0; r < rows; r++) {
    const uint32_t* index = work.index + r * (work.room + 16);
    size_t low = 0, high = work.counts[r] == kNowhere ? 0 : work.counts[r];
    while (low < high) {
      const size_t middle = (low + high) / 2;
      if (index[middle] < begin) low = middle + 1; else high = middle;
    }
    cursors[r] = static_cast<uint32_t>(low);
  }
  for (size_t first = begin; first < end; first += block) {
    const size_t last = first + block < end ? first + block : end;
    for (size_t r = 0; r < rows; r++) {
      if (work.counts[r] == kNowhere) continue;
      const uint32_t* index = work.index + r * (work.room + 16);
      float* values = work.values + r * (work.room + 16);
      const float* x = call.x(from + r);
      size_t at = cursors[r], stop = at;
      while (stop < work.counts[r] && index[stop] < last) stop++;
      for (; at + 4 <= stop; at += 4) evaluate_some<4>(call, x, index + at, values + at);
      if (at + 2 <= stop) { evaluate_some<2>(call, x, index + at, values + at); at += 2; }
      if (at < stop) evaluate_some<1>(call, x, index + at, values + at);
      cursors[r] = static_cast<uint32_t>(stop);
    }
  }
}

// ---- 3: selection ------------------------------------------------------------------------------------------------------

TW_INLINE void select_row(const EncodeCall& call, const ScreenWork& work, size_t from, size_t r, const ScreenScratch& s) {
  if (work.counts[r] == kNowhere) return;
  uint32_t* index = work.index + r * (work.room + 16);
  float* values = work.values + r * (work.room + 16);
  if (!call.positive) {
    keep_best(values, index, work.counts[r], call.k, s.keys);
    write_top(call, from + r, values, index, s.wide, s.order);
    return;
  }
  size_t kept = 0;
  for (size_t i = 0; i < work.counts[r]; i++) {
    const float p = values[i];
    values[kept] = p == p ? p : __builtin_nanf("");
    index[kept] = index[i];
    kept += !(p <= 0);
  }
  work.counts[r] = kept;
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
  for (size_t r = 0; r < count; r++) work.counts[r] = kNowhere;
  bias_ends(call, call.args.certificate_scale, work.high, work.low);
  const size_t rounds = (count + kRowBlock * crew - 1) / (kRowBlock * crew), share = (count + rounds * crew - 1) / (rounds * crew);
  const size_t block = (share + kScreenRows - 1) / kScreenRows * kScreenRows < kRowBlock ? (share + kScreenRows - 1) / kScreenRows * kScreenRows : kRowBlock;
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
    if (work.counts[r] == kNowhere) list[lost++] = static_cast<uint32_t>(from + r);
    else work.evaluated += work.counts[r];
  }
  size_t features = 384 * 1024 / (call.columns * sizeof(float));
  features = features < 16 ? 16 : features;
  const size_t blocks = (call.features + features - 1) / features, ranges = blocks < 4 * crew ? blocks : 4 * crew;
  const size_t range = (blocks + ranges - 1) / ranges * features;
  each(call.context, ranges, [&](size_t item, unsigned worker) {
    const size_t begin = item * range, end = begin + range < call.features ? begin + range : call.features;
    if (begin < end) evaluate(call, work, from, count, begin, end, features, own(worker).cursors);
  });
  each(call.context, (count + 63) / 64, [&](size_t item, unsigned worker) {
    const ScreenScratch s = own(worker);
    for (size_t r = item * 64; r < item * 64 + 64 && r < count; r++) select_row(call, work, from, r, s);
  });
  return lost;
}

// Positives to their places.
static inline void screen_place(const EncodeCall& call, const ScreenWork& work, size_t count) {
  each(call.context, (count + 63) / 64, [&](size_t item, unsigned) {
    for (size_t r = item * 64; r < item * 64 + 64 && r < count; r++) {
      if (work.counts[r] == kNowhere || work.home[r] == kNowhere) continue;
      memcpy(u32(call.args.codes.index) + work.home[r], work.index + r * (work.room + 16), work.counts[r] * sizeof(uint32_t));
      memcpy(f32(call.args.z) + work.home[r], work.values + r * (work.room + 16), work.counts[r] * sizeof(float));
    }
  });
}

#endif

} }   // namespace
