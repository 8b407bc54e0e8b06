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
TW_INLINE float ranked_value(int32_t key) {   // not of NaN's
  const int32_t bits = key ^ ((key >> 31) & INT32_MAX);
  float v;
  memcpy(&v, &bits, sizeof v);
  return v;
}
// Keys are padded to whole sixteens with the least integer, which is no number's key.
TW_INLINE void rank_keys(const float* values, size_t count, int32_t* keys) {
  for (size_t i = 0; i < count; i++) keys[i] = rank_key(values[i]);
  for (size_t i = count; i % 16; i++) keys[i] = INT32_MIN;
}

#if defined(__AVX512F__)
// GCC 12 may keep a mask as 16 bits in memory and read 32 of them back: the upper ones are then someone else's.
TW_INLINE uint32_t mask_bits(__mmask16 mask) {
  uint32_t bits;
  __asm__("kmovw %1, %0" : "=r"(bits) : "k"(mask));
  return bits;
}
#endif

// A bit for each of sixteen keys above `edge`.
TW_INLINE uint32_t keys_above(const int32_t* keys, int32_t edge) {
#if defined(__AVX512F__)
  return mask_bits(_mm512_cmpgt_epi32_mask(_mm512_loadu_si512(keys), _mm512_set1_epi32(edge)));
#else
  uint32_t pass = 0;
#if defined(__AVX2__)
  for (int i = 0; i < 16; i += 8) {
    const __m256i some = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(keys + i));
    pass |= static_cast<uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpgt_epi32(some, _mm256_set1_epi32(edge))))) << i;
  }
#else
  for (int i = 0; i < 16; i++) pass |= static_cast<uint32_t>(keys[i] > edge) << i;
#endif
  return pass;
#endif
}
TW_INLINE size_t bits_in(uint32_t pass) { return static_cast<size_t>(__builtin_popcount(pass)); }
TW_INLINE size_t count_above(const int32_t* keys, size_t count, int32_t edge) {
  size_t n = 0;
  for (size_t i = 0; i < count; i += 16) n += bits_in(keys_above(keys + i, edge));
  return n;
}

// The k-th largest of `count` padded keys (1 <= k <= count), and in `above` how many are larger. A range below the largest
// is widened until it holds k of them (they mostly lie within an octave or two), then halved.
static inline __attribute__((unused)) int32_t kth_key(const int32_t* keys, size_t count, size_t k, size_t& above) {
  int64_t high = INT32_MIN;
  for (size_t i = 0; i < (count + 15) / 16 * 16; i++) high = keys[i] > high ? keys[i] : high;
  int64_t low = high, gap = 1 << 21;
  size_t from = 0;                         // keys in low ... the largest
  for (;; gap *= 4) {
    low = high - gap < INT32_MIN + 1 ? INT32_MIN + 1 : high - gap;
    from = count_above(keys, count, static_cast<int32_t>(low - 1));
    if (from >= k) break;
    high = low - 1;
  }
  while (low < high && from != k) {
    const int64_t middle = high - (high - low) / 2;
    const size_t upper = count_above(keys, count, static_cast<int32_t>(middle - 1));
    if (upper >= k) { low = middle; from = upper; } else high = middle - 1;
  }
  int32_t last = static_cast<int32_t>(low);
  if (from == k) {                         // exactly these: the k-th is the least of them
    last = INT32_MAX;
    for (size_t i = 0; i < (count + 15) / 16 * 16; i++) last = keys[i] >= low && keys[i] < last ? keys[i] : last;
  }
  above = count_above(keys, count, last);
  return last;
}

// A bit for each lane that compares so with `limit`. NaN passes the two negations, and everything passes with a NaN limit.
#if defined(__AVX512F__)
template <int kRelation> TW_INLINE uint32_t compare(lanes v, float limit) {
  return mask_bits(_mm512_cmp_ps_mask(v.part[0], _mm512_set1_ps(limit), kRelation));
}
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
TW_INLINE void append_from(uint32_t pass, uint32_t first, uint32_t* index) {   // lane i stands for first + i
#if defined(__AVX512F__)
  const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const __m512i features = _mm512_add_epi32(lane, _mm512_set1_epi32(static_cast<int>(first)));
  _mm512_storeu_si512(index, _mm512_maskz_compress_epi32(static_cast<__mmask16>(pass), features));
#else
  for (; pass; pass &= pass - 1) *index++ = first + static_cast<uint32_t>(__builtin_ctz(pass));
#endif
}
TW_INLINE void append(uint32_t pass, const uint32_t* features, uint32_t* index) {
#if defined(__AVX512F__)
  _mm512_storeu_si512(index, _mm512_maskz_compress_epi32(static_cast<__mmask16>(pass), _mm512_loadu_si512(features)));
#else
  for (; pass; pass &= pass - 1) *index++ = features[__builtin_ctz(pass)];
#endif
}
// The lanes of the k best among sixteen: all above `last`, and of those equal to it the first `ties`, which it counts down.
TW_INLINE uint32_t best_lanes(const int32_t* keys, int32_t last, size_t& ties) {
  uint32_t best = keys_above(keys, last);
  if (ties) {
    for (uint32_t equal = keys_above(keys, last - 1) & ~best; equal && ties; equal &= equal - 1, ties--) best |= equal & -equal;
  }
  return best;
}

// Everything but the K best leaves the list; what stays keeps its order. Returns the value of the K-th (NaN if that is one).
static inline __attribute__((unused)) float keep_best(float* values, uint32_t* index, size_t count, size_t k, int32_t* keys) {
  rank_keys(values, count, keys);
  size_t above, kept = 0;
  const int32_t last = kth_key(keys, count, k, above);
  size_t ties = k - above;
  for (size_t i = 0; i < count; i += 16) {
    const uint32_t best = best_lanes(keys + i, last, ties);
    append(best, load(values + i), values + kept);   // never ahead of what is read
    append(best, index + i, index + kept);
    kept += bits_in(best);
  }
  return last == INT32_MAX ? __builtin_nanf("") : ranked_value(last);
}

// The running best K of one row. `room` is at least K + 16; the lists have kSpill more places: they pass their room by up
// to 16, and their last whole vector by up to 16 more.
constexpr size_t kSpill = 32;
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
  for (size_t i = 0; i < count; i++) wide[i] = rank_key(values[i]) * (int64_t{1} << 32) + static_cast<int64_t>(UINT32_MAX - i);
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
