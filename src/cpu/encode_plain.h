// The plain product of sparse_encode: every pre-activation by the canonical dot, selected panel by panel.
//
//   item      a block of rows; its x stays in the second cache while the weight streams past once
//   panel     [rows of the item, 96] pre-activations, computed, scanned, and overwritten by the next
//
// Rows come as a list, because the screened path sends its exceptions here: one product for all of them.
#pragma once
#include "encode_call.h"
#include "tile.h"

namespace transweld::TRANSWELD_ISA { namespace {

// Length at which a list of the best K is cut: long enough that cuts are rare, short enough to stay in cache.
TW_INLINE size_t top_room(size_t k, size_t features) {
  const size_t room = (k <= 64 ? 4 * k : 2 * k + 128) + 16;
  return room < features + 16 ? room : features + 16;
}

// Rows of an item, at most: what the second cache holds, and 4 MB of lists where K is large.
TW_INLINE size_t plain_most(const EncodeCall& call) {
  const size_t x = 512 * 1024 / (call.columns * sizeof(float) + 1), lists = (4u << 20) / (top_room(call.k, call.features) * 8);
  const size_t most = x < 64 ? 64 : x > kRowBlock ? kRowBlock : x / kTileRows * kTileRows;
  return most < lists ? most : lists < 8 ? 8 : lists;
}
// Rows of an item, for a number of items that the threads share evenly.
TW_INLINE size_t plain_block(const EncodeCall& call, size_t rows) {
  const size_t crew = threads(call.context), most = plain_most(call);
  const size_t rounds = rows ? (rows + most * crew - 1) / (most * crew) : 1;
  const size_t share = (rows + rounds * crew - 1) / (rounds * crew);
  const size_t block = (share + kTileRows - 1) / kTileRows * kTileRows;
  return block < kTileRows ? kTileRows : block < most ? block : most;
}
TW_INLINE size_t plain_items(size_t rows, size_t block) { return (rows + block - 1) / block; }

// One of `parts` shares of what comes next, spread over the work on what is here: rows j ... j + count − 1 of the weight.
TW_INLINE void prefetch_share(const EncodeCall& call, size_t j, size_t count, size_t part, size_t parts) {
  const size_t from = call.columns * part / parts, to = call.columns * (part + 1) / parts;
  for (size_t i = j; i < j + count && i < call.features; i++)
    for (size_t k = from; k < to; k += 16) __builtin_prefetch(call.w(i) + k, 0, 2);
}

// scan(r, first, width, p): p[0 ... width) are the pre-activations, bias and all, of row list[r] and places first, first + 1, ...
template <class Scan> TW_INLINE void each_panel(const EncodeCall& call, const uint32_t* list, size_t rows, float* panel, const Scan& scan) {
  const float* px[kRowBlock];
  const float* pw[kPanel];
  float bias[kPanel];
  for (size_t r = 0; r < rows; r++) px[r] = call.x(list[r]);
  for (size_t first = 0; first < call.features; first += kPanel) {
    const size_t width = call.features - first < kPanel ? call.features - first : kPanel;
    for (size_t j = 0; j < width; j++) pw[j] = call.w(first + j);
    for (size_t c = 0; c < width; c += kTileColumns) {
      const size_t wide = width - c < kTileColumns ? width - c : kTileColumns;
      for (size_t r = 0; r < rows; r += kTileRows) {
        const size_t high = rows - r < kTileRows ? rows - r : kTileRows;
        float* to = panel + r * kPanel + c;
        prefetch_share(call, first + c + kTileColumns, kTileColumns, r / kTileRows, (rows + kTileRows - 1) / kTileRows);
        if (high == kTileRows && wide == kTileColumns) canonical_tile<kTileRows, kTileColumns>(px + r, pw + c, call.columns, to, kPanel);
        else canonical_rim(px + r, high, pw + c, wide, call.columns, to, kPanel);
      }
    }
    if (call.biased()) {
      for (size_t j = 0; j < width; j++) bias[j] = call.b(first + j);
      for (size_t r = 0; r < rows; r++) for (size_t j = 0; j < width; j++) panel[r * kPanel + j] += bias[j];
    }
    for (size_t r = 0; r < rows; r++) scan(r, first, width, panel + r * kPanel);
  }
}

// ---- TOPK --------------------------------------------------------------------------------------------------------------

struct TopScratch { float *panel, *values; uint32_t *index, *order; int32_t* keys; int64_t* wide; };

TW_INLINE TopScratch top_scratch(Divider& d, size_t rows, size_t k, size_t room) {
  return {d.take<float>(rows * kPanel), d.take<float>(rows * (room + kSpill)), d.take<uint32_t>(rows * (room + kSpill)), d.take<uint32_t>(k + 16),
          d.take<int32_t>(room + kSpill), d.take<int64_t>(k + 16)};
}

static inline __attribute__((unused)) void plain_top_block(const EncodeCall& call, const uint32_t* list, size_t rows, const TopScratch& s) {
  const size_t room = top_room(call.k, call.features);
  Top top[kRowBlock];
  for (size_t r = 0; r < rows; r++) top[r].start(s.values + r * (room + kSpill), s.index + r * (room + kSpill));
  uint32_t features[kPanel];
  each_panel(call, list, rows, s.panel, [&](size_t r, size_t first, size_t width, const float* p) {
    if (r == 0) for (size_t j = 0; j < width; j++) features[j] = call.feature(first + j);
    for (size_t j = 0; j < width; j += 16) {
      const uint32_t valid = width - j < 16 ? (1u << (width - j)) - 1 : 0xffff;
      top[r].take(load(p + j), valid, features + j, call.k, room, s.keys);
    }
  });
  for (size_t r = 0; r < rows; r++) {
    top[r].cut(call.k, s.keys);
    write_top(call, list[r], top[r].values, top[r].index, s.wide, s.order);
  }
}

// ---- POSITIVE ----------------------------------------------------------------------------------------------------------
// How many there are is known only at the end, and a matrix of all is what must not exist. So the positives of a panel go
// to the next free place of a shared arena, with a count for each (panel, row); when all starts are known they are copied
// home. What the arena cannot hold is computed a second time, straight to its place.

// Places an item takes from the arena at a time.
TW_INLINE size_t arena_chunk(size_t block) { return 4 * block * kPanel + 16; }

struct Arena { float* values; uint32_t* index; size_t places; size_t used; };

struct Gathered {          // of a list of rows
  const uint32_t* list;
  size_t rows, block, panels;
  uint8_t* widths;         // [items][panels][block]
  size_t* begins;          // [items][panels], kNowhere where the arena was full
  size_t* counts;          // [rows], in the order of the list
};

TW_INLINE size_t positives(const float* p, size_t first, size_t width, const EncodeCall& call, float* values, uint32_t* index) {
  size_t n = 0;
  uint32_t features[16];
  for (size_t j = 0; j < width; j += 16) {
    const size_t some = width - j < 16 ? width - j : 16;
    for (size_t i = 0; i < some; i++) features[i] = call.feature(first + j + i);
    const lanes v = load(p + j);
    const uint32_t pass = not_at_most(v, 0) & ((1u << some) - 1);
    if (!pass) continue;
    append(pass, v, values + n);
    append(pass, features, index + n);
    n += bits_in(pass);
  }
  return n;
}

static inline __attribute__((unused)) void plain_positive_block(const EncodeCall& call, Gathered& g, size_t item, Arena& arena,
                                                               float* panel) {
  const size_t from = item * g.block, rows = g.rows - from < g.block ? g.rows - from : g.block;
  float values[kPanel + 16];
  uint32_t index[kPanel + 16];
  size_t next = 0, end = 0;   // of the places this item holds
  each_panel(call, g.list + from, rows, panel, [&](size_t r, size_t first, size_t width, const float* p) {
    const size_t at = item * g.panels + first / kPanel;
    if (r == 0) {             // room for a whole panel, so that it lies in one piece
      if (next != kNowhere && next + rows * kPanel + 16 > end) {
        const size_t want = arena_chunk(g.block);
        next = __atomic_fetch_add(&arena.used, want, __ATOMIC_RELAXED);
        end = next + want;
        if (end > arena.places) next = kNowhere;
      }
      g.begins[at] = next;
    }
    const bool lost = next == kNowhere;
    const size_t n = positives(p, first, width, call, lost ? values : arena.values + next, lost ? index : arena.index + next);
    if (!lost) next += n;
    g.widths[at * g.block + r] = static_cast<uint8_t>(n);
    g.counts[from + r] += n;
  });
}

// Copies an item's rows to their places, or computes them again. home[r] is where row r of the list begins, kNowhere: not at all.
static inline __attribute__((unused)) void place_positive_block(const EncodeCall& call, const Gathered& g, size_t item, const Arena& arena,
                                                               const size_t* home, float* panel) {
  const size_t from = item * g.block, rows = g.rows - from < g.block ? g.rows - from : g.block;
  size_t next[kRowBlock];
  bool whole = true, any = false;
  for (size_t i = 0; i < g.panels; i++) whole &= g.begins[item * g.panels + i] != kNowhere;
  for (size_t r = 0; r < rows; r++) any |= (next[r] = home[from + r]) != kNowhere;
  if (!any) return;
  uint32_t* to = u32(call.args.codes.index);
  float* z = f32(call.args.z);
  const auto place = [&](size_t r, const float* values, const uint32_t* index, size_t n) {
    if (next[r] == kNowhere) return;
    for (size_t i = 0; i < n; i++) {
      to[next[r] + i] = index[i];
      z[next[r] + i] = values[i] == values[i] ? values[i] : __builtin_nanf("");
    }
    next[r] += n;
  };
  if (!whole) {
    float values[kPanel + 16];
    uint32_t index[kPanel + 16];
    each_panel(call, g.list + from, rows, panel, [&](size_t r, size_t first, size_t width, const float* p) {
      place(r, values, index, positives(p, first, width, call, values, index));
    });
    return;
  }
  for (size_t i = 0; i < g.panels; i++) {
    size_t at = g.begins[item * g.panels + i];
    for (size_t r = 0; r < rows; r++) {
      const size_t n = g.widths[(item * g.panels + i) * g.block + r];
      place(r, arena.values + at, arena.index + at, n);
      at += n;
    }
  }
}

} }   // namespace
