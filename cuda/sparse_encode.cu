// sparse_encode: dense rows to codes. p[n,f] = dot(x[n], weight[f]) + bias[f] is never stored: the plain product (encode_plain.h)
// keeps of each tile what the rule may want, the screened one (encode_screen.h) evaluates only what its certificate cannot
// exclude, and either way encode_select.h writes the codes, with the same bits.
//
// Rows are taken in chunks, so that the lists stay within kScratch whatever N, F and K. All launches of a call are enqueued at
// once: how many rows a screen hands back, and where a ragged row begins, is known to the device alone.
//
//   begin ─► subset ─► for each chunk:  screen ─► lost ─► plain product ─► select                    (TOPK)
//                                                                        └► count ─► starts ─► place (POSITIVE)   ─► end
#include "device/clock.h"
#include "encode_screen.h"
#include "encode_select.h"
#include "ops.h"

namespace transweld {
namespace {

// plain: rows that are known to take the plain product.
__global__ void encode_begin_kernel(EncodeTask task, EncodeState* state, uint64_t plain) {
  *state = {clock_ns(), 0, 0};
  task.counts[0] = task.positive ? 0 : task.rows * task.k;
  task.counts[1] = 0;
  task.counts[2] = plain;
  if (task.positive) task.starts[0] = 0;
}

__global__ void encode_end_kernel(EncodeTask task, EncodeState* state) {
  if (task.positive) task.counts[0] = state->needed;
  task.counts[3] = clock_ns() - state->began;
}

__global__ void __launch_bounds__(kSelectThreads) encode_subset_kernel(EncodeTask task, Report report) {
  for (uint64_t i = blockIdx.x * uint64_t{blockDim.x} + threadIdx.x; i < task.features; i += uint64_t{gridDim.x} * blockDim.x) {
    const uint32_t f = task.subset[i];
    if (f >= task.all_features || (i && task.subset[i - 1] >= f)) report(kFaultSubset, f);
  }
}

// Everything a chunk of rows works in: one scratch block, divided.
struct Work {
  EncodeState* state;
  PlainWork plain;
  uint32_t* list;              // [rows] that the screen handed back, and how many
  unsigned* listed;
  RowLists lists;
  ScreenWork screen;
  SortRoom sort;
  unsigned sorting;            // blocks that have a place to sort in
  uint32_t* found;             // [rows] positives
  unsigned long long* home;    // [rows]
};

// Length at which a list of the best K is cut: cuts are rare then. 0: there is a place for every feature.
uint64_t list_room(const EncodeTask& task) {
  const uint64_t room = 3 * task.k + 2 * kFeatures;
  return task.positive || room >= task.features ? 0 : room;
}

Work divide(Divider& d, const EncodeCall& call, uint64_t rows, bool screened) {
  const EncodeTask& task = call.task;
  Work work{};
  work.state = d.take<EncodeState>(1);
  PlainWork& plain = work.plain;
  plain.room = list_room(task);
  const uint64_t tiles = blocks_of(rows, kRows), across = blocks_of(task.features, kFeatures), processors = chip(call.context).processors;
  const uint64_t whole = tiles * (across ? across : 1), each = plain.room ? plain.room : task.features;   // all items; places of a list
  plain.blocks = static_cast<unsigned>(whole < processors ? whole : processors);
  // Lists of a split have `room` places each: as many splits as kLists allows. Where a row has room for all, they cost nothing.
  uint64_t most = uint64_t{plain.blocks} * tile::encode::kWaves;
  const uint64_t allowed = tile::encode::kLists / (kRows * each * 8 + 1);
  if (plain.room && most > allowed) most = allowed;
  if (most > whole) most = whole;
  if (most < tiles) most = tiles;
  plain.most_items = static_cast<unsigned>(most);
  const uint64_t lists = plain.room ? most * kRows : rows;
  plain.counts = d.take<uint32_t>(most * kRows);
  plain.index = d.take<uint32_t>(lists * each);
  plain.value = d.take<float>(lists * each);
  if (screened) {
    plain.list = work.list = d.take<uint32_t>(rows);
    plain.listed = work.listed = d.take<unsigned>(1);
    work.lists.room = screen_room(call);
    work.lists.counts = d.take<uint32_t>(rows);
    work.lists.index = d.take<uint32_t>(rows * work.lists.room);
    work.lists.value = d.take<float>(rows * work.lists.room);
    screen_scratch(d, call, rows, work.screen);
  }
  if (task.positive) {
    work.found = d.take<uint32_t>(rows);
    work.home = d.take<unsigned long long>(rows);
  } else {
    work.sort.padded = 1;
    while (work.sort.padded < task.k) work.sort.padded *= 2;
    work.sorting = grid_of(rows);
    if (task.k > kSorted) {    // two blocks a processor hide each other's barriers
      if (work.sorting > 2 * processors) work.sorting = static_cast<unsigned>(2 * processors);
      work.sort.keys = d.take<unsigned long long>(uint64_t{work.sorting} * work.sort.padded);
      work.sort.values = d.take<float>(uint64_t{work.sorting} * work.sort.padded);
    }
  }
  return work;
}

// Blocks for a row each: what the processors hold at once, as rows that a screen may hand back are few as a rule.
unsigned row_blocks(const EncodeCall& call, uint64_t rows, unsigned threads) {
  const uint64_t held = uint64_t{2048 / threads} * chip(call.context).processors;
  return static_cast<unsigned>(rows < held ? rows : held);
}

template <class Source> tw_status select_rows(const EncodeCall& call, const Work& work, const Source& source, uint64_t rows) {
  const unsigned blocks = row_blocks(call, rows < work.sorting ? rows : work.sorting, kSelectThreads);
  return launched(call.context, launch(encode_select_kernel<Source>, blocks, kSelectThreads, 0, stream(call.context), call.task, source,
                                       work.sort), "encode_select_kernel");
}

template <class Source> tw_status count_rows(const EncodeCall& call, const Work& work, const Source& source, uint64_t from, uint64_t rows) {
  const unsigned blocks = row_blocks(call, blocks_of(rows, kPlaceThreads / 32), kPlaceThreads);
  return launched(call.context, launch(encode_count_kernel<Source>, blocks, kPlaceThreads, 0, stream(call.context), source, from,
                                       work.found), "encode_count_kernel");
}

template <class Source> tw_status place_rows(const EncodeCall& call, const Work& work, const Source& source, uint64_t from, uint64_t rows) {
  const unsigned blocks = row_blocks(call, rows, kPlaceThreads);
  return launched(call.context, launch(encode_place_kernel<Source>, blocks, kPlaceThreads, 0, stream(call.context), call.task, source, from,
                                       work.home), "encode_place_kernel");
}

// The rows that the screen handed back become the list of the plain product.
tw_status list_lost(const EncodeCall& call, const Work& work, uint64_t from, uint64_t rows) {
  const cudaStream_t queue = stream(call.context);
  cudaError_t error = cudaMemsetAsync(work.listed, 0, sizeof(unsigned), queue);
  if (error == cudaSuccess) {
    const unsigned blocks = grid_of(rows, kSelectThreads);
    error = launch(encode_lost_kernel, blocks, kSelectThreads, 0, queue, call.task, work.lists, from, rows, work.list, work.listed);
  }
  return launched(call.context, error, "encode_lost_kernel");
}

tw_status encode_chunk(const EncodeCall& call, Work& work, uint64_t from, uint64_t rows, bool screened) {
  work.plain.first = from;
  work.plain.rows = rows;
  tw_status status = TW_OK;
  if (screened) status = screen_chunk(call, work.screen, from, rows, work.lists);
  if (screened && !status) status = list_lost(call, work, from, rows);
  if (!status) status = plain_product(call, work.plain);
  const PlainRows plain{work.plain, call.task.features, {}};
  const ScreenedRows certain{work.lists, from, rows};
  if (!call.task.positive) {
    if (!status) status = select_rows(call, work, plain, rows);
    if (!status && screened) status = select_rows(call, work, certain, rows);
    return status;
  }
  if (!status) status = count_rows(call, work, plain, from, rows);
  if (!status && screened) status = count_rows(call, work, certain, from, rows);
  if (!status) {
    status = launched(call.context, launch(encode_starts_kernel, 1, kThreads, 0, stream(call.context), call.task, work.state, from, rows,
                                           work.found, work.home), "encode_starts_kernel");
  }
  if (!status) status = place_rows(call, work, plain, from, rows);
  if (!status && screened) status = place_rows(call, work, certain, from, rows);
  return status;
}

tw_status checked(tw_context* context, const tw_sparse_encode_args& a) {
  const uint64_t N = a.x.rows, D = a.x.columns, F = a.weight.rows;
  const bool positive = a.rule == TW_RULE_POSITIVE, ragged = has(a.codes.starts);
  Check check{context};
  check.view("x", a.x, {TW_F32, kAny, kAny}).view("weight", a.weight, {TW_F32, kAny, D}).optional("bias", a.bias, {TW_F32, 1, F});
  check.optional("subset", a.subset, {TW_U32, 1, kAny}).view("counts", a.counts, {TW_U64, 1, 4});
  check.that(a.rule <= TW_RULE_POSITIVE, "TOPK or POSITIVE", "rule", a.rule);
  check.that(a.screen <= TW_SCREEN_INT8, "a known screen", "screen", a.screen);
  check.that(ragged == positive, positive ? "starts of a ragged pattern" : "a fixed pattern", "codes", ragged);
  check.that(N < UINT32_MAX && F < UINT32_MAX, "fewer than 2^32 rows", "x and weight", N > F ? N : F);
  check.view("codes.index", a.codes.index, {TW_U32, positive ? 1 : N, kAny});
  check.view("z", a.z, {TW_F32, positive ? 1 : N, a.codes.index.columns});
  if (positive) check.view("codes.starts", a.codes.starts, {TW_U64, 1, N + 1});
  if (check.status) return check.status;
  uint64_t features = F;
  if (has(a.subset)) {
    features = a.subset.columns;
    check.that(features <= F, "ascending features below F", "subset", features);
    check.that(a.screen == TW_SCREEN_NONE, "no screen beside a subset", "screen", a.screen);
  }
  const uint64_t k = a.codes.index.columns;
  if (!positive) check.that(k <= features, "K of at most the features considered", "codes.index", k);
  if (check.status || a.screen == TW_SCREEN_NONE || !F || !D) return check.status;
  const uint64_t bytes = screen_bytes(a.screen, F, D);
  if (!bytes) return fail(context, TW_UNSUPPORTED, "this device has no screen %u for %zu columns", a.screen, static_cast<size_t>(D));
  return read_shadow(check, a.shadow, bytes).status;
}

EncodeTask task_of(const tw_sparse_encode_args& a) {
  const bool positive = a.rule == TW_RULE_POSITIVE;
  EncodeTask task{};
  task.x = f32(a.x);
  task.weight = f32(a.weight);
  task.bias = f32(a.bias);
  task.x_stride = a.x.stride;
  task.weight_stride = a.weight.stride;
  task.subset = u32(a.subset);
  task.rows = a.x.rows;
  task.features = has(a.subset) ? a.subset.columns : a.weight.rows;
  task.columns = a.x.columns;
  task.k = positive ? 0 : a.codes.index.columns;
  task.all_features = a.weight.rows;
  task.positive = positive;
  task.relu = a.relu;
  task.index = u32(a.codes.index);
  task.z = f32(a.z);
  task.index_stride = a.codes.index.stride;
  task.z_stride = a.z.stride;
  task.capacity = a.codes.index.columns;
  task.starts = static_cast<unsigned long long*>(a.codes.starts.data);
  task.counts = static_cast<unsigned long long*>(a.counts.data);
  return task;
}

}   // namespace

tw_status sparse_encode(tw_context* context, const tw_sparse_encode_args& a) {
  if (const tw_status status = checked(context, a)) return status;
  const EncodeCall call{a, context, task_of(a), a.screen != TW_SCREEN_NONE && has_warpgroups(context)};
  const EncodeTask& task = call.task;
  const bool work_here = task.rows && (task.positive || task.k);
  const bool screened = work_here && a.screen != TW_SCREEN_NONE && worth_screening(call);
  uint64_t rows = work_here ? task.rows : 0, bytes;
  for (;; rows = rows > 2 * kRows ? padded(rows / 2, kRows) : (rows + 1) / 2) {
    Divider counting;
    divide(counting, call, rows, screened);
    bytes = counting.used;
    if (bytes <= tile::encode::kScratch || rows <= 1) break;
  }
  Divider d(scratch(context, bytes));
  if (!d.block) return out_of_scratch(context, bytes);
  Work work = divide(d, call, rows, screened);
  const uint64_t plain = work_here && !screened ? task.rows : 0;
  const cudaStream_t queue = stream(context);
  tw_status status = launched(context, launch(encode_begin_kernel, 1, 1, 0, queue, task, work.state, plain), "encode_begin_kernel");
  if (!status && task.subset) {
    const unsigned blocks = grid_of(task.features, kSelectThreads);
    const cudaError_t error = launch(encode_subset_kernel, blocks, kSelectThreads, 0, queue, task, report(context));
    status = launched(context, error, "encode_subset_kernel");
  }
  for (uint64_t from = 0; from < task.rows && rows && !status; from += rows) {
    status = encode_chunk(call, work, from, task.rows - from < rows ? task.rows - from : rows, screened);
  }
  if (status) return status;
  return launched(context, launch(encode_end_kernel, 1, 1, 0, queue, task, work.state), "encode_end_kernel");
}

}   // namespace transweld
