// s = dot(g[n], weight[f]) + penalty·norms[f] at code positions: N·K dot products instead of N·F.
// One item is a row of codes; its dot products run several at a time, since one alone waits on its own chain of additions.
#include "ops.h"
#include "combine.h"
#include "pattern.h"

namespace transweld::TRANSWELD_ISA {
namespace {

constexpr size_t kRows = 4;     // rows of codes an item
constexpr int kFlight = 8;      // dot products at a time

// The positions of one row that need a dot product.
template <class T> struct Wanting {
  size_t count = 0;
  size_t position[kChunk];
  const T* row[kChunk];
};

// out[position] = dot(g, row), S of them side by side.
template <int S, class T> TW_INLINE void dots(const float* g, const Wanting<T>& list, size_t i, size_t columns, float* out) {
  lanes s[S];
  for (int j = 0; j < S; j++) s[j] = splat(0);
  sixteens(columns, [&](size_t k, size_t some) {
    const lanes x = load_upto(g + k, some);
    for (int j = 0; j < S; j++) s[j] = fma(x, load_upto(list.row[i + j] + k, some), s[j]);
  });
  for (int j = 0; j < S; j++) out[list.position[i + j]] = fold(s[j]);
}

template <class T> void sample_row(const tw_sparse_sample_args& a, const Pattern& codes, const T* weight, size_t n) {
  const float* gate = f32(a.gate);
  float* out = f32(a.out);
  Wanting<T> list;
  const size_t begin = codes.begin(n), end = codes.end(n), columns = a.g.columns;
  for (size_t p = begin; p < end; p += kChunk) {
    list.count = 0;
    for (size_t i = p; i < end && i < p + kChunk; i++) {
      if (gate && gate[i] == 0) { out[i] = 0; continue; }
      list.position[list.count] = i;
      list.row[list.count++] = weight + codes.index[i] * a.weight.stride;
    }
    size_t i = 0;
    for (; i + kFlight <= list.count; i += kFlight) dots<kFlight>(row(a.g, n), list, i, columns, out);
    for (; i < list.count; i++) dots<1>(row(a.g, n), list, i, columns, out);
    if (!has(a.norms)) continue;
    for (i = 0; i < list.count; i++) {
      const size_t at = list.position[i];
      out[at] += a.penalty * f32(a.norms)[codes.index[at]];
    }
  }
}

// Σ gate·norms[f] over a row's positions, in stored order.
float penalty_row(const Pattern& codes, const float* gate, const float* norms, size_t n) {
  float total = 0;
  const size_t begin = codes.begin(n), end = codes.end(n);
  for (size_t p = begin; p < end; p += kChunk) {
    float s = 0;
    for (size_t i = p; i < end && i < p + kChunk; i++) s = fma_one(gate[i], norms[codes.index[i]], s);
    total = p == begin ? s : total + s;
  }
  return total;
}

// A row sum of numbers that lie side by side.
float sum_of_rows(const float* list, size_t count) {
  float total = 0;
  for (size_t p = 0; p < count; p += kChunk) {
    float s = 0;
    for (size_t i = p; i < count && i < p + kChunk; i++) s += list[i];
    total = p == 0 ? s : total + s;
  }
  return total;
}

}   // namespace

tw_status sparse_sample(tw_context* context, const tw_sparse_sample_args& a) {
  const size_t rows = a.g.rows, columns = a.g.columns, features = a.weight.rows;
  Pattern codes;
  Check check{context};
  check.view("g", a.g, {TW_F32, rows, columns}).view("weight", a.weight, {kFloat, kAny, columns});
  check.optional("norms", a.norms, {TW_F32, 1, features});
  read_pattern(check, a.codes, rows, features, codes);
  read_plane(check, "out", a.codes, a.out);
  if (has(a.gate)) read_plane(check, "gate", a.codes, a.gate);
  if (has(a.penalty_sum)) {
    check.view("penalty_sum", a.penalty_sum, {TW_F32, 1, 1});
    check.that(!rows || (has(a.gate) && has(a.norms)), "gate and norms", "penalty_sum", 0);
  }
  if (check.status) return check.status;
  float* penalties = nullptr;
  if (has(a.penalty_sum)) {
    penalties = static_cast<float*>(scratch(context, (rows + 1) * sizeof(float)));
    if (!penalties) return fail(context, TW_MEMORY, "no memory for %zu rows of penalty_sum", rows);
  }
  with_float(a.weight, [&](const auto* weight) {
    each(context, (rows + kRows - 1) / kRows, [&](size_t item, unsigned) {
      for (size_t n = item * kRows; n < rows && n < (item + 1) * kRows; n++) {
        sample_row(a, codes, weight, n);
        if (penalties) penalties[n] = penalty_row(codes, f32(a.gate), f32(a.norms), n);
      }
    });
  });
  if (penalties) f32(a.penalty_sum)[0] = a.penalty * sum_of_rows(penalties, rows);
  return TW_OK;
}

}   // namespace transweld::TRANSWELD_ISA
