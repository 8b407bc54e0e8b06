// sparse_sample: s = dot(g[n], weight[f]) + penalty·norms[f] at the positions where gate != 0, 0 at the others.
//   codes: N rows of K positions, or ragged; g [N, O] f32; weight [F, O] float; gate, out planes; norms [F]
// penalty_sum = penalty · Σ gate·norms[f], rows as row sums in stored order, then a row sum over rows.
// Flops 2·N·K·O (a full product would be 2·N·F·O: 768 times as many at F = 24576, K = 32). Bytes: N·K·O·element of weight through
// the second cache (N = 8192, K = 32, O = 768 in f32: 805 MB) and g once from memory. Rows of weight come at random, so what of
// F·O·element the cache does not hold is read from memory again and again: half of the 75 MB on an H100, more of a wider weight.
// That is the predicted bound wherever the weight outgrows the cache; sparse_decode's strips have no counterpart, a dot is whole.
// A warp takes 32 neighbouring positions, whatever rows they lie in (a few rows with 100 000 positions each fill the machine as
// well as many short ones), keeps those that are wanted, and gives each to a group of four lanes: 16 columns are one 16-byte load a lane,
// and the sixteen partial sums of the canonical dot stand in the group's registers (device/dot.h). Four steps are loaded
// ahead. Its eight groups read the same 64 bytes of g in one transaction, from the first-level cache: no staging, any O.
#include <algorithm>
#include "device/dot.h"
#include "device/pattern.h"
#include "device/rowsum.h"
#include "device/scratch.h"
#include "ops.h"
#include "tile.h"

