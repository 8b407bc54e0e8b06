// Norms of rows, and rows brought to one norm: w/‖w‖ first and the target after, as in sparse_scatter's unit step.
//
//   norms[f] = √dot(w_f, w_f);  target > 0: w_f = w_f/‖w_f‖·target, and norms are those of the result; a zero row stays
//   bytes: 4·F·D, with a target 12·F·D, of which the second reading finds most in the second-level cache
//
// A group of 16 / W lanes owns a row, as the canonical dot wants it (device/dot.h): with 16-byte loads a warp walks eight rows
// side by side, each 64 bytes a step.
#include "ops.h"
#include "tile.h"
#include "device/dot.h"

namespace transweld {
namespace {

using namespace tile::unit_rows;

template <int W> struct Placed { Vec<float, W> w; float* to; };

template <int W> __global__ void __launch_bounds__(kThreads) unit_rows_kernel(tw_view weight, float target, float* norms) {
  constexpr unsigned kRows = kThreads / kGroup<W>;   // of a block
  for (uint64_t first = uint64_t{blockIdx.x} * kRows; first < weight.rows; first += uint64_t{gridDim.x} * kRows) {
    const uint64_t f = first + threadIdx.x / kGroup<W>;
    const bool mine = f < weight.rows;
    float* w = static_cast<float*>(weight.data) + (mine ? f * weight.stride : 0);
    const uint64_t columns = mine ? weight.columns : 0;   // every lane takes part in the folds
    float norm = sqrtf(group_dot<W, kAhead>(w, w, columns));
    if (target > 0) {
      const bool scales = norm != 0;
      float squares[W] = {};
      canonical_steps<W, kAhead>(columns, [&](uint64_t k) { return Placed<W>{load_vec<W>(w + k), w + k}; }, [&](Placed<W>& x) {
        if (!x.to) return;   // beyond the last column
#pragma unroll
        for (int i = 0; i < W; i++) {
          if (scales) x.w.at[i] = x.w.at[i] / norm * target;
          squares[i] = fmaf(x.w.at[i], x.w.at[i], squares[i]);
        }
        if (scales) store_vec(x.to, x.w);
      });
      norm = sqrtf(fold_group(squares));
    }
    if (norms && mine && group_lane<W>() == 0) norms[f] = norm;
  }
}

}   // namespace

tw_status unit_rows(tw_context* context, const tw_unit_rows_args& a) {
  const uint64_t rows = a.weight.rows;
  Check check{context};
  check.view("weight", a.weight, {TW_F32, rows, a.weight.columns}).optional("norms", a.norms, {TW_F32, 1, rows});
  if (check.status || !rows) return check.status;
  return with_width(vector_width(a.weight), [&](auto width) {
    constexpr int W = decltype(width)::value;
    const unsigned blocks = grid_of(rows, kThreads / kGroup<W>);
    const cudaError_t error = launch(unit_rows_kernel<W>, blocks, kThreads, 0, stream(context), a.weight, a.target, f32(a.norms));
    return launched(context, error, "unit_rows_kernel");
  });
}

}   // namespace transweld
