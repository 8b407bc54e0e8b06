// sparse_encode: dense rows to codes. The pre-activations [N, F] exist a panel at a time (encode_plain.h), or are screened
// in low precision first (encode_screen.h); either way the same bits come out.
#include <time.h>

#include "encode_plain.h"
#include "encode_screen.h"
#include "../expect.h"
#include "ops.h"

namespace transweld::TRANSWELD_ISA {
namespace {

uint64_t nanoseconds() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1000000000u + static_cast<uint64_t>(t.tv_nsec);
}

// Everything a chunk of rows works in: one scratch block, divided.
struct Work {
  uintptr_t workers;        // a part of worker_bytes each
  size_t worker_bytes;
  uint32_t* list;           // [rows] rows of the plain product
  size_t* home;             // [rows] of the list
  Gathered gathered;
  Arena arena;
  ScreenWork screen;
};

constexpr size_t kChunk = 4096;

Work divide(Divider& d, const EncodeCall& call, size_t rows, [[maybe_unused]] bool screened) {
  Work work{};
  const unsigned crew = threads(call.context);
  Divider one;              // what a worker needs for whatever it is given
  if (call.positive) one.take<float>(kRowBlock * kPanel);
  else top_scratch(one, rows < plain_most(call) ? rows + kTileRows : plain_most(call), call.k, top_room(call.k, call.features));
  work.worker_bytes = one.used;
#if defined(__AVX2__)
  Divider other;
  if (screened) screen_scratch(other, call);
  if (other.used > work.worker_bytes) work.worker_bytes = other.used;
#endif
  work.workers = reinterpret_cast<uintptr_t>(d.take<char>(work.worker_bytes * crew));
  work.list = d.take<uint32_t>(rows);
  if (call.positive) {
    Gathered& g = work.gathered;
    g.panels = (call.features + kPanel - 1) / kPanel;
    g.widths = d.take<uint8_t>((rows + kRowBlock) * g.panels);
    g.begins = d.take<size_t>((rows / 32 + crew + 2) * g.panels);
    g.counts = d.take<size_t>(rows);
    work.home = d.take<size_t>(rows);
    const size_t capacity = call.args.codes.index.columns, all = rows * call.features;
    work.arena.places = (capacity < all ? capacity : all) + (plain_items(rows, plain_block(call, rows)) + crew) * arena_chunk(kRowBlock);
    work.arena.values = d.take<float>(work.arena.places);
    work.arena.index = d.take<uint32_t>(work.arena.places);
  }
#if defined(__AVX2__)
  if (screened) work.screen = screen_work(d, call, rows);
#endif
  return work;
}

// The plain product over work.list[0 ... rows).
void plain_top(const EncodeCall& call, const Work& work, size_t rows) {
  const size_t block = plain_block(call, rows);
  each(call.context, plain_items(rows, block), [&](size_t item, unsigned worker) {
    Divider d{work.workers + worker * work.worker_bytes};
    const TopScratch s = top_scratch(d, block, call.k, top_room(call.k, call.features));
    const size_t from = item * block, count = rows - from < block ? rows - from : block;
    plain_top_block(call, work.list + from, count, s);
  });
}

void gather(const EncodeCall& call, Work& work, size_t rows) {
  Gathered& g = work.gathered;
  g.list = work.list;
  g.rows = rows;
  g.block = plain_block(call, rows);
  work.arena.used = 0;
  const size_t items = plain_items(rows, g.block);
  memset(g.widths, 0, items * g.block * g.panels);
  memset(g.counts, 0, rows * sizeof(size_t));
  for (size_t i = 0; i < items * g.panels; i++) g.begins[i] = kNowhere;
  each(call.context, items, [&](size_t item, unsigned worker) {
    Divider d{work.workers + worker * work.worker_bytes};
    plain_positive_block(call, g, item, work.arena, d.take<float>(kRowBlock * kPanel));
  });
}

void place(const EncodeCall& call, const Work& work) {
  each(call.context, plain_items(work.gathered.rows, work.gathered.block), [&](size_t item, unsigned worker) {
    Divider d{work.workers + worker * work.worker_bytes};
    place_positive_block(call, work.gathered, item, work.arena, work.home, d.take<float>(kRowBlock * kPanel));
  });
}

// Where rows of a ragged pattern begin. A row that does not fit whole gets nothing, and so does every row after it.
struct Starts {
  uint64_t *starts, capacity, needed = 0;
  size_t give(size_t n, uint64_t count) {
    const bool fits = needed + count <= capacity;
    const uint64_t from = starts[n];
    starts[n + 1] = from + (fits ? count : 0);
    needed += count;
    return fits && count ? from : kNowhere;
  }
};

tw_status checked(tw_context* context, const tw_sparse_encode_args& a) {
  const uint64_t N = a.x.rows, D = a.x.columns, F = a.weight.rows;
  const bool positive = a.rule == TW_RULE_POSITIVE, ragged = has(a.codes.starts);
  Check check{context};
  check.view("x", a.x, {TW_F32, kAny, kAny}).view("weight", a.weight, {TW_F32, kAny, D}).optional("bias", a.bias, {TW_F32, 1, F});
  check.optional("subset", a.subset, {TW_U32, 1, kAny}).view("counts", a.counts, {TW_U64, 1, 4});
  check.that(a.rule <= TW_RULE_POSITIVE, "TOPK or POSITIVE", "rule", a.rule).that(a.screen <= TW_SCREEN_INT8, "a known screen", "screen", a.screen);
  check.that(ragged == positive, positive ? "starts of a ragged pattern" : "a fixed pattern", "codes", ragged);
  check.that(N <= UINT32_MAX && F <= UINT32_MAX, "fewer than 2^32 rows", "x and weight", N > F ? N : F);
  check.view("codes.index", a.codes.index, {TW_U32, positive ? 1 : N, kAny});
  check.view("z", a.z, {TW_F32, positive ? 1 : N, a.codes.index.columns});
  if (positive) check.view("codes.starts", a.codes.starts, {TW_U64, 1, N + 1});
  if (check.status) return check.status;
  uint64_t features = F;
  if (has(a.subset)) {
    features = a.subset.columns;
    const uint32_t* subset = u32(a.subset);
    for (size_t i = 0; i < features; i++)
      check.that(subset[i] < F && (i == 0 || subset[i - 1] < subset[i]), "ascending features below F", "subset", subset[i]);
    check.that(a.screen == TW_SCREEN_NONE, "no screen beside a subset", "screen", a.screen);
  }
  if (!positive) check.that(a.codes.index.columns <= features, "K of at most the features considered", "codes.index", a.codes.index.columns);
  if (check.status || a.screen == TW_SCREEN_NONE || !F || !D) return check.status;
  const uint64_t bytes = screen_bytes(a.screen, F, D);
  if (!bytes) return fail(context, TW_UNSUPPORTED, "this processor has no screen %u for %zu columns", a.screen, static_cast<size_t>(D));
  return check.view("shadow", a.shadow, {TW_I8, 1, bytes}).status;
}

}   // namespace

