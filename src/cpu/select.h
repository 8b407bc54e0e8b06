// Selection while the pre-activations are in cache: what passes a limit is appended to a short list, and a full list is
// cut back to the best K, whose last one is the next limit. Exact for every input: NaN first, −0 equal to +0, ties to
// the lower feature (features arrive in ascending order, so a later equal one never enters).
#pragma once
#include "lanes.h"

namespace transweld::TRANSWELD_ISA { namespace {

// Numbers as integers in ranking order.
TW_INLINE int32_t rank_key(float v) {
  const float even = v + 0.0f;   // −0 becomes +0
  int32_t bits;
  memcpy(&bits, &even, 4);
  return v != v ? INT32_MAX : bits ^ ((bits >> 31) & INT32_MAX);
}
TW_INLINE void rank_keys(const float* values, size_t count, int32_t* keys) {
  for (size_t i = 0; i < count; i++) keys[i] = rank_key(values[i]);
}
TW_INLINE size_t count_from(const int32_t* keys, size_t count, int32_t least) {
  int32_t from = 0;
  for (size_t i = 0; i < count; i++) from += keys[i] >= least;
  return static_cast<size_t>(from);
}

// The k-th largest of `count` keys (1 <= k <= count), by halving the range that holds it. `above` receives how many are larger.
static inline __attribute__((unused)) int32_t kth_key(const int32_t* keys, size_t count, size_t k, size_t& above) {
  int32_t low = INT32_MAX, high = INT32_MIN;
  for (size_t i = 0; i < count; i++) {
    low = keys[i] < low ? keys[i] : low;
    high = keys[i] > high ? keys[i] : high;
  }
  above = 0;                               // keys above `high`: always fewer than k
  while (low < high) {
    const int32_t middle = static_cast<int32_t>(high - static_cast<int32_t>((static_cast<uint32_t>(high) - static_cast<uint32_t>(low)) / 2));
    const size_t from = count_from(keys, count, middle);
    if (from >= k) low = middle; else { high = middle - 1; above = from; }
    if (from == k) {                       // exactly these: the k-th is the smallest of them
      int32_t least = INT32_MAX;
      for (size_t i = 0; i < count; i++) least = keys[i] >= middle && keys[i] < least ? keys[i] : least;
      size_t equal = 0;
      for (size_t i = 0; i < count; i++) equal += keys[i] == least;
      above = k - equal;
      return least;
    }
  }
  return low;
}

// A bit for each lane that compares so with `limit`. NaN passes the two negations, and everything passes with a NaN limit.
#if defined(__AVX512F__)
template <int kRelation> TW_INLINE uint32_t compare(lanes v, float limit) { return _mm512_cmp_ps_mask(v.part[0], _mm512_set1_ps(limit), kRelation); }
#elif defined(__AVX2__)
template <int kRelation> TW_INLINE uint32_t compare(lanes v, float limit) {
  const __m256 l = _mm256_set1_ps(limit);
  return static_cast<uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(v.part[0], l, kRelation)) |
                               _mm256_movemask_ps(_mm256_cmp_ps(v.part[1], l, kRelation)) << 8);
}
#endif
#if defined(__AVX2__)
TW_INLINE uint32_t not_at_most(lanes v, float limit) { return compare<_CMP_NLE_UQ>(v, limit); }
TW_INLINE uint32_t not_below(lanes v, float limit) { return compare<_CMP_NLT_UQ>(v, limit); }
TW_INLINE uint32_t above(lanes v, float limit) { return compare<_CMP_GT_OQ>(v, limit); }
#else
TW_INLINE uint32_t not_at_most(lanes v, float limit) {
  uint32_t pass = 0;
  float each[16];
  store(each, v);
  for (int i = 0; i < 16; i++) pass |= static_cast<uint32_t>(!(each[i] <= limit)) << i;
  return pass;
}
#endif

