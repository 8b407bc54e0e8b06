// Dots of a tile of queries with a block of keys, on keys turned so that lanes are keys: the sixteen partial sums of a canonical
// dot are then vectors, and folding them takes no shuffles. It pays from about thirty queries on.
//
//   keys   [16-key group][width][16 keys]   width rounded up to sixteen, filled with zeros
#pragma once
#include "attend_values.h"
#include "transpose.h"

namespace transweld::TRANSWELD_ISA { namespace {

// The order in which the partial sums are made, so that the fold needs a stack of four: s0+s8, s4+s12, s2+s10, ...
constexpr int kOrder[16] = {0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15};

TW_INLINE void turn_keys(const float* from, size_t stride, size_t rows, size_t width, float* to, size_t padded) {
  for (size_t group = 0; group * 16 < rows; group++) {
    float* keys = to + group * 16 * padded;
    const size_t count = rows - group * 16 < 16 ? rows - group * 16 : 16;
    if (count < 16) memset(keys, 0, 16 * padded * sizeof(float));
    else memset(keys + 16 * width, 0, 16 * (padded - width) * sizeof(float));
    transpose(from + group * 16 * stride, stride, count, width, keys, 16);
  }
}

// dots[q, 0 ... kWidth·G) = dot(queries[q], key) for the keys of G registers. Steps = padded/16 where it is known at compile time
// (loops of two turns cost more than their body), else 0.
template <int Steps, int Q, int G> TW_INLINE void dot_tile(const float* queries, const float* keys, size_t padded, float* dots) {
  if constexpr (Steps) padded = Steps * 16;
  native stack[4][Q][G];
#pragma GCC unroll 16
  for (int i = 0, depth = 0; i < 16; i++) {
    native s[Q][G];
    for (int q = 0; q < Q; q++) for (int g = 0; g < G; g++) s[q][g] = splat_native(0);
#pragma GCC unroll 4
    for (size_t k = kOrder[i]; k < padded; k += 16) {
      native key[G];
#pragma GCC unroll 4
      for (int g = 0; g < G; g++) key[g] = load_native(keys + (g * kWidth / 16) * 16 * padded + 16 * k + g * kWidth % 16);
#pragma GCC unroll 4
      for (int q = 0; q < Q; q++) {
        const native query = splat_native(queries[q * padded + k]);
#pragma GCC unroll 4
        for (int g = 0; g < G; g++) s[q][g] = fma_native(query, key[g], s[q][g]);
      }
    }
#pragma GCC unroll 4
    for (int n = i; n & 1; n >>= 1) {
      depth--;
      for (int q = 0; q < Q; q++) for (int g = 0; g < G; g++) s[q][g] = add_native(stack[depth][q][g], s[q][g]);
    }
    for (int q = 0; q < Q; q++) {
      for (int g = 0; g < G; g++) {
        if (i < 15) stack[depth][q][g] = s[q][g];
        else store_native(dots + q * kBlock + g * kWidth, s[q][g]);
      }
    }
    depth++;
  }
}

// The dots of kRows queries with the keys of a block, whole groups of sixteen.
template <int Steps> void dot_block(const float* queries, const float* keys, Span seen, size_t padded, float* dots) {
  constexpr int Q = kWidth == 16 ? 4 : 2, G = kWidth == 4 ? 1 : 2;
  const size_t end = (seen.end + 15) / 16 * 16;
  for (int q = 0; q < kRows; q += Q) {
    size_t j = seen.begin & ~size_t{15};
    for (; j + G * kWidth <= end; j += G * kWidth) {
      dot_tile<Steps, Q, G>(queries + q * padded, keys + (j / 16 * padded) * 16 + j % 16, padded, dots + q * kBlock + j);
    }
    for (; j < end; j += kWidth) {
      dot_tile<Steps, Q, 1>(queries + q * padded, keys + (j / 16 * padded) * 16 + j % 16, padded, dots + q * kBlock + j);
    }
  }
}

TW_INLINE void dot_keys(const float* queries, const float* keys, Span seen, size_t padded, float* dots) {
  if (padded == 32) dot_block<2>(queries, keys, seen, padded, dots);
  else if (padded == 64) dot_block<4>(queries, keys, seen, padded, dots);
  else dot_block<0>(queries, keys, seen, padded, dots);
}

} }   // namespace
