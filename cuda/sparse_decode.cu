// sparse_decode: out[n] = Σ z·weight[f] over row n's positions + bias + out[n] where accumulate.
//   codes: N rows of K positions, or ragged; z f32 beside them; weight [F, O] float; bias [O]; out [N, O] f32
// The sum over positions is a row sum of op_table.h: chunks of 256 positions, one chain of fused multiply-adds each, chunks in order.
// Flops 2·N·K·O. Bytes: N·K·O·element through the cache, which is the bound (N = 8192, K = 32, O = 768 in f32: 805 MB), and from
// memory weight once and out once: N·K >> F, so each row of weight is wanted N·K/F times (11 at F = 24576), but weight (75 MB)
// is larger than the cache. Therefore blocks are numbered strip by strip: all rows of codes pass over 128 columns of weight
// (F·128·4 = 12.6 MB, in cache after the first use; 67 MB at F = 131072 are not, and memory is the bound again) before the next.
// A warp owns one row of codes in one strip: a lane has 4 columns, reads its 16 bytes of 8 rows of weight before it uses the
// first, and adds them in stored order. Indices and z come by one coalesced load for 32 positions and are passed around in
// shared memory; a wrong index is left out of the list.
#include "device/pattern.h"
#include "device/rowsum.h"
#include "device/vec.h"
#include "ops.h"
#include "tile.h"

namespace transweld {
namespace {

using namespace tile::sparse_decode;

template <class T> struct Decode {
  Pattern codes;
  const float* z;
  const T* weight;
  uint64_t weight_stride;
  const float* bias;   // may be null
  float* out;
  uint64_t out_stride, columns, strips;
  bool accumulate;
};

struct alignas(16) Staged {
  uint64_t row;   // offset of the row of weight
  float scale;
};

// Positions p ... p + 31 below `end` that are sound, in order, into the warp's list; how many.
template <class T> __device__ unsigned stage(const Decode<T>& d, uint64_t p, uint64_t end, Staged* list, const Report& report) {
  uint32_t f = 0;
  const bool sound = p + lane_of() < end && d.codes.feature(p + lane_of(), f, report);
  const unsigned sounds = __ballot_sync(kAllLanes, sound);
  __syncwarp();   // the list before this one has been used by all lanes
  if (sound) list[__popc(sounds & ((1u << lane_of()) - 1))] = {f * d.weight_stride, d.z[p + lane_of()]};
  __syncwarp();   // and this one is complete
  return __popc(sounds);
}

// sum += Σ scale·row of entries i ... i + kAhead − 1, or up to `count` where they are not all there.
template <bool All, int W, class T>
__device__ inline void add_rows(const T* weight, const Staged* list, unsigned i, unsigned count, float (&sum)[W]) {
  Vec<T, W> row[kAhead];
#pragma unroll
  for (int j = 0; j < kAhead; j++) {
    if (!All && i + j >= count) continue;
    row[j] = load_vec<W>(weight + list[i + j].row);
  }
#pragma unroll
  for (int j = 0; j < kAhead; j++) {
    if (!All && i + j >= count) continue;
#pragma unroll
    for (int c = 0; c < W; c++) sum[c] = fmaf(list[i + j].scale, widen(row[j].at[c]), sum[c]);
  }
}

template <int W, class T>
__device__ void decode_row(const Decode<T>& d, uint64_t n, uint64_t column, Staged* list, const Report& report) {
  const Pattern::Span span = d.codes.span(n, report);
  const bool inside = column < d.columns;
  float total[W] = {};
  for (uint64_t chunk = span.begin; chunk < span.end; chunk += kChunk) {
    const uint64_t end = span.end - chunk < kChunk ? span.end : chunk + kChunk;
    float sum[W] = {};
    for (uint64_t p = chunk; p < end; p += 32) {
      const unsigned count = stage(d, p, end, list, report);
      if (!inside) continue;
      unsigned i = 0;
      for (; i + kAhead <= count; i += kAhead) add_rows<true>(d.weight + column, list, i, count, sum);
      if (i < count) add_rows<false>(d.weight + column, list, i, count, sum);
    }
#pragma unroll
    for (int c = 0; c < W; c++) total[c] = chunk == span.begin ? sum[c] : total[c] + sum[c];
  }
  if (!inside) return;
  float* to = d.out + n * d.out_stride + column;
  Vec<float, W> y;
  for (int c = 0; c < W; c++) y.at[c] = total[c];
  if (d.bias) {
    const Vec<float, W> bias = load_vec<W>(d.bias + column);
    for (int c = 0; c < W; c++) y.at[c] += bias.at[c];
  }
  if (d.accumulate) {
    const Vec<float, W> old = load_vec<W>(to);
    for (int c = 0; c < W; c++) y.at[c] += old.at[c];
  }
  store_vec(to, y);
}

template <int W, class T> __global__ void __launch_bounds__(kWarps * 32, 3) sparse_decode_strips_kernel(Decode<T> d, Report report) {
  SHARED(Staged, lists, [kWarps][32]);
  const uint64_t tiles = blocks_of(d.codes.rows, kWarps);   // of a strip
  for (uint64_t item = blockIdx.x; item < tiles * d.strips; item += gridDim.x) {
    const uint64_t n = item % tiles * kWarps + warp_of();
    if (n < d.codes.rows) decode_row<W>(d, n, (item / tiles * 32 + lane_of()) * W, lists[warp_of()], report);
  }
}

}   // namespace

tw_status sparse_decode(tw_context* context, const tw_sparse_decode_args& a) {
  const uint64_t rows = a.out.rows, columns = a.out.columns;
  Pattern codes;
  Check check{context};
  check.view("weight", a.weight, {kFloat, kAny, columns}).optional("bias", a.bias, {TW_F32, 1, columns});
  check.view("out", a.out, {TW_F32, rows, columns});
  read_pattern(check, a.codes, rows, a.weight.rows, codes);
  read_plane(check, "z", a.codes, a.z);
  if (check.status || !rows || !columns) return check.status;
  return with_float(a.weight, [&]<class T>(const T* weight) {
    return with_width(vector_width(a.weight, a.bias, a.out), [&](auto width) {
      constexpr int W = decltype(width)::value;
      const Decode<T> d{codes, f32(a.z), weight, a.weight.stride, f32(a.bias), f32(a.out), a.out.stride, columns,
                        blocks_of(columns, 32 * W), a.accumulate != 0};
      const cudaError_t error = launch(sparse_decode_strips_kernel<W, T>, grid_of(blocks_of(rows, kWarps) * d.strips), kWarps * 32, 0,
                                       stream(context), d, report(context));
      return launched(context, error, "sparse_decode_strips_kernel");
    });
  });
}

}   // namespace transweld
