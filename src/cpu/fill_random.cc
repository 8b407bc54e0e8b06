// Random weights. Element i is a function of (seed, offset + i) alone: neither threads nor the shape of a call matter.
// The normal draws are computed in double by plain sums and products and rounded once, so that they are the same f32 in
// every class of bits (but for ties at 2^-28 of a rounding).
#include "ops.h"
#include "../expect.h"
#include "philox.h"

namespace transweld::TRANSWELD_ISA {
namespace {

constexpr size_t kElements = 4096;   // an item at least

// log x for x in [2^-24, 1]: x = 2^e · m with m in [√½, √2), log m = 2 atanh((m − 1)/(m + 1)), |·| <= 0.172: the term
// after t^19/19 is below 1e-17.
double log_of(double x) {
  uint64_t bits;
  memcpy(&bits, &x, 8);
  int64_t e = static_cast<int64_t>(bits >> 52) - 1023;
  bits = (bits & 0xfffffffffffffull) | 0x3ff0000000000000ull;
  double m;
  memcpy(&m, &bits, 8);
  if (m > 1.4142135623730951) { m *= 0.5; e += 1; }
  const double t = (m - 1) / (m + 1), q = t * t;
  double s = 1.0 / 19;
  for (int n = 17; n >= 1; n -= 2) s = s * q + 1.0 / n;
  return static_cast<double>(e) * 0.6931471805599453 + 2 * t * s;
}

// cos and sin of 2π·u for u in [0, 1): the nearest quarter turn is exact, the rest |r| <= π/4 by Taylor to r^17.
void turn(double u, double& cosine, double& sine) {
  const int quarter = static_cast<int>(u * 4 + 0.5);
  const double r = (u - quarter * 0.25) * 6.283185307179586, q = r * r;
  double c = 1, s = 1;
  for (int n = 16; n >= 2; n -= 2) {
    c = 1 - c * q / (n * (n - 1));
    s = 1 - s * q / (n * (n + 1));
  }
  s *= r;
  const double x[4] = {c, -s, -c, s};
  cosine = x[quarter & 3];
  sine = x[(quarter + 3) & 3];
}

// The pair of a Box-Muller draw; the first word is taken from (0, 1], where the logarithm is finite.
void normal_pair(uint32_t first, uint32_t second, float low, float high, float* pair) {
  const double radius = __builtin_sqrt(-2 * log_of(((first >> 8) + 1) * 0x1p-24));
  double cosine, sine;
  turn((second >> 8) * 0x1p-24, cosine, sine);
  pair[0] = low + high * static_cast<float>(radius * cosine);
  pair[1] = low + high * static_cast<float>(radius * sine);
}

// Elements 4·block ... 4·block + 3.
void draw(const tw_fill_random_args& a, uint64_t block, float* four) {
  const Words w = philox(block, a.seed);
  if (a.distribution == TW_NORMAL) {
    normal_pair(w.word[0], w.word[1], a.low, a.high, four);
    normal_pair(w.word[2], w.word[3], a.low, a.high, four + 2);
    return;
  }
  for (int i = 0; i < 4; i++) four[i] = a.low + (a.high - a.low) * (static_cast<float>(w.word[i] >> 8) * 0x1p-24f);
}

void draw_row(const tw_fill_random_args& a, uint64_t first, float* out, size_t count) {
  for (size_t i = 0; i < count;) {
    const size_t word = (first + i) % 4, some = 4 - word < count - i ? 4 - word : count - i;
    float four[4];
    draw(a, (first + i) / 4, four);
    memcpy(out + i, four + word, some * sizeof(float));
    i += some;
  }
}

}   // namespace

tw_status fill_random(tw_context* context, const tw_fill_random_args& a) {
  const size_t rows = a.out.rows, columns = a.out.columns;
  Check check{context};
  check.view("out", a.out, {TW_F32, rows, columns});
  check.that(a.distribution == TW_UNIFORM || a.distribution == TW_NORMAL, "uniform (0) or normal (1)", "distribution", a.distribution);
  if (check.status || !columns) return check.status;
  const size_t some = columns >= kElements ? 1 : kElements / columns;   // rows an item
  each(context, (rows + some - 1) / some, [&](size_t item, unsigned) {
    for (size_t r = item * some; r < rows && r < (item + 1) * some; r++) draw_row(a, a.offset + r * columns, row(a.out, r), columns);
  });
  return TW_OK;
}

}   // namespace transweld::TRANSWELD_ISA
