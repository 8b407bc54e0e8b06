// codesᵀ × dense, by feature: G[f] = Σ_terms Σ plane[slot]·dense[row] over the feature's P_f positions (device/terms.h), either
// stored (GRADIENT) or spent at once on the step of its weight row (ADAM, device/row_update.h): no gradient of a weight exists.
//
//   plane over P positions, dense [N, D], w, m, v [F, D] ─► G [F, D], b [F]   or   w, m, v, bias, norms and the shadow moved
//   bytes: ADAM moves w, m and v once: 24·F·D from and to memory. Every position reads a row of dense: 4·P·D, which come from
//          the second-level cache while what a pass reads of dense fits it: a strip (at most N·1024·4 bytes, 34 MB at N = 8192),
//          or all N·D·4 where the row is needed whole
//   flops: 2·P·D, and about 60 instructions an element of w for the step: both hide behind the bytes
//
// One block owns a feature, so a sum has one order, whatever the grid. Where nothing is summed over the row (no norm, projection
// or penalty) blocks take strips of up to 1024 columns instead, all features of one strip before the next, so that the
// strip of dense stays in the cache, and a thread steps its columns from its registers.
// Otherwise the row stands in shared memory between the steps, in scratch where it is wider than 10240 columns.
#include "ops.h"
#include "tile.h"
#include "device/pattern.h"
#include "device/row_update.h"
#include "device/scratch.h"
#include "device/terms.h"