tw_status sparse_encode(tw_context* context, const tw_sparse_encode_args& a) {
  const uint64_t began = nanoseconds();
  if (const tw_status status = checked(context, a)) return status;
  EncodeCall call{a, context, a.x.rows, has(a.subset) ? a.subset.columns : a.weight.rows, a.x.columns,
                  a.rule == TW_RULE_TOPK ? a.codes.index.columns : 0, a.rule == TW_RULE_POSITIVE, has(a.subset) ? u32(a.subset) : nullptr};
  uint64_t* counts = u64(a.counts);
  uint64_t candidates = 0, exceptions = 0;
  Starts starts{call.positive ? u64(a.codes.starts) : nullptr, a.codes.index.columns};
  if (call.positive) starts.starts[0] = 0;
  if (call.rows && (call.positive || call.k)) {
    bool screened = a.screen != TW_SCREEN_NONE && worth_screening(call);
    const size_t chunk = screened ? screen_chunk(call) : call.positive ? kChunk : call.rows, rows = call.rows < chunk ? call.rows : chunk;
    Divider counting;
    divide(counting, call, rows, screened);
    Divider d{reinterpret_cast<uintptr_t>(scratch(context, counting.used))};
    if (!d.block) return fail(context, TW_MEMORY, "out of memory: %zu bytes of scratch", counting.used);
    Work work = divide(d, call, rows, screened);
    for (size_t from = 0; from < call.rows; from += rows) {
      const size_t count = call.rows - from < rows ? call.rows - from : rows;
      size_t plain = 0;
#if defined(__AVX2__)
      if (screened) {
        plain = screen_chunk_rows(call, work.screen, from, count, work.workers, work.worker_bytes, work.list);
        candidates += work.screen.evaluated;
      }
#endif
      if (!screened) for (; plain < count; plain++) work.list[plain] = static_cast<uint32_t>(from + plain);
      exceptions += plain;
      screened = screened && 2 * plain <= count;   // where most lists overflow, the next chunk is spared the attempt
      if (!call.positive) {
        plain_top(call, work, plain);
        continue;
      }
      gather(call, work, plain);
      for (size_t n = from, i = 0; n < from + count; n++) {
        const bool listed = i < plain && work.list[i] == n;
        const size_t home = starts.give(n, listed ? work.gathered.counts[i] : work.screen.counts[n - from]);
        if (listed) work.home[i++] = home; else work.screen.home[n - from] = home;
      }
      place(call, work);
#if defined(__AVX2__)
      if (plain < count) screen_place(call, work.screen, count);
#endif
    }
  } else if (call.positive) {
    for (size_t n = 0; n < call.rows; n++) starts.give(n, 0);
  }
  counts[0] = call.positive ? starts.needed : call.rows * call.k;
  counts[1] = candidates;
  counts[2] = exceptions;
  counts[3] = nanoseconds() - began;
  return TW_OK;
}

}   // namespace transweld
