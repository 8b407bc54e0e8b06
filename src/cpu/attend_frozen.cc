// Attention whose pattern is kept, or its transpose: a triangular matrix [T, T] a head, times the columns of a batch of passes.
//
//   an item    a key head and a few strips of columns, of any pass, for all T positions
//   x          a chunk of 256 positions of these strips, packed; it is used by up to T rows of the pattern
//   pattern    64 rows of a chunk at a time, which stay in the second cache while the strips pass: where they lie for the map,
//              turned for the transpose, whose columns would otherwise fall on a few sets of the first cache
// Only the half of the pattern on and below the diagonal is read.
#include "../expect.h"
#include "attend_values.h"
#include "ops.h"

namespace transweld::TRANSWELD_ISA {
namespace {

constexpr size_t kTall = 64;                            // rows of the result that a part of the pattern is for
constexpr size_t kSumBytes = 2 << 20, kPackBytes = 256 << 10;   // of an item's sums and of its packed strips, which a second cache holds
constexpr size_t kAhead = 8;                             // rows of the pattern between asking for one and copying it
constexpr size_t kItemsEach = 4;                        // items a thread, so that none waits long at the end

size_t least(size_t a, size_t b) { return a < b ? a : b; }

struct Frozen {
  const tw_attend_frozen_args& a;
  size_t T, tall, width, group, pass_strips, all_strips, strips_each;   // tall: T in whole tiles

