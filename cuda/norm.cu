// norm: normalised = (x − mean)/√(variance + epsilon), out = normalised·gain + bias; both sums of a row in the canonical order.
//   x, normalised, out [N, D] f32, gain, bias [1, D]      bytes 8·N·D (12 with normalised), flops 8·N·D: bound by memory
// A half-warp a row: its sixteen lanes are the sixteen partial sums, and each keeps its elements k = j, j + 16, ... in
// registers through all three passes, so that a row is read once, with all of its loads under way together (48 a lane at
// D = 768). A row that the registers do not hold is read three times, twice of it from the caches.
#include "device/reduce.h"
#include "ops.h"
#include "tile.h"

namespace transweld {
namespace {

using tile::norm::kThreads;
constexpr unsigned kRows = kThreads / kHalf;   // a block, one for each half-warp

struct Rows {
  const float *x, *gain, *bias;                // bias: or null
  float *normalised, *out;                     // normalised: or null
  uint64_t rows, columns, x_stride, normalised_stride, out_stride;
  float epsilon;
};

// f(k, x[k]) for this lane's columns in ascending order: from registers (Held of them), or where Held is 0 from memory.
template <int Held, class F>
__device__ void each_column(const float (&held)[Held ? Held : 1], const float* x, uint64_t columns, const F& f) {
  if constexpr (Held > 0) {
    const unsigned mine = half_lane(), count = static_cast<unsigned>(columns);
#pragma unroll
    for (int i = 0; i < Held; i++) {
      if (mine + kHalf * i < count) f(mine + kHalf * i, held[i]);
    }
  } else {
#pragma unroll 8
    for (uint64_t k = half_lane(); k < columns; k += kHalf) f(k, x[k]);
  }
}

template <int Held> __global__ void __launch_bounds__(kThreads) norm_half_kernel(const Rows a) {
  const float count = static_cast<float>(a.columns);
  for (uint64_t first = uint64_t{blockIdx.x} * kRows; first < a.rows; first += uint64_t{gridDim.x} * kRows) {
    const uint64_t n = first + threadIdx.x / kHalf;
    const uint64_t columns = n < a.rows ? a.columns : 0;      // beyond the last row: along with the folds, without memory
    const float* x = a.x + n * a.x_stride;
    float held[Held ? Held : 1];
    if constexpr (Held > 0) {
      const unsigned mine = half_lane(), width = static_cast<unsigned>(columns);
#pragma unroll
      for (int i = 0; i < Held; i++) held[i] = mine + kHalf * i < width ? x[mine + kHalf * i] : 0;
    }
    float sum = 0;
    each_column<Held>(held, x, columns, [&](uint64_t, float value) { sum = sum + value; });
    const float mean = fold(sum) / count;
    float squares = 0;
    each_column<Held>(held, x, columns, [&](uint64_t, float value) {
      const float d = value - mean;
      squares = squares + d * d;
    });
    const float scale = 1.0f / sqrtf(fold(squares) / count + a.epsilon);
    float* out = a.out + n * a.out_stride;
    float* normalised = a.normalised ? a.normalised + n * a.normalised_stride : nullptr;
    each_column<Held>(held, x, columns, [&](uint64_t k, float value) {
      const float y = (value - mean) * scale;
      if (normalised) normalised[k] = y;
      out[k] = a.bias ? fmaf(y, a.gain[k], a.bias[k]) : y * a.gain[k];
    });
  }
}

}   // namespace

tw_status norm(tw_context* context, const tw_norm_args& a) {
  const uint64_t rows = a.x.rows, columns = a.x.columns;
  Check check{context};
  check.view("x", a.x, {TW_F32, kAny, kAny})
      .view("gain", a.gain, {TW_F32, 1, columns})
      .optional("bias", a.bias, {TW_F32, 1, columns})
      .optional("normalised", a.normalised, {TW_F32, rows, columns})
      .view("out", a.out, {TW_F32, rows, columns});
  if (check.status || !rows || !columns) return check.status;
  const Rows all{f32(a.x), f32(a.gain), f32(a.bias), f32(a.normalised), f32(a.out), rows, columns, a.x.stride, a.normalised.stride,
                 a.out.stride, a.epsilon};
  const auto run = [&](auto kernel) {
    return launched(context, launch(kernel, grid_of(rows, kRows), kThreads, 0, stream(context), all), "norm_half_kernel");
  };
  const uint64_t held = blocks_of(columns, kHalf);
  if (held <= tile::norm::kHeld[0]) return run(norm_half_kernel<tile::norm::kHeld[0]>);
  if (held <= tile::norm::kHeld[1]) return run(norm_half_kernel<tile::norm::kHeld[1]>);
  if (held <= tile::norm::kHeld[2]) return run(norm_half_kernel<tile::norm::kHeld[2]>);
  return run(norm_half_kernel<0>);
}

}   // namespace transweld
