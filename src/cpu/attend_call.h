// One call of attend, cut up: sequences, and the rows of one key head. Heads that read the same key head share its keys: a row is a
// query of one of them, rows of a query lie beside each other.
#pragma once
#include "../expect.h"
#include "attend_values.h"

namespace transweld::TRANSWELD_ISA { namespace {

// First rows and counts. Query t stands at position keys − queries + t.
struct Sequence { size_t query, queries, key, keys; };

struct Call {
  const tw_attend_args& a;
  size_t width, group;                                  // columns of a head; heads of a key head

  explicit Call(const tw_attend_args& args) : a(args), width(args.q.columns / args.heads), group(args.heads / args.key_heads) {}
  size_t padded() const { return (width + 15) / 16 * 16; }
  size_t sequences() const { return a.starts.columns - 1; }
  size_t blocks(size_t keys) const { return (keys + kBlock - 1) / kBlock; }
  Sequence sequence(size_t b) const {
    const uint32_t* starts = u32(a.starts);
    const size_t query = starts[b], queries = starts[b + 1] - query;
    if (!has(a.key_starts)) return {query, queries, query, queries};
    return {query, queries, u32(a.key_starts)[b], u32(a.key_counts)[b]};
  }

  // Row r of a sequence and a key head.
  Span keys(const Sequence& s, size_t r) const { return seen(s.keys - s.queries + r / group, a.window); }
  size_t column(size_t key_head, size_t r) const { return (key_head * group + r % group) * width; }
  const float* query(const Sequence& s, size_t key_head, size_t r) const { return row(a.q, s.query + r / group) + column(key_head, r); }
  float* out(const Sequence& s, size_t key_head, size_t r) const { return row(a.out, s.query + r / group) + column(key_head, r); }
  const float* key(const Sequence& s, size_t key_head, size_t j) const { return row(a.k, s.key + j) + key_head * width; }
  const float* value(const Sequence& s, size_t key_head, size_t j) const { return row(a.v, s.key + j) + key_head * width; }
};

} }   // namespace
