// The low-precision copy of a weight: made by screen_rows, kept by the update of sparse_scatter, read by tensor cores.
//
//   codes    [F/128][D/depth] tiles of 16 KB    a tile: 128 rows × 128 bytes, which are depth = 64 bf16 or 128 i8 columns
//   bounds   scale, norm, error f32 [F/128·128] each
//
//   in a tile:  row r at r·128; its eight chunks of 16 bytes stand in the order chunk ^ (r % 8)
//               row 0  │0│1│2│3│4│5│6│7│      That is the 128-byte swizzle that wgmma reads as it is; the rows of ldmatrix lie
//               row 1  │1│0│3│2│5│4│7│6│      in different banks too; and a tile is one plain bulk copy, without a tensor map.
//
// For row w and its copy ŵ (= scale · codes, or the bf16 numbers): norm >= ‖w‖ and error >= ‖w − ŵ‖, both rounded up. A row that
// is not finite, or longer than 2^60, has codes 0 and norm = error = ∞: no certificate, so it is always evaluated in full.
// Columns are padded with zeros to whole tiles, rows with zero rows of bounds 0. Belongs to one process, is never written to a file.
//
// Whoever owns a row makes its copy in two passes, with sums in the canonical order of `dot`, so that the same weights always
// have the same bytes:
//   squares = dot(w, w), peak = max |w_k|         scale = shadow_scale(screen, peak, length_up(squares, D))
//   miss_k = store_code(view, f, k, w_k, scale)   store_bounds(view, f, scale, squares, dot(miss, miss))       (one thread)
// half_refresh_row does all of it for a row in memory.
#pragma once
#include "../../src/expect.h"
#include "reduce.h"

namespace transweld {

constexpr unsigned kShadowRows = 128, kShadowPitch = 128, kShadowTile = kShadowRows * kShadowPitch, kChunkBytes = 16;
constexpr float kLongest = 0x1p60f;         // the longest row with a certificate: products of two stay far from overflow
constexpr float kShortest = 0x1p-100f;      // an i8 row whose largest element is below has codes 0
constexpr uint64_t kScreenColumns = 65536;  // 65536 · 127 · 127 < 2^31: sums of codes are exact
constexpr float kCodeRange = 127;

// Columns of a tile.
__host__ __device__ constexpr unsigned shadow_depth(uint32_t screen) { return screen == TW_SCREEN_INT8 ? kShadowPitch : kShadowPitch / 2; }

struct ShadowView {
  unsigned char* data;   // aligned to 16 bytes
  uint32_t screen;       // TW_SCREEN_BF16 or TW_SCREEN_INT8
  uint64_t rows, columns;

  __host__ __device__ uint64_t padded_rows() const { return padded(rows, kShadowRows); }
  __host__ __device__ uint64_t padded_columns() const { return padded(columns, shadow_depth(screen)); }
  __host__ __device__ uint64_t tiles_of_row() const { return blocks_of(columns, shadow_depth(screen)); }
  __host__ __device__ uint64_t code_bytes() const { return blocks_of(rows, kShadowRows) * tiles_of_row() * kShadowTile; }
  __host__ __device__ uint64_t bytes() const { return code_bytes() + 3 * padded_rows() * sizeof(float); }

  // Tile `along` of the 128 rows from 128·band on.
  __host__ __device__ unsigned char* tile(uint64_t band, uint64_t along) const { return data + (band * tiles_of_row() + along) * kShadowTile; }
  __host__ __device__ float* scales() const { return reinterpret_cast<float*>(data + code_bytes()); }
  __host__ __device__ float* norms() const { return scales() + padded_rows(); }
  __host__ __device__ float* errors() const { return norms() + padded_rows(); }

