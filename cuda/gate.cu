// gate: out = act(a)·b; a, b, out [N, D] f32.
// Bytes: N·D·12; some 15 flops an element where act has an exponential: bound by memory. out may be a or b: a thread reads its elements
// before it writes them.
#include "device/maths.h"
#include "device/rows.h"
#include "ops.h"
#include "tile.h"

namespace transweld {
namespace {

struct Row { const float *a, *b; float* out; };
template <int W> struct Terms { Vec<float, W> a, b; };

template <int W>
__global__ void __launch_bounds__(Walk::kThreads)
gate_rows_kernel(Walk walk, uint32_t activation, const float* a, uint64_t a_stride, const float* b, uint64_t b_stride, float* out,
                 uint64_t out_stride) {
  walk.each<tile::rows::kAhead>(
    [&](uint64_t row) { return Row{a + row * a_stride, b + row * b_stride, out + row * out_stride}; },
    [](const Row& at, uint64_t step) { return Terms<W>{load_vec<W>(at.a + step * W), load_vec<W>(at.b + step * W)}; },
    [&](const Row& at, uint64_t step, const Terms<W>& terms) {
      Vec<float, W> product;
#pragma unroll
      for (int i = 0; i < W; i++) product.at[i] = activate(activation, terms.a.at[i]) * terms.b.at[i];
      store_vec(at.out + step * W, product);
    });
}

}   // namespace

tw_status gate(tw_context* context, const tw_gate_args& args) {
  const uint64_t rows = args.a.rows, columns = args.a.columns;
  Check check{context};
  check.that(args.activation <= TW_QUICK_GELU, "0 to 5", "activation", args.activation)
      .view("a", args.a, {TW_F32, kAny, kAny})
      .view("b", args.b, {TW_F32, rows, columns})
      .view("out", args.out, {TW_F32, rows, columns});
  if (check.status || !rows || !columns) return check.status;
  tw_view a = args.a, b = args.b, out = args.out;
  flatten(a, b, out);
  return with_width(vector_width(a, b, out), [&](auto width) {
    constexpr int W = decltype(width)::value;
    const Walk walk = walk_of<tile::rows::kAhead>(out.rows, out.columns / W);
    const cudaError_t error = launch(gate_rows_kernel<W>, walk.blocks(), Walk::kThreads, 0, stream(context), walk, args.activation, f32(a),
                                     a.stride, f32(b), b.stride, f32(out), out.stride);
    return launched(context, error, "gate_rows_kernel");
  });
}

}   // namespace transweld
