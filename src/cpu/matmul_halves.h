// The ROUNDED product on vdpbf16ps: rows of bf16 with rows of bf16, two columns an instruction. Tile and fold are those of tile.h,
// over 32 columns a step: partial sum j takes the pairs k = 2j, 2j + 1 of every 32. Numbers below 2^-126 count as 0.
//
// An instruction set without it rounds a and takes the exact path instead: the same products, summed in the canonical order. So
// the bits of ROUNDED are those of a machine with bf16 instructions or those of one without; never of the shape.
#pragma once
#include "matmul_deep.h"
#include "matmul_stream.h"

namespace transweld::TRANSWELD_ISA { namespace {

#if defined(__AVX512BF16__)
constexpr size_t kSlabBytes = 64 << 20;        // of a rounded to bf16 at a time

// Elements from one rounded row to the next: whole lines, never a power of two.
TW_INLINE size_t halves_stride(size_t depth) { return ((depth + 31) & ~size_t{31}) + 32; }

static inline void round_row(const tw_view& a, size_t from, bf16* to) {
  with_float(a, [&](auto* data) {
    const auto* source = data + from * a.stride;
    sixteens(a.columns, [&](size_t k, size_t n) {
      const __m256i halves = (__m256i)_mm512_cvtneps_pbh(load_upto(source + k, n).part[0]);
      _mm256_mask_storeu_epi16(to + k, static_cast<__mmask16>((1u << n) - 1), halves);
    });
  });
}

constexpr int kHalvesRows = 4, kHalvesColumns = 6, kHalvesAlone = 8;

TW_INLINE __m512i load_pairs(const bf16* p) { return _mm512_loadu_si512(p); }
TW_INLINE __m512 multiply_pairs(__m512 sum, __m512i a, __m512i b) { return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b); }

// Lines `ahead` elements further on are asked for.
template <int R, int C, bool kAhead, bool kOn = false>
TW_INLINE void halves_sums(const bf16* const* a, const bf16* const* b, size_t depth, size_t ahead, lanes (&acc)[R][C]) {
  const bf16 *pa[R], *pb[C];
  for (int r = 0; r < R; r++) pa[r] = a[r];
  for (int c = 0; c < C; c++) pb[c] = b[c];
  __m512 sum[R][C];
  for (int r = 0; r < R; r++) for (int c = 0; c < C; c++) sum[r][c] = kOn ? acc[r][c].part[0] : _mm512_setzero_ps();
  const size_t whole = depth & ~size_t{31};
#pragma GCC unroll 1
  for (size_t k = 0; k < whole; k += 32) {
    __m512i left[R];
#pragma GCC unroll 8
    for (int r = 0; r < R; r++) left[r] = load_pairs(pa[r] + k);
#pragma GCC unroll 8
    for (int c = 0; c < C; c++) {
      const __m512i right = load_pairs(pb[c] + k);
      if (kAhead) __builtin_prefetch(pb[c] + k + ahead, 0, 2);
#pragma GCC unroll 8
      for (int r = 0; r < R; r++) sum[r][c] = multiply_pairs(sum[r][c], left[r], right);
    }
  }
  if (whole < depth) {
    const __mmask32 some = (1u << (depth - whole)) - 1;
    __m512i left[R];
    for (int r = 0; r < R; r++) left[r] = _mm512_maskz_loadu_epi16(some, pa[r] + whole);
    for (int c = 0; c < C; c++) {
      const __m512i right = _mm512_maskz_loadu_epi16(some, pb[c] + whole);
      for (int r = 0; r < R; r++) sum[r][c] = multiply_pairs(sum[r][c], left[r], right);
    }
  }
  for (int r = 0; r < R; r++) for (int c = 0; c < C; c++) acc[r][c].part[0] = sum[r][c];
}

// A tile of R × C, or what there is of it: a rim repeats its last row.
template <int R, int C>
TW_INLINE void halves_tile(const bf16* a, size_t a_stride, size_t rows, const bf16* b, size_t b_stride, size_t columns, size_t depth,
                           size_t ahead, float* out, size_t stride) {
  const bf16 *pa[R], *pb[C];
  for (size_t r = 0; r < R; r++) pa[r] = a + least(r, rows - 1) * a_stride;
  for (size_t c = 0; c < C; c++) pb[c] = b + least(c, columns - 1) * b_stride;
  lanes acc[R][C];
  halves_sums<R, C, true>(pa, pb, depth, ahead, acc);
  fold_upto<R, C>(acc, rows, columns, out, stride);
}

// Few rows: what costs is reading b, so its next lines are asked for in step with those that are used.
template <int R, int C>
TW_INLINE void halves_stream(const bf16* a, size_t a_stride, size_t rows, const bf16* b, size_t b_stride, size_t columns, size_t depth,
                             float* out, size_t stride) {
  const size_t ahead = ahead_of<bf16>(C * b_stride);
  for (size_t c = 0; c < columns; c += C) {
    for (size_t r = 0; r < rows; r += R) {
      halves_tile<R, C>(a + r * a_stride, a_stride, rows - r, b + c * b_stride, b_stride, columns - c, depth, r ? 0 : ahead,
                        out + r * stride + c, stride);
    }
  }
}

// out[r·stride + c] = the rounded product of row r of a and row c of b.
static inline void halves_block(const bf16* a, size_t a_stride, size_t rows, const bf16* b, size_t b_stride, size_t columns, size_t depth,
                                float* waiting, float* out, size_t stride) {
  constexpr int R = kHalvesRows, C = kHalvesColumns;
  if (rows == 1) return halves_stream<1, kHalvesAlone>(a, a_stride, rows, b, b_stride, columns, depth, out, stride);
  if (rows <= kFewRows) return halves_stream<R, C>(a, a_stride, rows, b, b_stride, columns, depth, out, stride);
  deep_block<R, C>(a, a_stride, rows, b, b_stride, columns, depth, waiting, out, stride,
                   [](auto on, const bf16* const* left, const bf16* const* right, size_t count, lanes (&acc)[R][C])
                     __attribute__((always_inline)) {
    halves_sums<R, C, false, on.value>(left, right, count, 0, acc);
  });
}
#endif

} }   // namespace