  // Where the code of column k of row f lies.
  __device__ unsigned char* place(uint64_t f, uint64_t k) const {
    const unsigned depth = shadow_depth(screen), r = static_cast<unsigned>(f % kShadowRows);
    const unsigned byte = static_cast<unsigned>(k % depth) * (kShadowPitch / depth);
    return tile(f / kShadowRows, k / depth) + r * kShadowPitch + (byte / kChunkBytes ^ r % 8) * kChunkBytes + byte % kChunkBytes;
  }
};

// A shadow as an op is given it: `bytes` of it, aligned as its copies need.
inline Check& read_shadow(Check& check, const tw_view& v, uint64_t bytes) {
  const uint64_t odd = reinterpret_cast<uintptr_t>(v.data) % kChunkBytes;
  return check.view("shadow", v, {TW_I8, 1, bytes}).that(odd == 0, "an address that is a multiple of 16", "shadow", odd);
}

// √squares rounded up. `squares` is a canonical dot of non-negative terms, each with up to three roundings of its own: it lacks
// at most a (D/16 + 8) · 2^-24 part of the true sum, and 2^-126 for each square that underflowed.
__device__ inline float length_up(float squares, uint64_t columns) {
  const double d = static_cast<double>(columns);
  return static_cast<float>(sqrt(static_cast<double>(squares) * (1 + (d / 16 + 32) * 0x1p-23) + d * 0x1p-125) * (1 + 0x1p-22));
}

struct ShadowScale { float scale, inverse; };   // inverse 0: the codes are 0

__device__ inline ShadowScale shadow_scale(uint32_t screen, float peak, float norm) {
  if (!(norm <= kLongest)) return {0, 0};       // NaN too
  if (screen == TW_SCREEN_BF16) return {1, 1};
  return peak < kShortest ? ShadowScale{0, 0} : ShadowScale{peak / kCodeRange, kCodeRange / peak};
}

// Writes the code of w at (f, k) and returns w − ŵ, rounded once. A bf16 code that is subnormal becomes 0: whether a tensor core
// would flush it does not matter then.
__device__ inline float store_code(const ShadowView& view, uint64_t f, uint64_t k, float w, ShadowScale s) {
  unsigned char* const to = view.place(f, k);
  if (view.screen == TW_SCREEN_INT8) {
    const int code = s.inverse == 0 ? 0 : __float2int_rn(w * s.inverse);
    *reinterpret_cast<signed char*>(to) = static_cast<signed char>(code);
    return fmaf(-s.scale, static_cast<float>(code), w);
  }
  bf16 code = narrow<bf16>(w);
  if (s.inverse == 0 || (code.bits & 0x7f80u) == 0) code.bits = 0;
  *reinterpret_cast<bf16*>(to) = code;
  return w - widen(code);
}

// Four neighbouring columns at once, k a multiple of 4 and none past the last: one store of 4 (i8) or 8 (bf16) bytes. miss[i] is
// what store_code returns for column k + i.
__device__ inline void store_codes(const ShadowView& view, uint64_t f, uint64_t k, const float (&w)[4], ShadowScale s, float (&miss)[4]) {
  unsigned char* const to = view.place(f, k);
  uint32_t word[2] = {0, 0};
#pragma unroll
  for (int i = 0; i < 4; i++) {
    if (view.screen == TW_SCREEN_INT8) {
      const int code = s.inverse == 0 ? 0 : __float2int_rn(w[i] * s.inverse);
      word[0] |= (static_cast<uint32_t>(code) & 0xffu) << 8 * i;
      miss[i] = fmaf(-s.scale, static_cast<float>(code), w[i]);
    } else {
      bf16 code = narrow<bf16>(w[i]);
      if (s.inverse == 0 || (code.bits & 0x7f80u) == 0) code.bits = 0;
      word[i / 2] |= static_cast<uint32_t>(code.bits) << 16 * (i % 2);
      miss[i] = w[i] - widen(code);
    }
  }
  if (view.screen == TW_SCREEN_INT8) *reinterpret_cast<uint32_t*>(to) = word[0];
  else *reinterpret_cast<uint2*>(to) = make_uint2(word[0], word[1]);
}

struct RowBounds { float scale, norm, error; };

__device__ inline RowBounds row_bounds(ShadowScale s, float squares, float misses, uint64_t columns) {
  const float norm = length_up(squares, columns), infinite = float_of(0x7f800000u);
  return norm <= kLongest ? RowBounds{s.scale, norm, length_up(misses, columns)} : RowBounds{0, infinite, infinite};
}

__device__ inline void store_bounds(const ShadowView& view, uint64_t f, ShadowScale s, float squares, float misses) {
  const RowBounds b = row_bounds(s, squares, misses, view.columns);
  view.scales()[f] = b.scale;
  view.norms()[f] = b.norm;
  view.errors()[f] = b.error;
}

// The codes of row f by the calling half-warp, columns of padding included, and their bounds, which every lane gets; storing
// these is the caller's. Both halves of a warp call it together; a half without a row (row = null) writes zero codes to f,
// or nothing where f lies beyond the padding.
__device__ inline RowBounds half_codes(const ShadowView& view, uint64_t f, const float* row) {
  float squares = 0, peak = 0, misses = 0;
#pragma unroll 4
  for (uint64_t k = half_lane(); row && k < view.columns; k += kHalf) {
    const float w = row[k];
    squares = fmaf(w, w, squares);
    peak = fmaxf(peak, fabsf(w));
  }
  squares = fold(squares);
#pragma unroll
  for (int step = 8; step; step /= 2) peak = fmaxf(peak, __shfl_xor_sync(kAllLanes, peak, step, 16));
  const ShadowScale scale = shadow_scale(view.screen, peak, length_up(squares, view.columns));
  const uint64_t end = f < view.padded_rows() ? view.padded_columns() : 0;
#pragma unroll 4
  for (uint64_t k = half_lane(); k < end; k += kHalf) {
    const float miss = store_code(view, f, k, row && k < view.columns ? row[k] : 0.0f, scale);
    misses = fmaf(miss, miss, misses);   // that of padding is +0: the sum keeps its bits
  }
  return row_bounds(scale, squares, fold(misses), view.columns);
}

// Makes row f again from `row`, of view.columns numbers: codes and bounds. Called by both halves of a warp, each with a row of
// its own, or null for none.
__device__ inline void half_refresh_row(const ShadowView& view, uint64_t f, const float* row) {
  const RowBounds b = half_codes(view, f, row);
  if (half_lane() || f >= view.padded_rows()) return;
  view.scales()[f] = row ? b.scale : 0;
  view.norms()[f] = row ? b.norm : 0;
  view.errors()[f] = row ? b.error : 0;
}

}   // namespace transweld
