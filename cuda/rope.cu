// rope: rotary positions in place, x [N, heads·W] f32, angles [P, 2·R]: cosines c, then sines s of the place of a row; for j < R
//   x[j], x[j + R] = fma(x[j], c, −(x[j + R]·s)), fma(x[j + R], c, x[j]·s)
// Bytes: 16·R·N·heads (angles come from the caches: one row serves all heads); 6 flops a pair of columns: bound by memory. A row of the
// walk is one head; a thread has both columns of its pairs, neighbours where the views allow it. A wrong place leaves a row as it is.
#include "device/fault.h"
#include "device/rows.h"
#include "ops.h"
#include "tile.h"

namespace transweld {
namespace {

struct Heads {
  const uint32_t* places;
  const float* angles;
  float* x;
  uint64_t heads, width, half, angle_rows, angle_stride, x_stride;   // half: R
};

struct Head { const float* angles; float* x; };   // angles: null where the place is wrong
template <int W> struct Pairs { Vec<float, W> near, far, cosine, sine; };

template <int W> __global__ void __launch_bounds__(Walk::kThreads) rope_turn_kernel(Walk walk, const Heads a, Report report) {
  walk.each<tile::rope::kAhead>(
    [&](uint64_t row) {
      const uint64_t n = row / a.heads, place = a.places[n];
      if (place >= a.angle_rows) report(kFaultPlaces, place);
      return Head{place < a.angle_rows ? a.angles + place * a.angle_stride : nullptr, a.x + n * a.x_stride + (row - n * a.heads) * a.width};
    },
    [&](const Head& at, uint64_t step) {
      const uint64_t j = step * W;
      if (!at.angles) return Pairs<W>{};
      return Pairs<W>{load_vec<W>(at.x + j), load_vec<W>(at.x + j + a.half), load_vec<W>(at.angles + j), load_vec<W>(at.angles + j + a.half)};
    },
    [&](const Head& at, uint64_t step, const Pairs<W>& p) {
      if (!at.angles) return;
      Vec<float, W> near, far;
#pragma unroll
      for (int i = 0; i < W; i++) {
        near.at[i] = fmaf(p.near.at[i], p.cosine.at[i], -(p.far.at[i] * p.sine.at[i]));
        far.at[i] = fmaf(p.far.at[i], p.cosine.at[i], p.near.at[i] * p.sine.at[i]);
      }
      store_vec(at.x + step * W, near);
      store_vec(at.x + step * W + a.half, far);
    });
}

}   // namespace

tw_status rope(tw_context* context, const tw_rope_args& a) {
  const uint64_t rows = a.x.rows, columns = a.x.columns, half = a.angles.columns / 2;
  Check check{context};
  check.view("x", a.x, {TW_F32, kAny, kAny})
      .view("places", a.places, {TW_U32, 1, rows})
      .view("angles", a.angles, {TW_F32, kAny, kAny})
      .that(a.heads && columns % a.heads == 0, "heads that divide the columns of x", "heads", a.heads);
  if (check.status) return check.status;
  const uint64_t width = columns / a.heads;
  check.that(a.angles.columns % 2 == 0 && half <= width / 2, "an even number, at most the columns of a head, for columns of", "angles", a.angles.columns);
  if (check.status || !rows || !half) return check.status;
  const Heads all{u32(a.places), f32(a.angles), f32(a.x), a.heads, width, half, a.angles.rows, a.angles.stride, a.x.stride};
  int most = vector_width(a.x, a.angles);
  while (width % most || half % most) most /= 2;
  return with_width(most, [&](auto vector) {
    constexpr int W = decltype(vector)::value;
    const Walk walk = walk_of<tile::rope::kAhead>(rows * a.heads, half / W);
    return launched(context, launch(rope_turn_kernel<W>, walk.blocks(), Walk::kThreads, 0, stream(context), walk, all, report(context)),
                    "rope_turn_kernel");
  });
}

}   // namespace transweld