  Frozen(const tw_attend_frozen_args& args, unsigned threads)
      : a(args), T(args.pattern.columns), tall((T + kRows - 1) / kRows * kRows),
        width(args.x.columns / (args.transpose ? args.heads : args.key_heads)), group(args.heads / args.key_heads),
        pass_strips(strips(width)), all_strips(args.x.rows / T * pass_strips) {
    constexpr size_t kStripBytes = kStrip * sizeof(float);
    const size_t sums = kSumBytes / (tall * kStripBytes * (totals() ? 2 : 1)), packs = kPackBytes / (least(T, kBlock) * kStripBytes);
    strips_each = least(least(sums, packs), all_strips * a.key_heads / (kItemsEach * threads));
    if (strips_each < 1) strips_each = 1;
  }
  bool totals() const { return a.transpose && group > 1; }
  size_t items() const { return (all_strips + strips_each - 1) / strips_each * a.key_heads; }
};

// Memory of one worker, f32.
struct Room {
  float *x, *weights, *sums, *totals;
  static size_t floats(const Frozen& f) {
    return f.strips_each * kStrip * (kBlock + f.tall * (f.totals() ? 2 : 1)) + kBlock * kTall;
  }
  Room(float* memory, const Frozen& f)
      : x(memory), weights(x + f.strips_each * kBlock * kStrip), sums(weights + kBlock * kTall), totals(sums + f.tall * f.strips_each * kStrip) {}
};

// One strip of an item: its first row and column in x and in out, beside the head's.
struct Place { size_t row, column, columns; };
Place place(const Frozen& f, size_t strip) {
  const size_t column = strip % f.pass_strips * kStrip;
  return {strip / f.pass_strips * f.T, column, least(kStrip, f.width - column)};
}

// to[tile][key][kRows] = pattern[key, ...], zeros beyond the last column. Row by row: these lie far apart.
void turn_pattern(const float* pattern, size_t stride, size_t keys, size_t columns, float* to) {
  const size_t whole = columns / kRows;
  for (size_t k = 0; k < keys; k++) {
    const float* from = pattern + k * stride;
    if (k + kAhead < keys) expect_rows(from + kAhead * stride, 0, 1, columns);
    for (size_t tile = 0; tile < whole; tile++) memcpy(to + (tile * kBlock + k) * kRows, from + tile * kRows, kRows * sizeof(float));
    if (whole * kRows == columns) continue;
    float* last = to + (whole * kBlock + k) * kRows;
    memset(last, 0, kRows * sizeof(float));
    memcpy(last, from + whole * kRows, (columns - whole * kRows) * sizeof(float));
  }
}

// sums[row] = or += the chunk's sum, for a tile of rows of the result from `begin` on and all strips.
template <bool Transpose, int S>
TW_INLINE void add_tile(const Frozen& f, const float* weights, size_t row_step, size_t chunk, size_t keys, size_t begin, const float* x,
                        float* sums, size_t stride) {
  Span spans[kRows];
  for (size_t q = 0; q < kRows; q++) {
    const size_t at = least(begin + q, f.T - 1);
    if (Transpose) spans[q] = {at > chunk ? at - chunk : 0, keys};
    else spans[q] = {0, least(keys, at + 1 - chunk)};
  }
  native sum[kRows][S];
  if (Transpose) weigh<kRows, S>(weights, 1, kRows, x, kStrip, spans, sum);
  else weigh<kRows, S>(weights, row_step, 1, x, kStrip, spans, sum);
  const bool first = Transpose ? begin >= chunk : chunk == 0;
  for (size_t q = 0; q < kRows; q++) {
    for (int s = 0; s < S; s++) {
      float* to = sums + (begin + q) * stride + s * kWidth;
      store_native(to, first ? sum[q][s] : add_native(load_native(to), sum[q][s]));
    }
  }
}

// The chunk's part of up to kTall rows of the result from `from` on.
template <bool Transpose>
void add_rows(const Frozen& f, size_t head, size_t chunk, size_t keys, size_t from, size_t first_strip, size_t count, const Room& room) {
  const size_t to = least(from + kTall, f.T), stride = f.strips_each * kStrip, step = f.a.pattern.stride;
  const float* pattern = Transpose ? row(f.a.pattern, head * f.T + chunk) + from : row(f.a.pattern, head * f.T + from) + chunk;
  const size_t rim = (to - from) / kRows * kRows;       // the map's last tile where it is not whole: copied, its last row repeated
  if (Transpose) turn_pattern(pattern, step, keys, to - from, room.weights);
  else if (rim < to - from) {
    for (size_t q = 0; q < kRows; q++) memcpy(room.weights + q * kBlock, pattern + least(rim + q, to - from - 1) * step, keys * sizeof(float));
  }
  for (size_t s = 0; s < count; s++) {
    const bool wide = place(f, first_strip + s).columns > kWidth;
    for (size_t i = 0; from + i < to; i += kRows) {
      const bool copied = !Transpose && i == rim;
      const float* weights = Transpose ? room.weights + i * kBlock : copied ? room.weights : pattern + i * step;
      const float* x = room.x + s * kBlock * kStrip;
      if (wide) add_tile<Transpose, 2>(f, weights, copied ? kBlock : step, chunk, keys, from + i, x, room.sums + s * kStrip, stride);
      else add_tile<Transpose, 1>(f, weights, copied ? kBlock : step, chunk, keys, from + i, x, room.sums + s * kStrip, stride);
    }
  }
}

template <bool Transpose> void add_head(const Frozen& f, size_t head, size_t first_strip, size_t count, const Room& room) {
  const size_t column = (Transpose ? head : head / f.group) * f.width;
  for (size_t chunk = 0; chunk < f.T; chunk += kBlock) {
    const size_t keys = least(kBlock, f.T - chunk);
    for (size_t s = 0; s < count; s++) {
      const Place p = place(f, first_strip + s);
      pack_strips(row(f.a.x, p.row + chunk) + column + p.column, f.a.x.stride, keys, p.columns, room.x + s * kBlock * kStrip);
    }
    const size_t begin = Transpose ? 0 : chunk, end = Transpose ? chunk + keys : f.T;
    for (size_t from = begin; from < end; from += kTall) add_rows<Transpose>(f, head, chunk, keys, from, first_strip, count, room);
  }
}

// A head's sums, or the totals of several, go to their columns of out.
void write(const Frozen& f, const float* sums, size_t out_head, size_t first_strip, size_t count) {
  for (size_t s = 0; s < count; s++) {
    const Place p = place(f, first_strip + s);
    for (size_t i = 0; i < f.T; i++) {
      const float* from = sums + i * f.strips_each * kStrip + s * kStrip;
      float* to = row(f.a.out, p.row + i) + out_head * f.width + p.column;
      sixteens(p.columns, [&](size_t k, size_t n) {
        const lanes sum = load_upto(from + k, n);
        store_upto(to + k, f.a.accumulate ? sum + load_upto(to + k, n) : sum, n);
      });
    }
  }
}

void add_totals(const Frozen& f, const Room& room, bool first) {
  const size_t count = f.tall * f.strips_each * kStrip;
  for (size_t i = 0; i < count; i += kWidth) {
    const native sum = load_native(room.sums + i);
    store_native(room.totals + i, first ? sum : add_native(load_native(room.totals + i), sum));
  }
}

void run_item(const Frozen& f, size_t item, float* memory) {
  const Room room(memory, f);
  const size_t key_head = item % f.a.key_heads, strip = item / f.a.key_heads * f.strips_each, count = least(f.strips_each, f.all_strips - strip);
  for (size_t h = 0; h < f.group; h++) {
    const size_t head = key_head * f.group + h;
    if (!f.a.transpose) add_head<false>(f, head, strip, count, room);
    else add_head<true>(f, head, strip, count, room);
    if (!f.a.transpose) write(f, room.sums, head, strip, count);
    else if (f.totals()) add_totals(f, room, h == 0);
  }
  if (f.a.transpose) write(f, f.totals() ? room.totals : room.sums, key_head, strip, count);
}

}   // namespace

tw_status attend_frozen(tw_context* context, const tw_attend_frozen_args& a) {
  const uint64_t T = a.pattern.columns, from = a.transpose ? a.heads : a.key_heads, to = a.transpose ? a.key_heads : a.heads;
  Check check{context};
  check.that(a.heads > 0, "at least 1", "heads", a.heads)
      .that(a.key_heads > 0 && a.heads % a.key_heads == 0, "a divisor of the heads", "key_heads", a.key_heads)
      .view("pattern", a.pattern, {TW_F32, a.heads * T, kAny})
      .view("x", a.x, {TW_F32, kAny, kAny});
  if (check.status) return check.status;
  check.that(T ? a.x.rows % T == 0 : a.x.rows == 0, "a multiple of the pattern's columns", "rows of x", a.x.rows)
      .that(a.x.columns % from == 0, "a multiple of its heads", "columns of x", a.x.columns)
      .view("out", a.out, {TW_F32, a.x.rows, a.x.columns / from * to});
  if (check.status || !a.x.rows || !a.x.columns) return check.status;
  const Frozen f(a, threads(context));
  const size_t floats = Room::floats(f);
  float* memory = static_cast<float*>(scratch(context, threads(context) * floats * sizeof(float)));
  if (!memory) return fail(context, TW_MEMORY, "out of memory for sums of %zu positions", f.T);
  each(context, f.items(), [&](size_t item, unsigned worker) { run_item(f, item, memory + worker * floats); });
  return TW_OK;
}

}   // namespace
