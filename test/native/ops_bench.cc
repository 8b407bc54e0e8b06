// Every op alone at a shape: rows and codes as a training step has them. Bytes are what must be read and written once; rows of a
// weight that codes name count once each.
#include <algorithm>
#include "bench.h"

namespace transweld {
namespace {

double number(uint64_t value) { return static_cast<double>(value); }
template <class Args> Args sized() { Args a{}; a.size = sizeof a; return a; }

struct Group {
  const char* name;
  std::vector<Measured> (*make)(Stock&, const Shape&);
};

// A side that calls an op with these arguments; the stock outlives it.
template <class Args> Side calls(Stock& stock, tw_op* tw_op_table::*entry, const Args& args) {
  return [&stock, entry, args] { stock.call(entry, args); };
}

std::vector<Measured> sparse_encode(Stock& stock, const Shape& s) {
  constexpr const char* kNames[] = {"sparse_encode", "sparse_encode, bf16 screen", "sparse_encode, int8 screen"};
  constexpr double kBytes[] = {4, 2, 1};
  auto a = sized<tw_sparse_encode_args>();
  a.rule = TW_RULE_TOPK;
  a.relu = 1;
  a.x = stock.normal(s.N, s.D);
  a.weight = stock.normal(s.F, s.D);
  stock.call(&tw_op_table::unit_rows, tw_unit_rows_args{sizeof(tw_unit_rows_args), 1, a.weight, {}});
  a.bias = stock.zeros(1, s.F);
  a.codes.index = stock.room(s.N, s.K, TW_U32);
  a.z = stock.room(s.N, s.K);
  a.counts = stock.room(1, 4, TW_U64);
  a.certificate_scale = 1;
  std::vector<Measured> sides;
  for (uint32_t screen : {TW_SCREEN_NONE, TW_SCREEN_BF16, TW_SCREEN_INT8}) {
    a.screen = screen;
    a.shadow = stock.shadow(screen, a.weight);
    if (screen != TW_SCREEN_NONE && !a.shadow.columns) continue;
    const double bytes = 4 * number(s.N * s.D) + kBytes[screen] * number(s.F * s.D) + 8 * number(s.N * s.K);
    sides.push_back({kNames[screen], {2 * number(s.N * s.D * s.F), bytes}, calls(stock, &tw_op_table::sparse_encode, a)});
  }
  return sides;
}

std::vector<Measured> screen_rows(Stock& stock, const Shape& s) {
  const tw_view weight = stock.normal(s.F, s.D);
  std::vector<Measured> sides;
  for (uint32_t screen : {TW_SCREEN_BF16, TW_SCREEN_INT8}) {
    const tw_view shadow = stock.shadow(screen, weight);
    if (!shadow.columns) continue;
    sides.push_back({screen == TW_SCREEN_BF16 ? "screen_rows, bf16" : "screen_rows, int8", {0, 4 * number(s.F * s.D) + number(shadow.columns)},
                     calls(stock, &tw_op_table::screen_rows, tw_screen_rows_args{sizeof(tw_screen_rows_args), screen, weight, shadow})});
  }
  return sides;
}

double named_rows(const Shape& s) { return number(std::min(s.F, s.N * s.K)); }

std::vector<Measured> sparse_decode(Stock& stock, const Shape& s) {
  const tw_view weight = stock.normal(s.F, s.D), out = stock.room(s.N, s.D), z = stock.normal(s.N, s.K);
  const tw_sparse_decode_args a{sizeof a, 0, stock.codes(s), z, weight, stock.zeros(1, s.D), out};
  return {{"sparse_decode", {2 * number(s.N * s.K * s.D), 4 * named_rows(s) * number(s.D) + 4 * number(s.N * s.D) + 8 * number(s.N * s.K)},
           calls(stock, &tw_op_table::sparse_decode, a)}};
}

std::vector<Measured> sparse_sample(Stock& stock, const Shape& s) {
  auto a = sized<tw_sparse_sample_args>();
  a.codes = stock.codes(s);
  a.g = stock.normal(s.N, s.D);
  a.weight = stock.normal(s.F, s.D);
  a.gate = stock.normal(s.N, s.K);
  a.out = stock.room(s.N, s.K);
  return {{"sparse_sample", {2 * number(s.N * s.K * s.D), 4 * named_rows(s) * number(s.D) + 4 * number(s.N * s.D) + 12 * number(s.N * s.K)},
           calls(stock, &tw_op_table::sparse_sample, a)}};
}

std::vector<Measured> feature_major(Stock& stock, const Shape& s) {
  const tw_pattern codes = stock.codes(s);
  const tw_view z = stock.normal(s.N, s.K);
  const Major m = stock.major(s, codes, z);
  const tw_feature_major_args a{sizeof a, static_cast<uint32_t>(s.F), codes, s.N, z, m.feature_starts, m.rows, m.slots, m.fired};
  return {{"feature_major", {0, 16 * number(s.N * s.K) + 12 * number(s.F)}, calls(stock, &tw_op_table::feature_major, a)}};
}

std::vector<Measured> sparse_scatter(Stock& stock, const Shape& s) {
  const tw_view z = stock.normal(s.N, s.K);
  const Major m = stock.major(s, stock.codes(s), z);
  auto a = sized<tw_sparse_scatter_args>();
  a.term_count = 1;
  a.terms[0] = {m.feature_starts, m.rows, m.slots, z, stock.normal(s.N, s.D)};
  auto gradient = a;
  gradient.gradient = stock.room(s.F, s.D);
  a.mode = TW_ADAM;
  a.weight = stock.normal(s.F, s.D);
  a.m = stock.zeros(s.F, s.D);
  a.v = stock.zeros(s.F, s.D);
  a.norms = stock.room(1, s.F);
  a.rate = 1e-4f, a.beta1 = 0.9f, a.beta2 = 0.999f, a.epsilon = 1e-8f, a.correction1 = 0.5f, a.correction2 = 0.1f;
  const double operations = 2 * number(s.N * s.K * s.D), read = 4 * number(s.N * s.D) + 12 * number(s.N * s.K);
  return {{"sparse_scatter, gradient", {operations, read + 4 * number(s.F * s.D)}, calls(stock, &tw_op_table::sparse_scatter, gradient)},
          {"sparse_scatter, Adam", {operations, read + 24 * number(s.F * s.D)}, calls(stock, &tw_op_table::sparse_scatter, a)}};
}

std::vector<Measured> recon_loss(Stock& stock, const Shape& s) {
  const tw_view y = stock.normal(s.N, s.D), y_hat = stock.normal(s.N, s.D), dy = stock.room(s.N, s.D);
  const tw_recon_loss_args a{sizeof a, TW_LOSS_FVU, 1, 0, y, y_hat, {}, dy, stock.room(1, 8), {}};
  return {{"recon_loss", {0, 12 * number(s.N * s.D)}, calls(stock, &tw_op_table::recon_loss, a)}};
}

std::vector<Measured> adam_step(Stock& stock, const Shape& s) {
  const tw_view weight = stock.normal(s.F, s.D), m = stock.zeros(s.F, s.D), v = stock.zeros(s.F, s.D), gradient = stock.normal(s.F, s.D);
  const tw_adam_step_args a{sizeof a, 1e-4f, 0.9f, 0.999f, 1e-8f, 0.5f, 0.1f, 0, weight, m, v, gradient, {}};
  return {{"adam_step", {0, 28 * number(s.F * s.D)}, calls(stock, &tw_op_table::adam_step, a)}};
}

// Ops on a weight [F, D] that move bytes and hardly compute.
std::vector<Measured> moving(Stock& stock, const Shape& s) {
  const tw_view weight = stock.normal(s.F, s.D), other = stock.room(s.F, s.D), low = stock.room(s.F, s.D, TW_BF16), norms = stock.room(1, s.F);
  const double elements = number(s.F * s.D);
  const auto draw = [&](uint32_t distribution) {
    return calls(stock, &tw_op_table::fill_random, tw_fill_random_args{sizeof(tw_fill_random_args), distribution, 1, 0, 0, 1, other});
  };
  return {
    {"unit_rows", {0, 8 * elements}, calls(stock, &tw_op_table::unit_rows, tw_unit_rows_args{sizeof(tw_unit_rows_args), 1, weight, norms})},
    {"fill_random, uniform", {0, 4 * elements}, draw(TW_UNIFORM)},
    {"fill_random, normal", {0, 4 * elements}, draw(TW_NORMAL)},
    {"fill", {0, 4 * elements}, calls(stock, &tw_op_table::fill, tw_fill_args{sizeof(tw_fill_args), 1, 0, other})},
    {"cast, f32 to bf16", {0, 6 * elements}, calls(stock, &tw_op_table::cast, tw_cast_args{sizeof(tw_cast_args), 0, weight, low})},
    {"axpy", {0, 12 * elements}, calls(stock, &tw_op_table::axpy, tw_axpy_args{sizeof(tw_axpy_args), 0.5f, 0.5f, 0, weight, other, other})},
  };
}

// Ops on rows [N, D].
std::vector<Measured> rows(Stock& stock, const Shape& s) {
  const tw_view a = stock.normal(s.N, s.D), b = stock.normal(s.N, s.D), out = stock.room(s.N, s.D), moments = stock.room(s.N, 4);
  const tw_view table = stock.normal(s.F, s.D), ids = stock.below(1, s.N, static_cast<uint32_t>(s.F)), column = stock.room(1, s.D);
  const tw_gather_rows_args gathering{sizeof gathering, 0, table, ids, out};
  const tw_embed_rows_args embedding{sizeof embedding, 1, ids, table, {}, {}, {}, out};
  const double elements = number(s.N * s.D);
  return {
    {"gather_rows", {0, 8 * elements}, calls(stock, &tw_op_table::gather_rows, gathering)},
    {"embed_rows", {0, 8 * elements}, calls(stock, &tw_op_table::embed_rows, embedding)},
    {"row_moments", {0, 8 * elements}, calls(stock, &tw_op_table::row_moments, tw_row_moments_args{sizeof(tw_row_moments_args), 0, a, b, moments})},
    {"reduce_rows", {0, 4 * elements}, calls(stock, &tw_op_table::reduce_rows, tw_reduce_rows_args{sizeof(tw_reduce_rows_args), 1, a, column})},
  };
}

// What stands between the products of a layer, on rows [N, D]; heads of 64.
std::vector<Measured> layer(Stock& stock, const Shape& s) {
  const uint32_t heads = static_cast<uint32_t>(std::max(s.D / 64, uint64_t{1}));
  const tw_view a = stock.normal(s.N, s.D), b = stock.normal(s.N, s.D), out = stock.room(s.N, s.D), gain = stock.normal(1, s.D);
  const tw_view inverse = stock.room(s.N, 1), turned = stock.normal(s.N, s.D / heads * heads), angles = stock.normal(s.N, s.D / heads / 2 * 2);
  std::vector<uint32_t> ascending(s.N);
  for (uint32_t n = 0; n < ascending.size(); n++) ascending[n] = n;
  const tw_view places = stock.integers(ascending);
  const auto normed = [&](uint32_t kind) {
    return calls(stock, &tw_op_table::norm, tw_norm_args{sizeof(tw_norm_args), kind, 1, 1e-5f, a, gain, {}, {}, inverse, out});
  };
  const tw_norm_frozen_args frozen{sizeof frozen, TW_LAYER_NORM, 1, 1, 0, 0, a, gain, inverse, out};
  const double elements = number(s.N * s.D);
  return {
    {"norm, layer", {0, 8 * elements}, normed(TW_LAYER_NORM)},
    {"norm, rms", {0, 8 * elements}, normed(TW_RMS_NORM)},
    {"norm_frozen", {0, 8 * elements}, calls(stock, &tw_op_table::norm_frozen, frozen)},
    {"rope", {0, 8 * elements}, calls(stock, &tw_op_table::rope, tw_rope_args{sizeof(tw_rope_args), heads, places, angles, turned})},
    {"gate, silu", {0, 12 * elements}, calls(stock, &tw_op_table::gate, tw_gate_args{sizeof(tw_gate_args), TW_SILU, a, b, out})},
    {"scatter_rows", {0, 8 * elements}, calls(stock, &tw_op_table::scatter_rows, tw_scatter_rows_args{sizeof(tw_scatter_rows_args), 0, a, places, out})},
  };
}

// Rows as many as the shape's, and one: a step of generation, which reads the weight.
std::vector<Measured> matmul(Stock& stock, const Shape& s) {
  const tw_view a = stock.normal(s.N, s.D), b = stock.normal(s.F, s.D), low_a = stock.in_dtype(a, TW_BF16), low_b = stock.in_dtype(b, TW_BF16);
  std::vector<Measured> all;
  const auto product = [&](const char* name, tw_view left, const tw_view& right, uint32_t arithmetic, uint64_t rows) {
    left.rows = rows;
    const double operations = 2 * number(rows * s.D * s.F);
    const double bytes = number(rows * s.D * tw_dtype_bytes(left.dtype) + s.F * s.D * tw_dtype_bytes(right.dtype) + 4 * rows * s.F);
    const tw_matmul_args args{sizeof(tw_matmul_args), TW_COLUMNS, TW_LINEAR, 0, arithmetic, 0, left, right, {}, {}, stock.room(rows, s.F)};
    all.push_back({name, {operations, bytes}, calls(stock, &tw_op_table::matmul, args)});
  };
  product("matmul f32", a, b, TW_EXACT, s.N);
  product("matmul bf16", low_a, low_b, TW_EXACT, s.N);
  product("matmul bf16, rounded", a, low_b, TW_ROUNDED, s.N);
  product("matmul f32, one row", a, b, TW_EXACT, 1);
  product("matmul bf16, one row", a, low_b, TW_EXACT, 1);
  return all;
}

// Sequences of 1024 tokens, heads of 64: a row sees half of its sequence on average.
std::vector<Measured> attend(Stock& stock, const Shape& s) {
  constexpr uint64_t kTokens = 1024, kWidth = 64;
  const uint64_t columns = std::max(s.D / kWidth, uint64_t{1}) * std::min(s.D, kWidth), heads = std::max(s.D / kWidth, uint64_t{1});
  std::vector<uint32_t> starts;
  double pairs = 0;
  for (uint64_t n = 0; n < s.N; n += kTokens) {
    const double length = number(std::min(kTokens, s.N - n));
    pairs += length * (length + 1) / 2;
    starts.push_back(static_cast<uint32_t>(n));
  }
  starts.push_back(static_cast<uint32_t>(s.N));
  const tw_view q = stock.normal(s.N, columns), k = stock.normal(s.N, columns), v = stock.normal(s.N, columns), out = stock.room(s.N, columns);
  const uint32_t count = static_cast<uint32_t>(heads);
  const tw_attend_args a{sizeof a, count, count, 0, 0.125f, 0, q, k, v, stock.integers(starts), {}, {}, out};
  return {{"attend", {4 * pairs * number(columns), 16 * number(s.N * columns)}, calls(stock, &tw_op_table::attend, a)}};
}

std::vector<Measured> token_loss(Stock& stock, const Shape& s) {
  const tw_view logits = stock.normal(s.N, s.F), targets = stock.below(1, s.N, static_cast<uint32_t>(s.F));
  const tw_view loss = stock.room(1, s.N), kl = stock.room(1, s.N);
  const double bytes = 4 * number(s.N * s.F);
  const tw_token_loss_args alone{sizeof alone, 0, logits, targets, {}, loss, {}}, both{sizeof both, 0, logits, targets, logits, loss, kl};
  return {{"token_loss", {0, bytes}, calls(stock, &tw_op_table::token_loss, alone)},
          {"token_loss, divergence", {0, bytes}, calls(stock, &tw_op_table::token_loss, both)}};
}

// Products first: they tell the rate that floors are made of.
constexpr Group kGroups[] = {
  {"matmul", matmul}, {"sparse_encode", sparse_encode}, {"screen_rows", screen_rows},
  {"sparse_decode", sparse_decode}, {"sparse_sample", sparse_sample},
  {"feature_major", feature_major}, {"sparse_scatter", sparse_scatter}, {"recon_loss", recon_loss}, {"adam_step", adam_step},
  {"unit_rows fill_random fill cast axpy", moving}, {"gather_rows embed_rows row_moments reduce_rows", rows},
  {"norm norm_frozen rope gate scatter_rows", layer},
  {"attend", attend}, {"token_loss", token_loss},
};

}   // namespace

void bench_ops(Report& report, const Shape& shape, const std::string& only) {
  for (const Group& group : kGroups) {
    if (std::string(group.name).find(only) == std::string::npos) continue;
    try {
      Stock stock(report.opened);
      report.measure(shape, group.make(stock, shape));
    } catch (const std::exception& error) {
      report.failed(shape, group.name, error.what());
    }
  }
}

}   // namespace transweld