namespace transweld {
namespace {

using namespace tile::sparse_scatter;

enum class Spend { kStore, kStep, kWholeRow };

// Where the sums go.
struct Target {
  RowUpdate update;
  float* gradient;             // kStore
  uint64_t gradient_stride;
  float *bias, *bias_m, *bias_v;   // kStore: bias is b itself
  float* rows;                 // kWholeRow: two rows of `pitch` a block, or null: they stand in shared memory
  uint64_t pitch;
};

// Gives the chunks of features with many positions their places in the list.
__global__ void __launch_bounds__(kMostThreads) sparse_scatter_list_kernel(const __grid_constant__ Terms a) {
  if (a.off()) return;
  const uint64_t items = a.features * a.count;
  for (uint64_t i = uint64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < items; i += uint64_t{gridDim.x} * blockDim.x) {
    const uint32_t t = static_cast<uint32_t>(i / a.features), f = static_cast<uint32_t>(i % a.features);
    const uint64_t positions = a.span(t, f).count;
    if (positions <= kSplit) continue;
    const uint32_t chunks = static_cast<uint32_t>(chunks_of(positions)), first = atomicAdd(a.ahead.listed, chunks);
    a.ahead.first[i] = first + chunks <= a.ahead.room ? first : Ahead::kNowhere;
    for (uint32_t chunk = 0; chunk < chunks && first + chunk < a.ahead.room; chunk++) a.ahead.chunks[first + chunk] = {t, f, chunk};
  }
}

// A listed chunk and a strip of columns a block.
template <int W>
__global__ void __launch_bounds__(kMostThreads, W == 4 ? kOccupied : 2)
sparse_scatter_chunks_kernel(const __grid_constant__ Terms a) {
  if (a.off()) return;
  SHARED(Staged, staged, [1]);
  const uint64_t wide = uint64_t{blockDim.x} * W, strips = a.columns ? blocks_of(a.columns, wide) : 1;
  const uint64_t listed = *a.ahead.listed < a.ahead.room ? *a.ahead.listed : a.ahead.room;
  for (uint64_t item = blockIdx.x; item < listed * strips; item += gridDim.x) {
    const uint64_t at = item % listed, strip = item / listed, c = strip * wide + uint64_t{threadIdx.x} * W;
    const Ahead::Chunk of = a.ahead.chunks[at];
    const Terms::Span span = a.span(of.term, of.feature);
    const unsigned count = chunk_size(of.chunk, span.count);
    stage(a, a.term[of.term], span.begin + uint64_t{of.chunk} * kChunk, count, staged[0]);
    const bool plane = a.planes && strip == 0;
    const Summed<W> sum = sum_staged<W>(staged[0], count, c, a.columns, plane);
    if (c < a.columns) store_vec(a.ahead.sums + at * a.ahead.pitch + c, sum.row);
    if (plane && threadIdx.x == 0) a.ahead.planes[at] = sum.plane;
  }
}

__device__ void spend_bias(const Target& to, bool step, uint64_t f, float b) {
  if (!to.bias) return;
  float w = b;
  if (step) {
    float m = to.bias_m[f], v = to.bias_v[f];
    w = to.update.adam.step(to.bias[f], b, m, v);
    to.bias_m[f] = m;
    to.bias_v[f] = v;
  }
  to.bias[f] = w;
}

template <int W, Spend spend>
__global__ void __launch_bounds__(kMostThreads, W == 4 ? kOccupied : 2)
sparse_scatter_rows_kernel(const __grid_constant__ Terms a, const __grid_constant__ Target to) {
  if (a.off()) return;
  SHARED(Staged, staged, [1]);
  const uint64_t wide = uint64_t{blockDim.x} * W, mine = uint64_t{threadIdx.x} * W;
  const uint64_t strips = spend == Spend::kWholeRow || !a.columns ? 1 : blocks_of(a.columns, wide);
  for (uint64_t item = blockIdx.x; item < a.features * strips; item += gridDim.x) {
    const uint64_t f = item % a.features, strip = item / a.features, c = strip * wide + mine;
    const bool plane = a.planes && strip == 0;
    PlaneSums planes{};
    if constexpr (spend == Spend::kWholeRow) {
      DYNAMIC_SHARED(float, rows);
      SHARED(Told, told, [1]);
      float* const g = to.rows ? to.rows + uint64_t{blockIdx.x} * 2 * to.pitch : rows;
      for (uint64_t from = 0; from == 0 || from < a.columns; from += wide) {
        const Vec<float, W> sum = sum_terms<W>(a, f, from + mine, plane && from == 0, staged[0], planes);
        if (from + mine < a.columns) store_vec(g + from + mine, sum);
      }
      update_row<W>(to.update, f, a.columns, planes.first, g, g + to.pitch, told[0]);
      __syncthreads();   // the row's buffers and what was told have been read
    } else {
      const Vec<float, W> sum = sum_terms<W>(a, f, c, plane, staged[0], planes);
      if (c < a.columns && spend == Spend::kStep) step_columns<W>(to.update, f, c, sum);
      else if (c < a.columns) store_vec(to.gradient + f * to.gradient_stride + c, sum);
    }
    if (plane && threadIdx.x == 0) spend_bias(to, spend != Spend::kStore, f, planes.all);
  }
}

Check& check_term(Check& check, const tw_term& term, uint64_t features, uint64_t columns) {
  check.view("terms.feature_starts", term.feature_starts, {TW_U64, 1, features + 1});
  check.view("terms.rows", term.rows, {TW_U32, 1, kAny}).view("terms.slots", term.slots, {TW_U32, 1, kAny});
  return check.view("terms.plane", term.plane, {TW_F32, kAny, kAny}).view("terms.dense", term.dense, {TW_F32, kAny, columns});
}

Check& check_adam(Check& check, const tw_sparse_scatter_args& a, uint64_t features, uint64_t columns) {
  const Wanted matrix = {TW_F32, features, columns}, vector = {TW_F32, 1, features};
  check.view("weight", a.weight, matrix).view("m", a.m, matrix).view("v", a.v, matrix);
  check.optional("bias", a.bias, vector).optional("norms", a.norms, vector);
  if (has(a.bias)) check.view("bias_m", a.bias_m, vector).view("bias_v", a.bias_v, vector);
  if (a.screen == TW_SCREEN_NONE) return check;
  return read_shadow(check, a.shadow, screen_bytes(a.screen, features, columns));
}

Term term_of(const tw_term& t) {
  const uint64_t room = t.rows.columns < t.slots.columns ? t.rows.columns : t.slots.columns;
  const uint64_t reach = t.plane.rows ? (t.plane.rows - 1) * t.plane.stride + t.plane.columns : 0;
  return {static_cast<const unsigned long long*>(t.feature_starts.data), u32(t.rows), u32(t.slots), f32(t.plane), f32(t.dense),
          room, reach, t.dense.rows, t.dense.stride};
}

// Chunks that could be split off: a feature with more than kSplit positions has a quarter more of them than whole chunks at most.
uint32_t room_ahead(const Terms& terms) {
  static_assert(kSplit == 4 * kChunk);
  uint64_t chunks = 0;
  for (uint32_t t = 0; t < terms.count; t++) {
    if (terms.term[t].room > kSplit) chunks += blocks_of(terms.term[t].room, kSplit) * 5;
  }
  return static_cast<uint32_t>(chunks < kMostAhead ? chunks : kMostAhead);
}

struct Shape { unsigned blocks, threads; size_t shared_bytes; };

template <int W> cudaError_t sum_ahead(tw_context* context, const Terms& a, unsigned threads) {
  const cudaStream_t to = stream(context);
  const uint64_t strips = blocks_of(a.columns ? a.columns : 1, uint64_t{threads} * W), most = a.ahead.room * strips;
  const uint64_t wished = uint64_t{chip(context).processors} * kAheadBlocks, blocks = most < wished ? most : wished;
  cudaError_t error = cudaMemsetAsync(a.ahead.listed, 0, sizeof(uint32_t), to);
  if (error != cudaSuccess) return error;
  error = launch(sparse_scatter_list_kernel, grid_of(a.features * a.count, kMostThreads), kMostThreads, 0, to, a);
  return error == cudaSuccess ? launch(sparse_scatter_chunks_kernel<W>, static_cast<unsigned>(blocks), threads, 0, to, a) : error;
}

template <int W> tw_status enqueue(tw_context* context, const Terms& a, const Target& to, Spend spend, const Shape& shape) {
  cudaError_t error = a.ahead.room ? sum_ahead<W>(context, a, shape.threads) : cudaSuccess;
  if (error != cudaSuccess) return launched(context, error, "sparse_scatter_chunks_kernel");
  const auto kernel = spend == Spend::kStore ? sparse_scatter_rows_kernel<W, Spend::kStore>
                    : spend == Spend::kStep ? sparse_scatter_rows_kernel<W, Spend::kStep> : sparse_scatter_rows_kernel<W, Spend::kWholeRow>;
  error = launch(kernel, shape.blocks, shape.threads, shape.shared_bytes, stream(context), a, to);
  return launched(context, error, "sparse_scatter_rows_kernel");
}

}   // namespace

tw_status sparse_scatter(tw_context* context, const tw_sparse_scatter_args& a) {
  const bool adam = a.mode == TW_ADAM;
  const tw_view& shape = adam ? a.weight : a.gradient;
  const uint64_t features = shape.rows, columns = shape.columns;
  Check check{context};
  check.that(a.mode == TW_GRADIENT || adam, "gradient (0) or adam (1)", "mode", a.mode);
  check.that(a.term_count >= 1 && a.term_count <= 4, "1 to 4", "term_count", a.term_count);
  check.that(features <= UINT32_MAX, "at most 2^32 - 1 features", adam ? "weight" : "gradient", features);
  if (adam) check_adam(check, a, features, columns);
  else check.view("gradient", a.gradient, {TW_F32, features, columns}).optional("gradient_bias", a.gradient_bias, {TW_F32, 1, features});
  check.optional("ok", a.ok, {TW_U32, 1, 1});
  for (uint32_t t = 0; !check.status && t < a.term_count; t++) check_term(check, a.terms[t], features, columns);
  if (check.status || !features) return check.status;

  Terms terms{};
  Target to{};
  int width = adam ? vector_width(a.weight, a.m, a.v) : vector_width(a.gradient);
  for (uint32_t t = 0; t < a.term_count; t++) {
    terms.term[t] = term_of(a.terms[t]);
    const int own = vector_width(a.terms[t].dense);
    if (own < width) width = own;
  }
  terms.count = a.term_count;
  terms.planes = adam ? has(a.bias) || a.self_penalty != 0 : has(a.gradient_bias);
  terms.features = features;
  terms.columns = columns;
  terms.ok = u32(a.ok);
  terms.report = report(context);
  terms.ahead.room = room_ahead(terms);
  terms.ahead.pitch = to.pitch = padded(columns, 4);
  if (adam) {
    to.update = {adam_of(a), a.self_penalty, a.project != 0, a.unit != 0, f32(a.weight), f32(a.m), f32(a.v), a.weight.stride, a.m.stride,
                 a.v.stride, f32(a.norms), {}};
    if (a.screen != TW_SCREEN_NONE && columns) to.update.shadow = {static_cast<unsigned char*>(a.shadow.data), a.screen, features, columns};
    to.bias = f32(a.bias);
    to.bias_m = f32(a.bias_m);
    to.bias_v = f32(a.bias_v);
  } else {
    to.gradient = f32(a.gradient);
    to.gradient_stride = a.gradient.stride;
    to.bias = f32(a.gradient_bias);
  }
  const Spend spend = !adam ? Spend::kStore : to.update.whole() ? Spend::kWholeRow : Spend::kStep;

  // As many threads as the strips need, evenly.
  const uint64_t vectors = columns ? columns / static_cast<unsigned>(width) : 1, strips = blocks_of(vectors, kMostThreads);
  const unsigned threads = static_cast<unsigned>(padded(blocks_of(vectors, strips), 32));
  const size_t row_bytes = (to.update.keeps_old() ? 2 : 1) * to.pitch * sizeof(float);
  const bool shared = spend == Spend::kWholeRow && row_bytes <= kRowBytes;
  const unsigned few = chip(context).processors * kRowBlocks;
  unsigned blocks = spend == Spend::kWholeRow ? grid_of(features) : grid_of(features * strips);
  if (spend == Spend::kWholeRow && !shared && blocks > few) blocks = few;
  const auto divide = [&](Divider& d) {
    const size_t room = terms.ahead.room;
    terms.ahead.listed = d.take<uint32_t>(1);
    terms.ahead.first = d.take<uint32_t>(room ? features * terms.count : 0);
    terms.ahead.chunks = d.take<Ahead::Chunk>(room);
    terms.ahead.sums = d.take<float>(room * terms.ahead.pitch);
    terms.ahead.planes = d.take<float>(room);
    to.rows = d.take<float>(spend == Spend::kWholeRow && !shared ? size_t{blocks} * 2 * to.pitch : 0);
  };
  Divider counting;
  divide(counting);
  void* block = scratch(context, counting.used);
  if (!block) return out_of_scratch(context, counting.used);
  Divider divider(block);
  divide(divider);
  if (spend != Spend::kWholeRow || shared) to.rows = nullptr;
  return with_width(width, [&](auto w) {
    return enqueue<decltype(w)::value>(context, terms, to, spend, Shape{blocks, threads, shared ? row_bytes : 0});
  });
}

}   // namespace transweld