// Appends the lanes of `pass` in order. Writes up to 16 numbers, whatever the count.
TW_INLINE void append(uint32_t pass, lanes v, float* values) {
#if defined(__AVX512F__)
  _mm512_storeu_ps(values, _mm512_maskz_compress_ps(static_cast<__mmask16>(pass), v.part[0]));
#else
  float each[16];
  store(each, v);
  for (; pass; pass &= pass - 1) *values++ = each[__builtin_ctz(pass)];
#endif
}
TW_INLINE void append(uint32_t pass, const uint32_t* features, uint32_t* index) {
#if defined(__AVX512F__)
  _mm512_storeu_si512(index, _mm512_maskz_compress_epi32(static_cast<__mmask16>(pass), _mm512_loadu_si512(features)));
#else
  for (; pass; pass &= pass - 1) *index++ = features[__builtin_ctz(pass)];
#endif
}
TW_INLINE size_t bits_in(uint32_t pass) { return static_cast<size_t>(__builtin_popcount(pass)); }

// Everything but the K best leaves the list; what stays keeps its order. Returns the value of the K-th.
static inline __attribute__((unused)) float keep_best(float* values, uint32_t* index, size_t count, size_t k, int32_t* keys) {
  rank_keys(values, count, keys);
  size_t above;
  const int32_t last = kth_key(keys, count, k, above);
  size_t ties = k - above, kept = 0;
  float least = 0;
  for (size_t i = 0; i < count; i++) {
    const bool tie = keys[i] == last, keep = keys[i] > last || (tie && ties);
    ties -= tie && ties;
    least = tie ? values[i] : least;
    values[kept] = values[i];
    index[kept] = index[i];
    kept += keep;
  }
  return least;
}

// The running best K of one row. `room` is at least K + 16; the lists have 16 more places, for whole vectors.
struct Top {
  float* values;
  uint32_t* index;
  size_t count;
  float limit;   // NaN: all pass

  void start(float* v, uint32_t* i) { values = v; index = i; count = 0; limit = __builtin_nanf(""); }
  __attribute__((always_inline)) void take(lanes v, uint32_t valid, const uint32_t* features, size_t k, size_t room, int32_t* keys) {
    const uint32_t pass = not_at_most(v, limit) & valid;
    if (!pass) return;
    append(pass, v, values + count);
    append(pass, features, index + count);
    if ((count += bits_in(pass)) > room) cut(k, keys);
  }
  void cut(size_t k, int32_t* keys) {
    if (count < k) return;
    const float least = keep_best(values, index, count, k, keys);
    count = k;
    limit = least == least ? least : __builtin_inff();   // all K are NaN: what comes later loses the tie
  }
};

// Order of a finished list (its features ascending): order[r] = place of rank r. By counting for short lists, for long
// ones by a heap. `wide` holds count + 8 numbers: ranking key above, complement of the place below, so all differ.
static inline __attribute__((unused)) void rank_order(const float* values, size_t count, int64_t* wide, uint32_t* order) {
  for (size_t i = 0; i < count; i++) wide[i] = static_cast<int64_t>(rank_key(values[i])) * (int64_t{1} << 32) + static_cast<int64_t>(UINT32_MAX - i);
  if (count <= 256) {
    const size_t padded = (count + 7) & ~size_t{7};
    for (size_t i = count; i < padded; i++) wide[i] = INT64_MIN;
    for (size_t i = 0; i < count; i++) {
      int64_t rank = 0;
      for (size_t j = 0; j < padded; j++) rank += wide[j] > wide[i];
      order[rank] = static_cast<uint32_t>(i);
    }
    return;
  }
  const auto sink = [&](size_t at, size_t end) {   // smallest on top
    const int64_t moved = wide[at];
    for (size_t child; (child = 2 * at + 1) < end; at = child) {
      if (child + 1 < end && wide[child + 1] < wide[child]) child++;
      if (wide[child] >= moved) break;
      wide[at] = wide[child];
    }
    wide[at] = moved;
  };
  for (size_t i = count / 2; i-- > 0;) sink(i, count);
  for (size_t end = count; end-- > 0;) {
    order[end] = UINT32_MAX - static_cast<uint32_t>(wide[0]);
    wide[0] = wide[end];
    sink(0, end);
  }
}

} }   // namespace
