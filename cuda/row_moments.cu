// row_moments: out[n] = {dot(a,a), dot(a,b), dot(b,b), dot(a−b, a−b)}; a, b [N, D] f32, out [N, 4].
// Bytes: N·D·8 read once, N·16 written; 9·N·D flops: bound by memory. Four lanes hold a row's sixteen partial sums of each of the
// four products (device/dot.h), so that one pass of 16-byte loads serves all four; a warp walks eight rows beside each other.
#include "device/dot.h"
#include "ops.h"
#include "tile.h"

namespace transweld {
namespace {

constexpr unsigned kThreads = 256;

struct Moments {
  const float *a, *b;
  uint64_t a_stride, b_stride, rows, columns;
  float* out;
  uint64_t out_stride;
};

template <int W> __global__ void __launch_bounds__(kThreads) row_moments_walk_kernel(Moments m) {
  constexpr unsigned kRows = kThreads / kGroup<W>;   // a block's
  for (uint64_t first = uint64_t{blockIdx.x} * kRows; first < m.rows; first += uint64_t{gridDim.x} * kRows) {
    const uint64_t n = first + threadIdx.x / kGroup<W>;
    // A group beyond the last row comes along for the folds, which are the warp's.
    const bool is_row = n < m.rows;
    const float *a = m.a + (is_row ? n * m.a_stride : 0), *b = m.b + (is_row ? n * m.b_stride : 0);
    float aa[W] = {}, ab[W] = {}, bb[W] = {}, ee[W] = {};
    using Both = Pair<W, float, float>;
    canonical_steps<W, tile::row_moments::kAhead>(is_row ? m.columns : 0,
      [&](uint64_t k) { return Both{load_vec<W>(a + k), load_vec<W>(b + k)}; },
      [&](const Both& x) {
#pragma unroll
        for (int i = 0; i < W; i++) {
          const float p = x.a.at[i], q = x.b.at[i], e = p - q;
          aa[i] = fmaf(p, p, aa[i]);
          ab[i] = fmaf(p, q, ab[i]);
          bb[i] = fmaf(q, q, bb[i]);
          ee[i] = fmaf(e, e, ee[i]);
        }
      });
    const float moment[4] = {fold_group(aa), fold_group(ab), fold_group(bb), fold_group(ee)};
    if (!is_row) continue;
#pragma unroll
    for (unsigned i = 0; i < 4; i++) {
      if (group_lane<W>() == i) m.out[n * m.out_stride + i] = moment[i];
    }
  }
}

}   // namespace

tw_status row_moments(tw_context* context, const tw_row_moments_args& args) {
  const uint64_t rows = args.a.rows, columns = args.a.columns;
  Check check{context};
  check.view("a", args.a, {TW_F32, rows, columns}).view("b", args.b, {TW_F32, rows, columns}).view("out", args.out, {TW_F32, rows, 4});
  if (check.status || !rows) return check.status;
  const Moments m{f32(args.a), f32(args.b), args.a.stride, args.b.stride, rows, columns, f32(args.out), args.out.stride};
  return with_width(vector_width(args.a, args.b), [&](auto width) {
    constexpr int W = decltype(width)::value;
    const cudaError_t error = launch(row_moments_walk_kernel<W>, grid_of(rows, kThreads / kGroup<W>), kThreads, 0, stream(context), m);
    return launched(context, error, "row_moments_walk_kernel");
  });
}

}   // namespace transweld
