// Cross entropy of a row of logits with its target, and its divergence from a reference row, without a row of
// probabilities: one pass for the largest logits, one for the sums.
//
//   log p_v = (x_v − m) − log S, S = Σ e^(x_v − m), and the same with reference logits for q:
//   kl = Σ q_v (log q_v − log p_v) = (Σ e^(r_v − m_r)·((r_v − m_r) − (x_v − m))) / S_r + log S − log S_r
// Equal rows give exactly 0.
#include "../expect.h"
#include "maths.h"
#include "ops.h"

namespace transweld::TRANSWELD_ISA {
namespace {

constexpr size_t kRows = 4;                  // an item
constexpr uint32_t kIgnored = 0xFFFFFFFFu;   // a target that counts for nothing

TW_INLINE float largest(const float* x, size_t count) {
  lanes m = splat(-__builtin_inff());
  sixteens(count, [&](size_t k, size_t n) {
    if (n == 16) { m = max(m, load(x + k)); return; }
    float rest[16];
    for (size_t i = 0; i < 16; i++) rest[i] = x[k + (i < n ? i : 0)];
    m = max(m, load(rest));
  });
  return fold_max(m);
}

// e^x in the lanes below n, 0 in the others.
TW_INLINE lanes exp_upto(lanes x, size_t n) {
  const lanes e = exp(x);
  if (n == 16) return e;
  float rest[16];
  store(rest, e);
  return load_some(rest, n);
}

struct Sums { float p, q, difference; };   // Σ e^(x−m), Σ e^(r−m_r), Σ e^(r−m_r)·((r−m_r) − (x−m))

TW_INLINE Sums sums(const float* x, float most, const float* reference, float reference_most, size_t count) {
  lanes p = splat(0), q = splat(0), difference = splat(0);
  sixteens(count, [&](size_t k, size_t n) {
    const lanes below = load_upto(x + k, n) - splat(most);
    p = p + exp_upto(below, n);
    if (!reference) return;
    const lanes reference_below = load_upto(reference + k, n) - splat(reference_most);
    const lanes e = exp_upto(reference_below, n);
    q = q + e;
    lanes term = e * (reference_below - below);
    for (int i = 0; i < kParts; i++) term.part[i] = select(e.part[i] == splat_native(0), splat_native(0), term.part[i]);   // 0·log 0 = 0
    difference = difference + term;
  });
  return {fold(p), fold(q), fold(difference)};
}

}   // namespace

tw_status token_loss(tw_context* context, const tw_token_loss_args& a) {
  const uint64_t rows = a.logits.rows, columns = a.logits.columns;
  Check check{context};
  check.view("logits", a.logits, {TW_F32, kAny, kAny})
      .view("targets", a.targets, {TW_U32, 1, rows})
      .optional("reference", a.reference, {TW_F32, rows, columns})
      .view("loss", a.loss, {TW_F32, 1, rows})
      .optional("kl", a.kl, {TW_F32, 1, rows})
      .that(!has(a.kl) || has(a.reference), "reference logits", "kl", 0);
  if (check.status) return check.status;
  const uint32_t* targets = u32(a.targets);
  for (uint64_t n = 0; n < rows; n++) {
    check.that(targets[n] < columns || targets[n] == kIgnored, "targets below V or 4294967295", "targets", targets[n]);
  }
  if (check.status) return check.status;
  each(context, (rows + kRows - 1) / kRows, [&](size_t item, unsigned) {
    for (size_t n = item * kRows; n < rows && n < (item + 1) * kRows; n++) {
      f32(a.loss)[n] = 0;
      if (has(a.kl)) f32(a.kl)[n] = 0;
      if (targets[n] == kIgnored) continue;
      const float* x = row(a.logits, n);
      const float* reference = has(a.kl) ? row(a.reference, n) : nullptr;
      const float most = largest(x, columns), reference_most = reference ? largest(reference, columns) : 0;
      const Sums s = sums(x, most, reference, reference_most, columns);
      const float log_p = log_one(s.p);
      f32(a.loss)[n] = log_p - (x[targets[n]] - most);
      if (reference) f32(a.kl)[n] = s.difference / s.q + (log_p - log_one(s.q));
    }
  });
  return TW_OK;
}

}   // namespace
