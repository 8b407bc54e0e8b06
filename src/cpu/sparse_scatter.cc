// codesᵀ × dense, by feature: a feature's whole gradient row is gathered into a buffer of a few kilobytes and either
// stored, or spent at once on the step of its weight row. No gradient of a weight exists; w, m and v stream once.
// One item is a few groups of sixteen features: the unit of a shadow's layout, and a vector of biases.
#include "ops.h"
#include "combine.h"
#include "pattern.h"
#include "row_update.h"
#include "shadow.h"

namespace transweld::TRANSWELD_ISA {
namespace {

constexpr size_t kGroup = 16;
constexpr size_t kFeatures = 4 * kGroup;   // an item

// sum[0 ... columns) = row sum of plane·dense over feature f's positions; returns the same of plane alone.
float term_row(const tw_term& term, size_t f, size_t columns, float* sum) {
  Gathered<float> g;
  float total = 0;
  const size_t begin = u64(term.feature_starts)[f], end = u64(term.feature_starts)[f + 1];
  for (size_t p = begin; p < end; p += kChunk) {
    g.count = end - p < kChunk ? end - p : kChunk;
    float s = 0;
    for (size_t i = 0; i < g.count; i++) {
      g.scale[i] = f32(term.plane)[u32(term.slots)[p + i]];
      g.row[i] = row(term.dense, u32(term.rows)[p + i]);
      s += g.scale[i];
    }
    total = p == begin ? s : total + s;
    combine(g, columns, p == begin, sum);
  }
  if (begin == end) memset(sum, 0, columns * sizeof(float));
  return total;
}

struct Sums { float first, all; };   // Σ plane of term 0, and of all terms

// gradient[0 ... columns) = Σ_terms; `other` is a buffer of the same size.
Sums gradient_row(const tw_sparse_scatter_args& a, size_t f, size_t columns, float* gradient, float* other) {
  const float first = term_row(a.terms[0], f, columns, gradient);
  float all = first;
  for (uint32_t t = 1; t < a.term_count; t++) {
    all += term_row(a.terms[t], f, columns, other);
    sixteens(columns, [&](size_t k, size_t n) { store_upto(gradient + k, load_upto(gradient + k, n) + load_upto(other + k, n), n); });
  }
  return {first, all};
}

Check& check_term(Check& check, const tw_term& term, size_t features, size_t columns) {
  check.view("terms.feature_starts", term.feature_starts, {TW_U64, 1, features + 1});
  check.view("terms.rows", term.rows, {TW_U32, 1, kAny}).view("terms.slots", term.slots, {TW_U32, 1, kAny});
  check.view("terms.plane", term.plane, {TW_F32, kAny, kAny}).view("terms.dense", term.dense, {TW_F32, kAny, columns});
  if (check.status) return check;
  const uint64_t room = term.rows.columns < term.slots.columns ? term.rows.columns : term.slots.columns;
  if (starts_fit(check, "terms.feature_starts", u64(term.feature_starts), features, room).status) return check;
  const size_t positions = u64(term.feature_starts)[features];
  if (!positions) return check;
  const uint32_t last_row = largest(u32(term.rows), positions), last_slot = largest(u32(term.slots), positions);
  const uint64_t reach = term.plane.rows ? (term.plane.rows - 1) * term.plane.stride + term.plane.columns : 0;
  return check.that(last_row < term.dense.rows, "rows of dense", "terms.rows", last_row)
              .that(last_slot < reach, "positions of the plane", "terms.slots", last_slot);
}

Check& check_adam(Check& check, const tw_sparse_scatter_args& a, size_t features, size_t columns) {
  const Wanted matrix = {TW_F32, features, columns}, vector = {TW_F32, 1, features};
  check.view("weight", a.weight, matrix).view("m", a.m, matrix).view("v", a.v, matrix);
  check.optional("bias", a.bias, vector).optional("norms", a.norms, vector);
  if (has(a.bias)) check.view("bias_m", a.bias_m, vector).view("bias_v", a.bias_v, vector);
  if (a.screen != TW_SCREEN_NONE) check.view("shadow", a.shadow, {TW_I8, 1, screen_bytes(a.screen, features, columns)});
  return check;
}

void store_gradient(const tw_sparse_scatter_args& a, size_t from, size_t to, float* other) {
  for (size_t f = from; f < to; f++) {
    const Sums sums = gradient_row(a, f, a.gradient.columns, row(a.gradient, f), other);
    if (has(a.gradient_bias)) f32(a.gradient_bias)[f] = sums.all;
  }
}

Row matrix_row(const tw_sparse_scatter_args& a, size_t f) { return {row(a.weight, f), row(a.m, f), row(a.v, f)}; }

// Features from ... to − 1 of one item.
void update(const tw_sparse_scatter_args& a, const RowUpdate& rule, size_t from, size_t to, float* gradient, float* other) {
  const size_t columns = a.weight.columns;
  float bias[kFeatures] = {};
  for (size_t f = from; f < to; f++) {
    const Sums sums = gradient_row(a, f, columns, gradient, other);
    const Row own = matrix_row(a, f), next = f + 1 < to ? matrix_row(a, f + 1) : own;
    const float norm = rule.move(own, next, gradient, sums.first, columns);
    if (has(a.norms)) f32(a.norms)[f] = norm;
    if (a.screen != TW_SCREEN_NONE) shadow_refresh(a.shadow.data, a.screen, a.weight.rows, columns, f, own.w);
    bias[f - from] = sums.all;
  }
  if (!has(a.bias)) return;
  sixteens(to - from, [&](size_t k, size_t n) {
    rule.adam.move(f32(a.bias) + from + k, f32(a.bias_m) + from + k, f32(a.bias_v) + from + k, load(bias + k), n);
  });
}

}   // namespace

tw_status sparse_scatter(tw_context* context, const tw_sparse_scatter_args& a) {
  const bool adam = a.mode == TW_ADAM;
  const tw_view& shape = adam ? a.weight : a.gradient;
  const size_t features = shape.rows, columns = shape.columns;
  Check check{context};
  check.that(a.mode == TW_GRADIENT || adam, "gradient (0) or adam (1)", "mode", a.mode);
  check.that(a.term_count >= 1 && a.term_count <= 4, "1 to 4", "term_count", a.term_count);
  if (adam) check_adam(check, a, features, columns);
  else check.view("gradient", a.gradient, {TW_F32, features, columns}).optional("gradient_bias", a.gradient_bias, {TW_F32, 1, features});
  check.optional("ok", a.ok, {TW_U32, 1, 1});
  for (uint32_t t = 0; !check.status && t < a.term_count; t++) check_term(check, a.terms[t], features, columns);
  if (check.status || !features || (has(a.ok) && !u32(a.ok)[0])) return check.status;

  const size_t padded = columns / 16 * 16 + 16;
  float* buffers = static_cast<float*>(scratch(context, threads(context) * 2 * padded * sizeof(float)));
  if (!buffers) return fail(context, TW_MEMORY, "no memory for a row of %zu columns a thread", columns);
  const RowUpdate rule = {adam_of(a), a.self_penalty, a.project != 0, a.unit != 0};
  each(context, (features + kFeatures - 1) / kFeatures, [&](size_t item, unsigned worker) {
    const size_t from = item * kFeatures, to = from + kFeatures < features ? from + kFeatures : features;
    float* gradient = buffers + worker * 2 * padded;
    if (adam) update(a, rule, from, to, gradient, gradient + padded);
    else store_gradient(a, from, to, gradient + padded);
  });
  return TW_OK;
}

}   // namespace transweld::TRANSWELD_ISA
