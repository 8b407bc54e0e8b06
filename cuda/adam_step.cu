// The Adam step of sparse_scatter (device/adam.h) on a whole tensor whose gradient exists: biases, the skip matrix, small models.
//
//   w, m, v [R, C] inout, gradient [R, C]
//   bytes: 28·R·C, 16 of them read; about 60 instructions an element (three exact divisions and a root), 15 an element and
//          clock where memory has 2: bound by memory
#include "ops.h"
#include "tile.h"
#include "device/adam.h"
#include "device/rows.h"

namespace transweld {
namespace {

using tile::adam_step::kAhead;

struct Tensors { tw_view weight, m, v, gradient; };

struct Row { float *w, *m, *v; const float* g; };
template <int W> struct Step { Vec<float, W> w, m, v, g; };

template <int W>
__global__ void __launch_bounds__(Walk::kThreads) adam_step_kernel(Walk walk, Tensors t, Adam adam, const uint32_t* ok) {
  if (ok && !*ok) return;
  const auto row_of = [](const tw_view& v, uint64_t r) { return static_cast<float*>(v.data) + r * v.stride; };
  walk.each<kAhead>([&](uint64_t r) { return Row{row_of(t.weight, r), row_of(t.m, r), row_of(t.v, r), row_of(t.gradient, r)}; },
    [](const Row& at, uint64_t step) {
      const uint64_t c = step * W;
      return Step<W>{load_once<W>(at.w + c), load_once<W>(at.m + c), load_once<W>(at.v + c), load_once<W>(at.g + c)};
    },
    [&](const Row& at, uint64_t step, Step<W>& x) {
      adam.step(x.w, x.g, x.m, x.v);
      store_once(at.w + step * W, x.w);
      store_once(at.m + step * W, x.m);
      store_once(at.v + step * W, x.v);
    });
}

}   // namespace

tw_status adam_step(tw_context* context, const tw_adam_step_args& a) {
  const Wanted same = {TW_F32, a.weight.rows, a.weight.columns};
  Check check{context};
  check.view("weight", a.weight, same).view("m", a.m, same).view("v", a.v, same).view("gradient", a.gradient, same);
  check.optional("ok", a.ok, {TW_U32, 1, 1});
  if (check.status || !a.weight.rows || !a.weight.columns) return check.status;
  Tensors t = {a.weight, a.m, a.v, a.gradient};
  flatten(t.weight, t.m, t.v, t.gradient);
  return with_width(vector_width(t.weight, t.m, t.v, t.gradient), [&](auto width) {
    constexpr int W = decltype(width)::value;
    const Walk walk = walk_of<kAhead>(t.weight.rows, t.weight.columns / W);
    return launched(context, launch(adam_step_kernel<W>, walk.blocks(), Walk::kThreads, 0, stream(context), walk, t, adam_of(a), u32(a.ok)),
                    "adam_step_kernel");
  });
}

}   // namespace transweld
