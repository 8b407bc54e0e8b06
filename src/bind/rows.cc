// The rows, in the order of tw_op_table; fields in the order of their struct. test/native/abi.test.ts holds them
// against op_table.h and against lib/native/abi.ts.
#include "rows.h"

namespace transweld {

// offsetof needs the field's name as a token, and so does the name for messages.
#define NUMBER(kind, field) {#field, Kind::kind, false, offsetof(Args, field), 0}
#define VIEW(kind, field) {#field, Kind::kind, false, offsetof(Args, field), 0}
#define OPTIONAL(kind, field) {#field, Kind::kind, true, offsetof(Args, field), 0}
#define INOUT_IF(switch_field, kind, field) {#field, Kind::kind, false, offsetof(Args, field), offsetof(Args, switch_field)}
#define PATTERN(kind) OPTIONAL(kind, codes.starts), VIEW(kind, codes.index)
#define TERM(i) OPTIONAL(in, terms[i].feature_starts), OPTIONAL(in, terms[i].rows), OPTIONAL(in, terms[i].slots), \
                OPTIONAL(in, terms[i].plane), OPTIONAL(in, terms[i].dense)
#define FIELDS(stem, ...) \
  struct stem##_fields { using Args = tw_##stem##_args; static constexpr Field list[] = {__VA_ARGS__}; }

FIELDS(sparse_encode, NUMBER(u32, rule), NUMBER(u32, relu), NUMBER(u32, screen), VIEW(in, x), VIEW(in, weight), OPTIONAL(in, bias),
       OPTIONAL(in, subset), OPTIONAL(in, shadow), PATTERN(out), VIEW(out, z), VIEW(out, counts), NUMBER(f32, certificate_scale));
FIELDS(sparse_decode, NUMBER(u32, accumulate), PATTERN(in), VIEW(in, z), VIEW(in, weight), OPTIONAL(in, bias),
       INOUT_IF(accumulate, out, out));
FIELDS(sparse_sample, NUMBER(f32, penalty), PATTERN(in), VIEW(in, g), VIEW(in, weight), OPTIONAL(in, gate), OPTIONAL(in, norms),
       VIEW(out, out), OPTIONAL(out, penalty_sum));
FIELDS(feature_major, NUMBER(u32, features), PATTERN(in), NUMBER(u64, code_rows), OPTIONAL(in, z), VIEW(out, feature_starts),
       VIEW(out, rows), VIEW(out, slots), OPTIONAL(out, fired));
FIELDS(sparse_scatter, NUMBER(u32, mode), NUMBER(u32, term_count), NUMBER(u32, project), NUMBER(u32, unit), NUMBER(u32, screen),
       TERM(0), TERM(1), TERM(2), TERM(3), OPTIONAL(out, gradient), OPTIONAL(out, gradient_bias), OPTIONAL(inout, weight),
       OPTIONAL(inout, m), OPTIONAL(inout, v), OPTIONAL(inout, bias), OPTIONAL(inout, bias_m), OPTIONAL(inout, bias_v),
       OPTIONAL(out, norms), OPTIONAL(inout, shadow), OPTIONAL(in, ok), NUMBER(f32, rate), NUMBER(f32, beta1), NUMBER(f32, beta2),
       NUMBER(f32, epsilon), NUMBER(f32, correction1), NUMBER(f32, correction2), NUMBER(f32, self_penalty));
FIELDS(screen_rows, NUMBER(u32, screen), VIEW(in, weight), VIEW(out, shadow));
FIELDS(recon_loss, NUMBER(u32, loss), NUMBER(f32, weight), VIEW(in, y), VIEW(in, y_hat), OPTIONAL(in, variance_of), OPTIONAL(out, dy),
       VIEW(out, stats), OPTIONAL(inout, ok));
FIELDS(adam_step, NUMBER(f32, rate), NUMBER(f32, beta1), NUMBER(f32, beta2), NUMBER(f32, epsilon), NUMBER(f32, correction1),
       NUMBER(f32, correction2), VIEW(inout, weight), VIEW(inout, m), VIEW(inout, v), VIEW(in, gradient), OPTIONAL(in, ok));
FIELDS(unit_rows, NUMBER(f32, target), INOUT_IF(target, in, weight), OPTIONAL(out, norms));
FIELDS(fill_random, NUMBER(u32, distribution), NUMBER(u64, seed), NUMBER(u64, offset), NUMBER(f32, low), NUMBER(f32, high), VIEW(out, out));
FIELDS(fill, NUMBER(f32, value), NUMBER(u64, bits), VIEW(out, out));
FIELDS(gather_rows, VIEW(in, source), VIEW(in, index), VIEW(out, out));
FIELDS(cast, VIEW(in, source), VIEW(out, out));
FIELDS(row_moments, VIEW(in, a), VIEW(in, b), VIEW(out, out));
FIELDS(axpy, NUMBER(f32, alpha), NUMBER(f32, beta), VIEW(in, x), OPTIONAL(in, y), VIEW(out, out));
FIELDS(reduce_rows, NUMBER(f32, scale), VIEW(in, x), VIEW(out, out));
FIELDS(matmul, NUMBER(u32, contract), NUMBER(u32, activation), NUMBER(u32, accumulate), NUMBER(u32, arithmetic), NUMBER(f32, cap),
       VIEW(in, a), VIEW(in, b), OPTIONAL(in, b_scales), OPTIONAL(in, bias), INOUT_IF(accumulate, out, c));
FIELDS(embed_rows, NUMBER(f32, scale), VIEW(in, ids), VIEW(in, table), OPTIONAL(in, table_scales), OPTIONAL(in, places),
       OPTIONAL(in, positions), VIEW(out, out));
FIELDS(norm, NUMBER(u32, kind), NUMBER(u32, groups), NUMBER(f32, epsilon), VIEW(in, x), OPTIONAL(in, gain), OPTIONAL(in, bias),
       OPTIONAL(out, normalised), OPTIONAL(out, inverse), VIEW(out, out));
FIELDS(attend, NUMBER(u32, heads), NUMBER(u32, key_heads), NUMBER(u32, window), NUMBER(f32, scale), NUMBER(f32, cap), VIEW(in, q),
       VIEW(in, k), VIEW(in, v), VIEW(in, starts), OPTIONAL(in, key_starts), OPTIONAL(in, key_counts), VIEW(out, out));
FIELDS(token_loss, VIEW(in, logits), VIEW(in, targets), OPTIONAL(in, reference), VIEW(out, loss), OPTIONAL(out, kl));
FIELDS(norm_frozen, NUMBER(u32, kind), NUMBER(u32, groups), NUMBER(u32, transpose), NUMBER(u32, accumulate), VIEW(in, x),
       OPTIONAL(in, gain), VIEW(in, inverse), INOUT_IF(accumulate, out, out));
FIELDS(rope, NUMBER(u32, heads), VIEW(in, places), VIEW(in, angles), VIEW(inout, x));
FIELDS(gate, NUMBER(u32, activation), VIEW(in, a), VIEW(in, b), VIEW(out, out));
FIELDS(scatter_rows, VIEW(in, source), VIEW(in, index), VIEW(inout, out));
FIELDS(attend_pattern, NUMBER(u32, heads), NUMBER(u32, key_heads), NUMBER(u32, window), NUMBER(f32, scale), NUMBER(f32, cap), VIEW(in, q),
       VIEW(in, k), VIEW(out, out));
FIELDS(attend_frozen, NUMBER(u32, heads), NUMBER(u32, key_heads), NUMBER(u32, transpose), NUMBER(u32, accumulate), VIEW(in, pattern),
       VIEW(in, x), INOUT_IF(accumulate, out, out));

#define ROW(stem, may_alias) \
  {#stem, &tw_op_table::stem, sizeof(tw_##stem##_args), may_alias, stem##_fields::list, sizeof stem##_fields::list / sizeof(Field)}

const Row kRows[] = {
  ROW(sparse_encode, false), ROW(sparse_decode, false), ROW(sparse_sample, false), ROW(feature_major, false),
  ROW(sparse_scatter, false), ROW(screen_rows, false), ROW(recon_loss, false), ROW(adam_step, false), ROW(unit_rows, false),
  ROW(fill_random, false), ROW(fill, false), ROW(gather_rows, false), ROW(cast, false), ROW(row_moments, false), ROW(axpy, true),
  ROW(reduce_rows, false), ROW(matmul, false), ROW(embed_rows, false), ROW(norm, true), ROW(attend, false), ROW(token_loss, false),
  ROW(norm_frozen, true), ROW(rope, false), ROW(gate, true), ROW(scatter_rows, false), ROW(attend_pattern, false), ROW(attend_frozen, false),
};
const uint32_t kRowCount = sizeof kRows / sizeof(Row);

const char* kind_name(Kind kind) {
  constexpr const char* kNames[] = {"u32", "u64", "f32", "in", "out", "inout"};
  return kNames[static_cast<int>(kind)];
}

}   // namespace transweld
