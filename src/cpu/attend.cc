// Causal attention of packed sequences, streamed over blocks of 256 keys: no matrix of scores.
//
//   many rows of a key head   attend_many.h   items of 256 rows, keys turned and values packed for all of them
//   few, a cache behind them  attend_few.h    items of one block of keys, read where they lie
// Both make the same sums in the same order, so a row has the same bits in either.
#include "attend_few.h"
#include "attend_many.h"
#include "ops.h"

namespace transweld::TRANSWELD_ISA {
namespace {

constexpr size_t kFewBytes = 16 << 20;                  // of scores and sums that wait for each other, unless one sequence needs more

bool is_few(const Call& c, const Sequence& s) { return s.queries * c.group <= kFewRows; }

// The blocks that some query of a sequence sees.
Span pieces(const Call& c, const Sequence& s) {
  if (!s.queries) return {0, 0};
  return {c.keys(s, 0).begin / kBlock, c.blocks(s.keys)};
}

tw_status attend_all_many(tw_context* context, const Call& c) {
  size_t count = 0;
  for (size_t b = 0; b < c.sequences(); b++) {
    const Sequence s = c.sequence(b);
    if (!is_few(c, s)) count += (s.queries * c.group + kManyRows - 1) / kManyRows;
  }
  if (!count) return TW_OK;
  const size_t floats = ManyRoom::floats(c), list_bytes = (count * sizeof(Many) + 63) / 64 * 64;
  char* memory = static_cast<char*>(scratch(context, list_bytes + threads(context) * floats * sizeof(float)));
  if (!memory) return fail(context, TW_MEMORY, "out of memory for attention blocks of %zu keys of width %zu", kBlock, c.width);
  Many* list = reinterpret_cast<Many*>(memory);
  float* rooms = reinterpret_cast<float*>(memory + list_bytes);
  for (size_t b = 0, i = 0; b < c.sequences(); b++) {
    const Sequence s = c.sequence(b);
    const size_t rows = s.queries * c.group;
    if (is_few(c, s)) continue;
    for (size_t begin = 0; begin < rows; begin += kManyRows) list[i++] = {s, begin, begin + kManyRows < rows ? begin + kManyRows : rows};
  }
  each(context, count * c.a.key_heads, [&](size_t item, unsigned worker) {      // the longest first: they come last in a sequence
    attend_many(c, list[count - 1 - item / c.a.key_heads], item % c.a.key_heads, rooms + worker * floats);
  });
  return TW_OK;
}

// Sequences of few rows from `b` on, as many as the memory is for; moves b behind them.
tw_status attend_next_few(tw_context* context, const Call& c, size_t& b) {
  size_t count = 0, floats = 0, sequences = 0, end = b;
  for (; end < c.sequences(); end++) {
    const Sequence s = c.sequence(end);
    const Span blocks = pieces(c, s);
    if (!is_few(c, s) || blocks.empty()) continue;
    const size_t more = (blocks.end - blocks.begin) * c.a.key_heads * FewRoom::floats(c, s.queries * c.group);
    if (count && (floats + more) * sizeof(float) > kFewBytes) break;
    count += blocks.end - blocks.begin;
    floats += more;
    sequences++;
  }
  const size_t first = b;
  b = end;
  if (!count) return TW_OK;
  const size_t room_floats = few_floats(c), list_bytes = (count * sizeof(Piece) + sequences * sizeof(Span) + 63) / 64 * 64;
  const size_t behind = 3 * kBlock;      // few_sums takes rows by four: weights of up to three that are not there are read, and not used
  char* memory = static_cast<char*>(scratch(context, list_bytes + (threads(context) * room_floats + floats + behind) * sizeof(float)));
  if (!memory) return fail(context, TW_MEMORY, "out of memory for %zu blocks of %zu keys", count, kBlock);
  Piece* list = reinterpret_cast<Piece*>(memory);
  Span* lists = reinterpret_cast<Span*>(list + count);                          // of a sequence: its part of the list
  float *rooms = reinterpret_cast<float*>(memory + list_bytes), *next = rooms + threads(context) * room_floats;
  for (size_t i = first, at = 0, n = 0; i < end; i++) {
    const Sequence s = c.sequence(i);
    const Span blocks = pieces(c, s);
    if (!is_few(c, s) || blocks.empty()) continue;
    lists[n++] = {at, at + blocks.end - blocks.begin};
    for (size_t block = blocks.begin; block < blocks.end; block++) {
      list[at++] = {s, block * kBlock, block - blocks.begin, next};
      next += c.a.key_heads * FewRoom::floats(c, s.queries * c.group);
    }
  }
  const size_t key_heads = c.a.key_heads;
  each(context, count * key_heads, [&](size_t item, unsigned worker) {
    few_scores(c, list[item / key_heads], item % key_heads, rooms + worker * room_floats);
  });
  each(context, count * key_heads, [&](size_t item, unsigned worker) {
    few_sums(c, list + item / key_heads, item % key_heads, rooms + worker * room_floats);
  });
  each(context, sequences * key_heads, [&](size_t item, unsigned) {
    const Span part = lists[item / key_heads];
    few_finish(c, list + part.begin, part.end - part.begin, item % key_heads);
  });
  return TW_OK;
}

tw_status check_call(tw_context* context, const tw_attend_args& a) {
  const uint64_t rows = a.q.rows, columns = a.q.columns;
  const bool cached = has(a.key_starts);
  Check check{context};
  check.that(a.heads > 0 && columns % a.heads == 0, "a divisor of the columns", "heads", a.heads)
      .that(a.key_heads > 0 && a.heads % a.key_heads == 0, "a divisor of the heads", "key_heads", a.key_heads);
  if (check.status) return check.status;
  const uint64_t key_columns = columns / a.heads * a.key_heads;
  check.view("q", a.q, {TW_F32, kAny, kAny})
      .view("k", a.k, {TW_F32, cached ? kAny : rows, key_columns})
      .view("v", a.v, {TW_F32, a.k.rows, key_columns})
      .view("out", a.out, {TW_F32, rows, columns})
      .view("starts", a.starts, {TW_U32, 1, kAny})
      .that(a.starts.columns > 0, "at least one element", "starts", a.starts.columns);
  if (check.status) return check.status;
  const size_t sequences = a.starts.columns - 1;
  if (cached) check.view("key_starts", a.key_starts, {TW_U32, 1, sequences}).view("key_counts", a.key_counts, {TW_U32, 1, sequences});
  if (check.status) return check.status;
  const uint32_t* starts = u32(a.starts);
  const char* ascending = "ascending starts from 0 to N";
  check.that(starts[0] == 0, ascending, "starts", starts[0]).that(starts[sequences] == rows, ascending, "starts", starts[sequences]);
  for (size_t b = 0; b < sequences && !check.status; b++) {
    check.that(starts[b] <= starts[b + 1], ascending, "starts", starts[b + 1]);
    if (!cached || check.status) continue;
    const uint32_t first = u32(a.key_starts)[b], count = u32(a.key_counts)[b];
    check.that(count >= starts[b + 1] - starts[b], "as many keys as queries, or more", "key_counts", count)
        .that(uint64_t{first} + count <= a.k.rows, "keys that lie in k", "key_starts + key_counts", uint64_t{first} + count);
  }
  return check.status;
}

}   // namespace

tw_status attend(tw_context* context, const tw_attend_args& a) {
  tw_status status = check_call(context, a);
  if (status || !a.q.rows || !a.q.columns) return status;
  const Call c(a);
  status = attend_all_many(context, c);
  for (size_t b = 0; b < c.sequences() && !status;) status = attend_next_few(context, c, b);
  return status;
}

}   // namespace