namespace transweld {
namespace {

using namespace tile::sparse_sample;
constexpr unsigned kThreads = kWarps * 32;

template <class T> struct Sample {
  Pattern codes;
  const float* g;
  uint64_t g_stride;
  const T* weight;
  uint64_t weight_stride, columns;
  const float *gate, *norms;   // may be null
  float penalty;
  float* out;
};

// One dot product to do.
struct Product {
  uint64_t position, row;   // offset into planes, row of g
  uint32_t feature;
};

// The row of position p of a ragged pattern: the last that starts at or before p. Wrong starts give some row.
__device__ uint64_t row_of(const Pattern& codes, uint64_t p) {
  uint64_t first = 0, last = codes.rows;
  while (last - first > 1) {
    const uint64_t middle = (first + last) / 2;
    (codes.starts[middle] <= p ? first : last) = middle;
  }
  return first;
}

// Whether the q-th position of all is to be computed; one that is not gets its 0 here.
template <class T> __device__ bool is_wanted(const Sample<T>& s, uint64_t q, Product& at, const Report& report) {
  const uint64_t width = s.codes.width;
  if (s.codes.starts) at = {q, row_of(s.codes, q), 0};
  else at = {q / width * s.codes.stride + q % width, q / width, 0};
  const bool wanted = s.codes.feature(at.position, at.feature, report) && !(s.gate && s.gate[at.position] == 0);
  if (!wanted) s.out[at.position] = 0;
  return wanted;
}

// One block at least: the compiler is to spend registers (about 75) on steps under way, not to save them for more warps.
template <int W, class T> __global__ void __launch_bounds__(kThreads, 1) sparse_sample_dots_kernel(Sample<T> s, Report report) {
  SHARED(Product, lists, [kWarps][32]);
  uint64_t count = s.codes.rows * s.codes.width;
  if (s.codes.starts) {
    const uint64_t rows = s.codes.rows;
    for (uint64_t n = uint64_t{blockIdx.x} * kThreads + threadIdx.x; n < rows; n += uint64_t{gridDim.x} * kThreads) s.codes.span(n, report);
    count = s.codes.starts[rows] < s.codes.width ? s.codes.starts[rows] : s.codes.width;
  }
  Product* list = lists[warp_of()];
  for (uint64_t first = uint64_t{blockIdx.x} * kThreads + warp_of() * 32; first < count; first += uint64_t{gridDim.x} * kThreads) {
    Product mine{};
    const bool wanted = first + lane_of() < count && is_wanted(s, first + lane_of(), mine, report);
    const unsigned votes = __ballot_sync(kAllLanes, wanted), some = __popc(votes);
    __syncwarp();   // the list before this one has been used by all lanes
    if (wanted) list[__popc(votes & ((1u << lane_of()) - 1))] = mine;
    __syncwarp();   // and this one is complete
    for (unsigned i = 0; i < some; i += 32 / kGroup<W>) {
      const unsigned entry = i + lane_of() / kGroup<W>;
      const bool is_entry = entry < some;   // the other groups come along for the fold, which is the warp's
      const Product& at = list[is_entry ? entry : 0];
      float dot = group_dot<W, kAhead>(s.g + at.row * s.g_stride, s.weight + at.feature * s.weight_stride, is_entry ? s.columns : 0);
      if (!is_entry || group_lane<W>() != 0) continue;
      if (s.norms) dot += s.penalty * s.norms[at.feature];
      s.out[at.position] = dot;
    }
  }
}

// sums[n] = Σ gate·norms[f] over row n: a warp a row. 32 positions are read at once; the chain runs on them in shared memory.
__global__ void __launch_bounds__(kThreads)
sparse_sample_penalties_kernel(Pattern codes, const float* gate, const float* norms, float* sums, Report report) {
  struct Term { float gate, norm; };
  SHARED(Term, lists, [kWarps][32]);
  Term* list = lists[warp_of()];
  for (uint64_t n = uint64_t{blockIdx.x} * kWarps + warp_of(); n < codes.rows; n += uint64_t{gridDim.x} * kWarps) {
    const Pattern::Span span = codes.span(n, report);
    float total = 0, sum = 0;
    for (uint64_t p = span.begin; p < span.end; p += 32) {
      uint32_t f = 0;
      const bool sound = p + lane_of() < span.end && codes.feature(p + lane_of(), f, report);
      __syncwarp();   // the chain has read the terms before these
      list[lane_of()] = sound ? Term{gate[p + lane_of()], norms[f]} : Term{};
      __syncwarp();
      const uint64_t left = span.end - p, done = p + 32 - span.begin;
      in_order<8>(left < 32 ? static_cast<unsigned>(left) : 32, [&](unsigned i) { return list[i]; },
                  [&](const Term& term, unsigned) { sum = fmaf(term.gate, term.norm, sum); });
      if (done % kChunk != 0 && left > 32) continue;
      total = done <= kChunk ? sum : total + sum;
      sum = 0;
    }
    if (lane_of() == 0) sums[n] = total;
  }
}

// chunks[c] = the sum of rows 256c ... 256c + 255 one after the other: a warp a chunk, which it reads at once.
__global__ void __launch_bounds__(kThreads) sparse_sample_chunks_kernel(const float* sums, uint64_t rows, float* chunks) {
  SHARED(float, lists, [kWarps][kChunk]);
  float* list = lists[warp_of()];
  for (uint64_t c = uint64_t{blockIdx.x} * kWarps + warp_of(); c < chunks_of(rows); c += uint64_t{gridDim.x} * kWarps) {
    const unsigned size = chunk_size(c, rows);
    __syncwarp();   // the chain has read the rows before these
#pragma unroll
    for (unsigned i = lane_of(); i < kChunk; i += 32) list[i] = i < size ? sums[c * kChunk + i] : 0;
    __syncwarp();
    float sum = 0;
    in_order<16>(size, [&](unsigned i) { return list[i]; }, [&](float row, unsigned) { sum += row; });
    if (lane_of() == 0) chunks[c] = sum;
  }
}

// out = penalty · Σ chunks, in order, by one thread: there are N/256 of them.
__global__ void sparse_sample_total_kernel(const float* chunks, uint64_t count, float penalty, float* out) {
  float total = count ? chunks[0] : 0;
  if (count) {
    in_order<32>(static_cast<unsigned>(count - 1), [&](unsigned i) { return chunks[i + uint64_t{1}]; },
                 [&](float sum, unsigned) { total += sum; });
  }
  out[0] = penalty * total;
}

tw_status penalty_sum(tw_context* context, const tw_sparse_sample_args& a, const Pattern& codes) {
  const uint64_t rows = codes.rows, count = chunks_of(rows);
  Divider counting;
  counting.take<float>(rows);
  counting.take<float>(count);
  Divider parts{scratch(context, counting.used)};
  if (!parts.block && rows) return out_of_scratch(context, counting.used);
  float *sums = parts.take<float>(rows), *chunks = parts.take<float>(count);
  if (rows) {
    cudaError_t error = launch(sparse_sample_penalties_kernel, grid_of(rows, kWarps), kThreads, 0, stream(context), codes, f32(a.gate),
                               f32(a.norms), sums, report(context));
    if (error != cudaSuccess) return launched(context, error, "sparse_sample_penalties_kernel");
    error = launch(sparse_sample_chunks_kernel, grid_of(count, kWarps), kThreads, 0, stream(context), sums, rows, chunks);
    if (error != cudaSuccess) return launched(context, error, "sparse_sample_chunks_kernel");
  }
  const cudaError_t error = launch(sparse_sample_total_kernel, 1, 1, 0, stream(context), chunks, count, a.penalty, f32(a.penalty_sum));
  return launched(context, error, "sparse_sample_total_kernel");
}

}   // namespace

tw_status sparse_sample(tw_context* context, const tw_sparse_sample_args& a) {
  const uint64_t rows = a.g.rows, columns = a.g.columns, features = a.weight.rows;
  Pattern codes;
  Check check{context};
  check.view("g", a.g, {TW_F32, rows, columns}).view("weight", a.weight, {kFloat, kAny, columns});
  check.optional("norms", a.norms, {TW_F32, 1, features});
  read_pattern(check, a.codes, rows, features, codes);
  read_plane(check, "out", a.codes, a.out);
  if (has(a.gate)) read_plane(check, "gate", a.codes, a.gate);
  if (has(a.penalty_sum)) {
    check.view("penalty_sum", a.penalty_sum, {TW_F32, 1, 1});
    check.that(!rows || (has(a.gate) && has(a.norms)), "gate and norms", "penalty_sum", 0);
  }
  if (check.status) return check.status;
  tw_status status = TW_OK;
  if (rows && (codes.starts || codes.width)) {   // starts are checked even where no position can be
    // How many positions of a ragged pattern are used, the device alone knows: its blocks walk them.
    const uint64_t blocks = codes.starts ? uint64_t{chip(context).processors} * kRaggedBlocks : kMostBlocks;
    const unsigned grid = grid_of(std::min(blocks_of(std::max(most_positions(codes), rows), kThreads), blocks));
    status = with_float(a.weight, [&]<class T>(const T* weight) {
      return with_width(vector_width(a.g, a.weight), [&](auto width) {
        constexpr int W = decltype(width)::value;
        const Sample<T> s{codes, f32(a.g), a.g.stride, weight, a.weight.stride, columns, f32(a.gate), f32(a.norms), a.penalty, f32(a.out)};
        const cudaError_t error = launch(sparse_sample_dots_kernel<W, T>, grid, kThreads, 0, stream(context), s, report(context));
        return launched(context, error, "sparse_sample_dots_kernel");
      });
    });
  }
  return status || !has(a.penalty_sum) ? status : penalty_sum(context, a, codes);
}

}   // namespace transweld
