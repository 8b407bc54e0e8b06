// axpy: out = fma(alpha, x, beta·y); x, y, out [N, D] f32; x or y of one row serves every row, y absent counts as +0.
// Bytes: N·D·4 for each of x, y, out (a single row stays in cache); 3 flops an element. beta·y is rounded, then one fused
// multiply-add, as on the CPU. out may be x or y: a thread reads its elements before it writes them.
#include "device/rows.h"
#include "ops.h"
#include "tile.h"

namespace transweld {
namespace {

struct Row { const float *x, *y; float* out; };
template <int W> struct Terms { Vec<float, W> x, y; };

// Strides of 0 repeat a row; y may be null.
template <int W>
__global__ void __launch_bounds__(Walk::kThreads)
axpy_rows_kernel(Walk walk, float alpha, const float* x, uint64_t x_stride, float beta, const float* y, uint64_t y_stride, float* out,
                 uint64_t out_stride) {
  walk.each<tile::rows::kAhead>(
    [&](uint64_t row) { return Row{x + row * x_stride, y ? y + row * y_stride : nullptr, out + row * out_stride}; },
    [](const Row& at, uint64_t step) {
      Terms<W> terms{load_vec<W>(at.x + step * W), {}};
      if (at.y) terms.y = load_vec<W>(at.y + step * W);
      return terms;
    },
    [&](const Row& at, uint64_t step, const Terms<W>& terms) {
      Vec<float, W> sum;
#pragma unroll
      for (int i = 0; i < W; i++) sum.at[i] = fmaf(alpha, terms.x.at[i], at.y ? beta * terms.y.at[i] : 0.0f);
      store_vec(at.out + step * W, sum);
    });
}

uint64_t step_of(const tw_view& v) { return v.rows == 1 ? 0 : v.stride; }

}   // namespace

tw_status axpy(tw_context* context, const tw_axpy_args& a) {
  const uint64_t rows = a.out.rows, columns = a.out.columns;
  Check check{context};
  check.view("out", a.out, {TW_F32, rows, columns});
  check.view("x", a.x, {TW_F32, a.x.rows == 1 ? 1 : rows, columns}).optional("y", a.y, {TW_F32, a.y.rows == 1 ? 1 : rows, columns});
  if (check.status || !rows || !columns) return check.status;
  tw_view x = a.x, y = a.y, out = a.out;
  if (x.rows == rows && (!has(y) || y.rows == rows)) flatten(x, y, out);
  return with_width(vector_width(x, y, out), [&](auto width) {
    constexpr int W = decltype(width)::value;
    const Walk walk = walk_of<tile::rows::kAhead>(out.rows, out.columns / W);
    const cudaError_t error = launch(axpy_rows_kernel<W>, walk.blocks(), Walk::kThreads, 0, stream(context), walk, a.alpha, f32(x),
                                     step_of(x), a.beta, f32(y), step_of(y), f32(out), out.stride);
    return launched(context, error, "axpy_rows_kernel");
  });
}

}   // namespace transweld
