// Causal attention of packed sequences, streamed over blocks of 256 keys: no matrix of scores.
//
//   keys    [16-key group][width][16 keys]   turned, so that lanes are keys: the sixteen partial sums of a canonical dot
//                                            are vectors, and folding them takes no shuffles
//   scores  kQueries rows over one block     largest, e^(s − largest), their sum
//   out     kQueries × width                 one chain of multiply-adds over the block's keys, lanes along the width
// An item is 256 queries of one head. A later block changes the running largest score m: what was summed before is
// scaled by e^(m_old − m_new), then the block's sums are added.
#include "../expect.h"
#include "maths.h"
#include "ops.h"
#include "transpose.h"

namespace transweld::TRANSWELD_ISA {
namespace {

constexpr size_t kBlock = 256;                                     // keys of one chunk of the row sum; also queries an item
constexpr int kQueries = kWidth == 16 ? 8 : 4;                     // queries at a time: times two registers of width, all ports busy

// The canonical order walks the partial sums so that the fold needs a stack of four: s0+s8, s4+s12, s2+s10, ...
constexpr int kOrder[16] = {0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15};

struct Block { size_t begin, end, first; };   // of queries: rows begin ... end − 1, of the sequence that starts at row `first`

// Memory of one worker, f32. Width is rounded up to sixteen, filled with zeros.
struct Room {
  float *keys, *values, *queries, *scores, *out, *most, *total;
  static size_t floats(size_t width) { return 3 * kBlock * width + kQueries * (width + kBlock) + 2 * kBlock; }
  Room(float* base, size_t width)
      : keys(base), values(keys + kBlock * width), queries(values + kBlock * width), scores(queries + kQueries * width),
        out(scores + kQueries * kBlock), most(out + kBlock * width), total(most + kBlock) {}
};

void copy_rows(const float* from, size_t stride, size_t rows, size_t width, float* to, size_t padded) {
  for (size_t r = 0; r < rows; r++) {
    sixteens(width, [&](size_t k, size_t n) { store(to + r * padded + k, load_upto(from + r * stride + k, n)); });
  }
}

// Asks for rows that lie far apart, before they are copied: one by one they would cost a trip to memory each.
void expect_rows(const float* from, size_t stride, size_t rows, size_t width) {
  for (size_t r = 0; r < rows; r++) for (size_t k = 0; k < width; k += 16) __builtin_prefetch(from + r * stride + k);
}

void turn_keys(const float* from, size_t stride, size_t rows, size_t width, float* to, size_t padded) {
  for (size_t group = 0; group * 16 < rows; group++) {
    float* keys = to + group * 16 * padded;
    const size_t count = rows - group * 16 < 16 ? rows - group * 16 : 16;
    if (count < 16) memset(keys, 0, 16 * padded * sizeof(float));
    else memset(keys + 16 * width, 0, 16 * (padded - width) * sizeof(float));
    transpose(from + group * 16 * stride, stride, count, width, keys, 16);
  }
}

// scores[q, 0 ... kWidth·G) = scale · dot(queries[q], key) for the keys of G registers. Steps = padded/16 where it is known
// at compile time (loops of two turns cost more than their body), else 0.
template <int Steps, int Q, int G> TW_INLINE void score(const float* queries, const float* keys, size_t padded, float scale, float* scores) {
  if constexpr (Steps) padded = Steps * 16;
  native stack[4][Q][G];
#pragma GCC unroll 16
  for (int i = 0, depth = 0; i < 16; i++) {
    native s[Q][G];
    for (int q = 0; q < Q; q++) for (int g = 0; g < G; g++) s[q][g] = splat_native(0);
#pragma GCC unroll 4
    for (size_t k = kOrder[i]; k < padded; k += 16) {
      native key[G];
#pragma GCC unroll 4
      for (int g = 0; g < G; g++) key[g] = load_native(keys + (g * kWidth / 16) * 16 * padded + 16 * k + g * kWidth % 16);
#pragma GCC unroll 4
      for (int q = 0; q < Q; q++) {
        const native query = splat_native(queries[q * padded + k]);
#pragma GCC unroll 4
        for (int g = 0; g < G; g++) s[q][g] = fma_native(query, key[g], s[q][g]);
      }
    }
#pragma GCC unroll 4
    for (int n = i; n & 1; n >>= 1) {
      depth--;
      for (int q = 0; q < Q; q++) for (int g = 0; g < G; g++) s[q][g] = add_native(stack[depth][q][g], s[q][g]);
    }
    for (int q = 0; q < Q; q++) {
      for (int g = 0; g < G; g++) {
        if (i < 15) stack[depth][q][g] = s[q][g];
        else store_native(scores + q * kBlock + g * kWidth, mul_native(s[q][g], splat_native(scale)));
      }
    }
    depth++;
  }
}

// The scores of kQueries queries with `count` keys, whole groups of sixteen.
template <int Steps> void score_block(const float* queries, const float* keys, size_t count, size_t padded, float scale, float* scores) {
  constexpr int Q = kWidth == 16 ? 4 : 2, G = kWidth == 4 ? 1 : 2;
  for (int q = 0; q < kQueries; q += Q) {
    size_t j = 0;
    for (; j + G * kWidth <= count; j += G * kWidth) {
      score<Steps, Q, G>(queries + q * padded, keys + (j / 16 * padded) * 16 + j % 16, padded, scale, scores + q * kBlock + j);
    }
    for (; j < count; j += kWidth) {
      score<Steps, Q, 1>(queries + q * padded, keys + (j / 16 * padded) * 16 + j % 16, padded, scale, scores + q * kBlock + j);
    }
  }
}

// Scores of one query become e^(score − most), zeros up to the next sixteen; the running numbers are brought along.
// Returns e^(old most − new most), which the first block has no use for.
TW_INLINE float soften(float* scores, size_t count, bool first, float& most, float& total) {
  const size_t padded = (count + 15) / 16 * 16;
  for (size_t j = count; j < padded; j++) scores[j] = -__builtin_inff();
  lanes m = splat(first ? -__builtin_inff() : most);
  for (size_t j = 0; j < padded; j += 16) m = max(m, load(scores + j));
  const float next = fold_max(m);
  lanes s = splat(0);
  size_t j = 0;
  for (; j + 16 <= count; j += 16) {
    const lanes e = exp(load(scores + j) - splat(next));
    store(scores + j, e);
    s = s + e;
  }
  if (j < count) {
    float rest[16];
    store(rest, exp(load(scores + j) - splat(next)));
    const lanes e = load_some(rest, count - j);
    store(scores + j, e);
    s = s + e;
  }
  const float kept = first ? 0 : exp_one(most - next);
  total = first ? fold(s) : fma_one(total, kept, fold(s));
  most = next;
  return kept;
}

// out[q] = Σ_j scores[q, j]·values[j] for S registers of width, j ascending; query q takes the keys below counts[q].
template <int S> TW_INLINE void combine(const float* scores, const size_t* counts, const float* values, size_t padded, native (&sum)[kQueries][S]) {
  for (int q = 0; q < kQueries; q++) for (int s = 0; s < S; s++) sum[q][s] = splat_native(0);
  for (size_t j = 0; j < counts[0]; j++) {
    native value[S];
#pragma GCC unroll 8
    for (int s = 0; s < S; s++) value[s] = load_native(values + j * padded + s * kWidth);
#pragma GCC unroll 8
    for (int q = 0; q < kQueries; q++) {
      const native p = splat_native(scores[q * kBlock + j]);
#pragma GCC unroll 8
      for (int s = 0; s < S; s++) sum[q][s] = fma_native(p, value[s], sum[q][s]);
    }
  }
#pragma GCC unroll 8
  for (int q = 1; q < kQueries; q++) {      // the few keys of the diagonal that only later queries see
    for (size_t j = counts[0]; j < counts[q]; j++) {
#pragma GCC unroll 8
      for (int s = 0; s < S; s++) {
        sum[q][s] = fma_native(splat_native(scores[q * kBlock + j]), load_native(values + j * padded + s * kWidth), sum[q][s]);
      }
    }
  }
}

// out = out·kept + the block's sum, or the sum alone where the block is the sequence's first.
template <int S>
TW_INLINE void combine_strip(const Room& room, const size_t* counts, const float* kept, bool first, size_t k, size_t padded, float* out) {
  native sum[kQueries][S];
  combine<S>(room.scores, counts, room.values + k, padded, sum);
  for (int q = 0; q < kQueries; q++) {
    for (int s = 0; s < S; s++) {
      float* to = out + q * padded + k + s * kWidth;
      store_native(to, first ? sum[q][s] : fma_native(load_native(to), splat_native(kept[q]), sum[q][s]));
    }
  }
}

void attend_block(const tw_attend_args& a, const Block& b, size_t column, size_t width, float* memory) {
  const size_t padded = (width + 15) / 16 * 16, rows = b.end - b.begin;
  const Room room(memory, padded);
  for (size_t key = b.first; key < b.end; key += kBlock) {
    const size_t keys = b.end - key < kBlock ? b.end - key : kBlock;
    const bool first = key == b.first;
    expect_rows(row(a.v, key) + column, a.v.stride, keys, width);
    turn_keys(row(a.k, key) + column, a.k.stride, keys, width, room.keys, padded);
    copy_rows(row(a.v, key) + column, a.v.stride, keys, width, room.values, padded);
    for (size_t i = 0; i < rows; i += kQueries) {
      size_t counts[kQueries];
      float kept[kQueries];
      if (i + 2 * kQueries <= rows) expect_rows(row(a.q, b.begin + i + kQueries) + column, a.q.stride, kQueries, width);
      for (size_t q = 0; q < kQueries; q++) {      // queries beyond the last repeat it, and are thrown away
        const size_t at = b.begin + (i + q < rows ? i + q : rows - 1);
        copy_rows(row(a.q, at) + column, 0, 1, width, room.queries + q * padded, padded);
        counts[q] = at - key + 1 < keys ? at - key + 1 : keys;
      }
      const size_t most_keys = (counts[kQueries - 1] + 15) / 16 * 16;
      if (padded == 32) score_block<2>(room.queries, room.keys, most_keys, padded, a.scale, room.scores);
      else if (padded == 64) score_block<4>(room.queries, room.keys, most_keys, padded, a.scale, room.scores);
      else score_block<0>(room.queries, room.keys, most_keys, padded, a.scale, room.scores);
      for (size_t q = 0; q < kQueries; q++) kept[q] = soften(room.scores + q * kBlock, counts[q], first, room.most[i + q], room.total[i + q]);
      float* out = room.out + i * padded;
      size_t k = 0;
      for (; k + 2 * kWidth <= padded; k += 2 * kWidth) combine_strip<2>(room, counts, kept, first, k, padded, out);
      for (; k < padded; k += kWidth) combine_strip<1>(room, counts, kept, first, k, padded, out);
    }
  }
  for (size_t i = 0; i < rows; i++) {
    const lanes total = splat(room.total[i]);
    sixteens(width, [&](size_t k, size_t n) { store_upto(row(a.out, b.begin + i) + column + k, load(room.out + i * padded + k) / total, n); });
  }
}

}   // namespace

tw_status attend(tw_context* context, const tw_attend_args& a) {
  const uint64_t rows = a.q.rows, columns = a.q.columns;
  Check check{context};
  check.view("q", a.q, {TW_F32, kAny, kAny})
      .view("k", a.k, {TW_F32, rows, columns})
      .view("v", a.v, {TW_F32, rows, columns})
      .view("out", a.out, {TW_F32, rows, columns})
      .view("starts", a.starts, {TW_U32, 1, kAny})
      .that(a.heads > 0 && columns % a.heads == 0, "a divisor of the columns", "heads", a.heads)
      .that(a.starts.columns > 0, "at least one element", "starts", a.starts.columns);
  if (check.status) return check.status;
  const uint32_t* starts = u32(a.starts);
  const size_t sequences = a.starts.columns - 1;
  const char* ascending = "ascending starts from 0 to N";
  check.that(starts[0] == 0, ascending, "starts", starts[0]).that(starts[sequences] == rows, ascending, "starts", starts[sequences]);
  size_t blocks = 0;
  for (size_t s = 0; s < sequences && !check.status; s++) {
    check.that(starts[s] <= starts[s + 1], ascending, "starts", starts[s + 1]);
    blocks += (starts[s + 1] - starts[s] + kBlock - 1) / kBlock;
  }
  if (check.status || !columns || !blocks) return check.status;

  const size_t width = columns / a.heads, floats = Room::floats((width + 15) / 16 * 16);
  const size_t list_bytes = (blocks * sizeof(Block) + 63) / 64 * 64;
  char* memory = static_cast<char*>(scratch(context, list_bytes + threads(context) * floats * sizeof(float)));
  if (!memory) return fail(context, TW_MEMORY, "out of memory for attention blocks of %zu keys of width %zu", kBlock, width);
  Block* list = reinterpret_cast<Block*>(memory);
  float* rooms = reinterpret_cast<float*>(memory + list_bytes);
  for (size_t s = 0, i = 0; s < sequences; s++) {
    for (size_t begin = starts[s]; begin < starts[s + 1]; begin += kBlock) {
      list[i++] = {begin, begin + kBlock < starts[s + 1] ? begin + kBlock : starts[s + 1], starts[s]};
    }
  }
  each(context, blocks * a.heads, [&](size_t item, unsigned worker) {
    attend_block(a, list[item / a.heads], item % a.heads * width, width, rooms + worker * floats);
  });
  return TW_OK;
}

}   // namespace
