// fill_random: element i = row·C + column of out [R, C] f32 draws from Philox (device/philox.h) at counter offset + i.
//   UNIFORM  low + (high − low)·u, u = (word >> 8)·2⁻²⁴
//   NORMAL   low + high·g, g the cosine (even i) or sine (odd i) of a Box-Muller pair
// Bytes: R·C·4 written. A thread makes the four words of one counter and with them four elements: 25 integer operations an element,
// and for NORMAL some 40 in double, nine of them divisions. The logarithm, cosine and sine are sums, products and divisions in the
// CPU's order (IEEE, never fused), so that every backend draws the same bits. Done once a training run: nothing here is tuned.
#include "device/philox.h"
#include "device/rows.h"
#include "ops.h"

namespace transweld {
namespace {

// log x for x in [2^-24, 1]: x = 2^e · m with m in [√½, √2), log m = 2 atanh((m − 1)/(m + 1)), |·| <= 0.172: the term
// after t^19/19 is below 1e-17.
__device__ double log_of(double x) {
  uint64_t bits;
  memcpy(&bits, &x, 8);
  int64_t e = static_cast<int64_t>(bits >> 52) - 1023;
  bits = (bits & 0xfffffffffffffull) | 0x3ff0000000000000ull;
  double m;
  memcpy(&m, &bits, 8);
  if (m > 1.4142135623730951) { m *= 0.5; e += 1; }
  const double t = (m - 1) / (m + 1), q = t * t;
  double s = 1.0 / 19;
#pragma unroll
  for (int n = 17; n >= 1; n -= 2) s = s * q + 1.0 / n;
  return static_cast<double>(e) * 0.6931471805599453 + 2 * t * s;
}

// cos and sin of 2π·u for u in [0, 1): the nearest quarter turn is exact, the rest |r| <= π/4 by Taylor to r^17.
__device__ void turn(double u, double& cosine, double& sine) {
  const int quarter = static_cast<int>(u * 4 + 0.5);
  const double r = (u - quarter * 0.25) * 6.283185307179586, q = r * r;
  double c = 1, s = 1;
#pragma unroll
  for (int n = 16; n >= 2; n -= 2) {
    c = 1 - c * q / (n * (n - 1));
    s = 1 - s * q / (n * (n + 1));
  }
  s *= r;
  const bool odd = quarter & 1;
  cosine = odd ? s : c;
  sine = odd ? c : s;
  if (quarter % 4 == 1 || quarter % 4 == 2) cosine = -cosine;
  if (quarter % 4 == 2 || quarter % 4 == 3) sine = -sine;
}

// The pair of a Box-Muller draw; the first word is taken from (0, 1], where the logarithm is finite.
__device__ void normal_pair(uint32_t first, uint32_t second, float low, float high, float* pair) {
  const double radius = sqrt(-2 * log_of(((first >> 8) + 1) * 0x1p-24));
  double cosine, sine;
  turn((second >> 8) * 0x1p-24, cosine, sine);
  pair[0] = low + high * static_cast<float>(radius * cosine);
  pair[1] = low + high * static_cast<float>(radius * sine);
}

template <uint32_t Distribution> __device__ Vec<float, 4> draw(uint64_t counter, uint64_t seed, float low, float high) {
  const Words w = philox(counter, seed);
  Vec<float, 4> four;
  if constexpr (Distribution == TW_NORMAL) {
    normal_pair(w.word[0], w.word[1], low, high, four.at);
    normal_pair(w.word[2], w.word[3], low, high, four.at + 2);
  } else {
#pragma unroll
    for (int i = 0; i < 4; i++) four.at[i] = low + (high - low) * (static_cast<float>(w.word[i] >> 8) * 0x1p-24f);
  }
  return four;
}

// first: the element that column 0 is, counted with the offset. Step s of a row is counter first / 4 + s.
struct Row { uint64_t first; float* out; };

template <uint32_t Distribution>
__global__ void __launch_bounds__(Walk::kThreads)
fill_random_draw_kernel(Walk walk, uint64_t seed, uint64_t offset, float low, float high, float* out, uint64_t columns, uint64_t stride) {
  walk.each<1>([&](uint64_t row) { return Row{offset + row * columns, out + row * stride}; },
    [&](const Row& at, uint64_t step) { return draw<Distribution>(at.first / 4 + step, seed, low, high); },
    [&](const Row& at, uint64_t step, const Vec<float, 4>& four) {
      const uint64_t before = at.first % 4;   // draws of the row's first counter that belong to the row above
      float* to = at.out + step * 4 - before;
      if (step * 4 >= before && step * 4 - before + 4 <= columns && reinterpret_cast<uintptr_t>(to) % 16 == 0) {
        store_vec(to, four);
        return;
      }
#pragma unroll
      for (int i = 0; i < 4; i++) {
        if (step * 4 + i >= before && step * 4 + i - before < columns) to[i] = four.at[i];
      }
    });
}

}   // namespace

tw_status fill_random(tw_context* context, const tw_fill_random_args& a) {
  Check check{context};
  check.view("out", a.out, {TW_F32, a.out.rows, a.out.columns});
  check.that(a.distribution == TW_UNIFORM || a.distribution == TW_NORMAL, "uniform (0) or normal (1)", "distribution", a.distribution);
  if (check.status || !a.out.rows || !a.out.columns) return check.status;
  tw_view out = a.out;
  flatten(out);
  // Counters that a row may touch: C elements and up to three before them.
  const Walk walk = walk_of<1>(out.rows, blocks_of(out.columns + 3, 4));
  const auto kernel = a.distribution == TW_NORMAL ? fill_random_draw_kernel<TW_NORMAL> : fill_random_draw_kernel<TW_UNIFORM>;
  const cudaError_t error = launch(kernel, walk.blocks(), Walk::kThreads, 0, stream(context), walk, a.seed, a.offset, a.low, a.high,
                                   f32(out), out.columns, out.stride);
  return launched(context, error, "fill_random_draw_kernel");
}

}   // namespace transweld
