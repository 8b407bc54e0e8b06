// The product of many rows: tiles of Side × Side of c by blocks of Side / 16 warps, each Side/2 × 32.
//
//   shared [2 steps][part][Side rows][16 k] bf16 for a and for b: a row is 32 bytes, its halves exchanged in every other four
//          rows, so that the eight rows of a fragment lie on different banks
//   the next step's elements are read while this one multiplies
#pragma once
#include "device/mma.h"
#include "matmul_call.h"

namespace transweld {
namespace {

using tile::matmul::kBand;
constexpr unsigned kRowBytes = kStep * 2;            // of one part in shared memory

template <int A, int B, int Side> struct Layout {
  static constexpr unsigned kThreads = 2 * Side, kWarps = kThreads / 32, kWarpRows = Side / 2;
  static constexpr unsigned kTilesDown = kWarpRows / 16, kTilesAcross = kWarpColumns / 8;
  static constexpr unsigned kPart = Side * kRowBytes, kStepBytes = (A + B) * kPart;
  static constexpr unsigned kStaged = kWarps * 16 * kPitch * sizeof(float);           // sums on their way out, over the steps
  static constexpr unsigned kRoom = 2 * kStepBytes > kStaged ? 2 * kStepBytes : kStaged;
  static constexpr unsigned kShared = kRoom + 4 * Side * sizeof(unsigned);            // and the largest magnitudes
};

// Byte offset of a half (8 k) of a row within a part.
__device__ unsigned offset(unsigned row, unsigned half) { return row * kRowBytes + (half ^ (row >> 2 & 1)) * 16; }

// This thread's place among the eights of a step: neighbouring threads read neighbouring memory.
template <int Side> __device__ void place(const Operand& o, unsigned& row, unsigned& half) {
  row = o.step == 1 ? threadIdx.x / 2 : threadIdx.x % Side;
  half = o.step == 1 ? threadIdx.x % 2 : threadIdx.x / Side;
}

template <int Parts> __device__ void store_parts(Share<Parts>& share, unsigned char* parts, unsigned part_bytes, unsigned to) {
#pragma unroll
  for (int i = 0; i < Parts; i++) *reinterpret_cast<uint4*>(parts + i * part_bytes + to) = share.take(i == 2);
}

// sum += one step's products of the warp's rows of a (from row_a) with its rows of b (from row_b).
template <int A, int B, int Side>
__device__ void multiply(const unsigned char* parts, unsigned row_a, unsigned row_b, float (&sum)[Side / 32][4][4]) {
  using L = Layout<A, B, Side>;
  const unsigned lane = lane_of();
  const unsigned char *parts_a = parts, *parts_b = parts + A * L::kPart;
  unsigned b[B][L::kTilesAcross][2];
#pragma unroll
  for (int j = 0; j < B; j++) {
#pragma unroll
    for (unsigned n = 0; n < L::kTilesAcross; n += 2) {   // matrices: columns n (k 0-7, 8-15), columns n + 1 (the same)
      unsigned r[4];
      load_fragments(r, parts_b + j * L::kPart + offset(row_b + 8 * n + lane / 16 * 8 + lane % 8, lane / 8 % 2));
      b[j][n][0] = r[0]; b[j][n][1] = r[1]; b[j][n + 1][0] = r[2]; b[j][n + 1][1] = r[3];
    }
  }
#pragma unroll
  for (unsigned m = 0; m < L::kTilesDown; m++) {
    unsigned a[A][4];
#pragma unroll
    for (int i = 0; i < A; i++) load_fragments(a[i], parts_a + i * L::kPart + offset(row_a + 16 * m + lane % 16, lane / 16));
    float chain[L::kTilesAcross][4] = {};
#pragma unroll
    for (int level = 2; level >= 0; level--) {            // of smallness: i + j, counted from 0
#pragma unroll
      for (int i = 0; i < A; i++) {
        const int j = level - i;
        if (j < 0 || j >= B) continue;
#pragma unroll
        for (unsigned n = 0; n < L::kTilesAcross; n++) mma_bf16(chain[n], a[i], b[j][n]);
      }
    }
#pragma unroll
    for (unsigned n = 0; n < L::kTilesAcross; n++) {
#pragma unroll
      for (int r = 0; r < 4; r++) sum[m][n][r] = sum[m][n][r] + chain[n][r];
    }
  }
}

// The sums of a tile over k = begin ... end − 1; most[operand][half][row] becomes the largest magnitudes of what was read.
template <int A, int B, int Side>
__device__ void accumulate(const Product& p, uint64_t m, uint64_t n, uint64_t begin, uint64_t end, unsigned char* memory, unsigned* most,
                           float (&sum)[Side / 32][4][4]) {
  using L = Layout<A, B, Side>;
  unsigned row_a, half_a, row_b, half_b, most_a = 0, most_b = 0;
  place<Side>(p.a, row_a, half_a);
  place<Side>(p.b, row_b, half_b);
  Share<A> a;
  Share<B> b;
  const auto read = [&](uint64_t k) {
    a.read(p.a, m + row_a, k + 8 * half_a, end);
    b.read(p.b, n + row_b, k + 8 * half_b, end);
  };
  const auto store = [&](unsigned char* parts) {
    a.settle(p.a);
    b.settle(p.b);
    const unsigned now_a = a.most(), now_b = b.most();
    most_a = now_a > most_a ? now_a : most_a;
    most_b = now_b > most_b ? now_b : most_b;
    store_parts(a, parts, L::kPart, offset(row_a, half_a));
    store_parts(b, parts + A * L::kPart, L::kPart, offset(row_b, half_b));
  };
  const unsigned steps = static_cast<unsigned>(blocks_of(end - begin, kStep));
  const unsigned warp_a = warp_of() % 2 * L::kWarpRows, warp_b = warp_of() / 2 * kWarpColumns;
  if (steps) {
    read(begin);
    store(memory);
  }
  __syncthreads();
#pragma unroll 1
  for (unsigned s = 0; s < steps; s++) {
    const bool more = s + 1 < steps;
    if (more) read(begin + uint64_t{s + 1} * kStep);
    multiply<A, B, Side>(memory + s % 2 * L::kStepBytes, warp_a, warp_b, sum);
    if (more) store(memory + (s + 1) % 2 * L::kStepBytes);
    __syncthreads();   // the next step is written, and what it will be overwritten by has been used
  }
  most[half_a * Side + row_a] = most_a;
  most[(2 + half_b) * Side + row_b] = most_b;
  __syncthreads();
}

// Writes a tile's sums, sixteen rows a warp at a time through shared memory, so that a row of 32 columns is one store.
template <int A, int B, int Side>
__device__ void finish(const Product& p, uint64_t chunk, uint64_t m, uint64_t n, uint64_t begin, uint64_t end, unsigned char* memory,
                       const unsigned* most, const float (&sum)[Side / 32][4][4]) {
  using L = Layout<A, B, Side>;
  const unsigned lane = lane_of(), warp_a = warp_of() % 2 * L::kWarpRows, warp_b = warp_of() / 2 * kWarpColumns;
  float* staged = reinterpret_cast<float*>(memory) + warp_of() * 16 * kPitch;
  const auto carried = [&](unsigned operand, unsigned row) {
    const unsigned one = most[2 * operand * Side + row], other = most[(2 * operand + 1) * Side + row];
    return splits(one > other ? one : other);
  };
  bool all = true;                                        // of this block's rows are carried
  for (unsigned row = lane; row < Side; row += 32) all = all && carried(0, row) && carried(1, row);
  all = __all_sync(kAllLanes, all);
#pragma unroll 1
  for (unsigned i = 0; i < L::kTilesDown; i++) {
#pragma unroll
    for (unsigned own = 0; own < L::kTilesDown; own++) {  // registers have no index: the tile of sums is chosen
      if (own != i) continue;
#pragma unroll
      for (unsigned t = 0; t < L::kTilesAcross; t++) {
        float* at = staged + lane / 4 * kPitch + 8 * t + lane % 4 * 2;
        store_vec(at, Vec<float, 2>{sum[own][t][0], sum[own][t][1]});
        store_vec(at + 8 * kPitch, Vec<float, 2>{sum[own][t][2], sum[own][t][3]});
      }
    }
    __syncwarp();
    const unsigned top = warp_a + 16 * i;
    if (!all) {
      make_again(p, m + top, n + warp_b, begin, end, staged,
                 [&](unsigned r, unsigned c) { return carried(0, top + r) && carried(1, warp_b + c); });
    }
    put_column(p, chunk, m + top, n + warp_b + lane, staged + lane);
    __syncwarp();                                         // before the next sixteen rows are staged
  }
}

// Tiles in bands of kBand, down a band's columns: blocks that run together share their rows of a and of b in the second cache.
template <int A, int B, int Side> __global__ void __launch_bounds__(2 * Side, Side == 128 ? 1 : 3) matmul_split_kernel(const Product p) {
  using L = Layout<A, B, Side>;
  DYNAMIC_SHARED(unsigned char, memory);
  unsigned* most = reinterpret_cast<unsigned*>(memory + L::kRoom);
  const uint64_t down = blocks_of(p.rows, Side), across = blocks_of(p.columns, Side);
  for (uint64_t tile = blockIdx.x; tile < down * across; tile += gridDim.x) {
    const uint64_t band = tile / (kBand * across) * kBand, within = tile % (kBand * across);
    const uint64_t height = down - band < kBand ? down - band : kBand;
    const uint64_t m = (band + within % height) * Side, n = within / height * Side;
    for (uint64_t chunk = blockIdx.y; chunk < p.chunks; chunk += gridDim.y) {
      const uint64_t begin = chunk * kChunk, end = p.depth - begin < kChunk ? p.depth : begin + kChunk;
      float sum[Side / 32][4][4] = {};
      accumulate<A, B, Side>(p, m, n, begin, end, memory, most, sum);
      finish<A, B, Side>(p, chunk, m, n, begin, end, memory, most, sum);
      __syncthreads();                                    // before the next chunk's parts take the staged sums' place
    }
  }
}

}   // namespace
}   // namespace transweld
