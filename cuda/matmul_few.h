// The product of at most 16 rows, which costs what reading b costs: b goes through once, in pieces of 16 bytes, as it is stored.
// The arithmetic is that of matmul_tile.h, step by step of 16 k, so a row has the bits that it has among many.
//
//   parts    a's parts, once for all columns of b, in the order of fragments: [step][8 rows][part][lane] 2 words
//   product  a warp owns 32 rows of b and a chunk of K. 128 bytes of each row are a stage of 4.5 KB in shared memory, its own: stages
//            are copied asynchronously, kStages − 1 under way, and no warp waits for another. Rows of b are the 16 rows of a fragment,
//            rows of a its 8 columns: half as many products as the other way round
//   chunks   side by side in blocks of their own, their sums through scratch, added in order
#pragma once
#include "device/mma.h"
#include "device/pipe.h"
#include "matmul_call.h"

namespace transweld {
namespace {

using tile::matmul::kFewBlocks;
using tile::matmul::kFewStages;
using tile::matmul::kFewWarps;
constexpr unsigned kMostFew = 16;                            // rows
constexpr unsigned kPiece = 128, kPiecePitch = kPiece + 16;  // bytes of a row of b in a stage; rows begin four banks apart
constexpr unsigned kStageBytes = kWarpColumns * kPiecePitch;
constexpr unsigned kChunkSteps = kChunk / kStep;
static_assert(kFewStages * kStageBytes >= 16 * kPitch * sizeof(float), "the sums are staged where b was");

struct Few {
  Product product;
  uint2* parts;                                              // [steps][groups of 8 rows][A][32]
  unsigned* most;                                            // [chunks][16] largest magnitudes of a
};

// A block makes the parts of eight rows of a chunk: lane l those of row l / 4, k = 2·(l % 4) and the pair 8 further on.
template <int A> __global__ void __launch_bounds__(128) matmul_parts_kernel(const Few f) {
  SHARED(unsigned, found, [4][8]);
  const Operand& a = f.product.a;
  const unsigned lane = lane_of(), groups = gridDim.y, group = blockIdx.y;
  const uint64_t row = group * 8 + lane / 4, steps = blocks_of(f.product.depth, kStep);
  for (uint64_t chunk = blockIdx.x; chunk < f.product.chunks; chunk += gridDim.x) {
    unsigned most = 0;
    for (unsigned s = warp_of(); s < kChunkSteps && chunk * kChunkSteps + s < steps; s += 4) {
      const uint64_t step = chunk * kChunkSteps + s;
      float x[4];
#pragma unroll
      for (unsigned i = 0; i < 4; i++) {
        const uint64_t k = step * kStep + lane % 4 * 2 + i / 2 * 8 + i % 2;
        x[i] = row < a.rows && k < f.product.depth ? value_at(a, row, k) : 0;
        const unsigned size = bits_of(x[i]) & 0x7fffffffu;
        most = size > most ? size : most;
      }
#pragma unroll
      for (int part = 0; part < A; part++) {
        float high[4];
#pragma unroll
        for (int i = 0; i < 4; i++) {
          high[i] = part == A - 1 ? x[i] : rounded_to_bf16(x[i]);
          x[i] -= high[i];
        }
        f.parts[((step * groups + group) * A + part) * 32 + lane] = {pair_of(high[0], high[1]), pair_of(high[2], high[3])};
      }
    }
#pragma unroll
    for (unsigned other = 1; other < 4; other *= 2) {
      const unsigned theirs = __shfl_xor_sync(kAllLanes, most, other);
      most = theirs > most ? theirs : most;
    }
    if (lane % 4 == 0) found[warp_of()][lane / 4] = most;
    __syncthreads();
    if (threadIdx.x < 8) {
      most = 0;
      for (unsigned w = 0; w < 4; w++) most = found[w][threadIdx.x] > most ? found[w][threadIdx.x] : most;
      f.most[chunk * kMostFew + group * 8 + threadIdx.x] = most;
    }
    __syncthreads();
  }
}

template <class T> constexpr int kPartsOf = 3;
template <> constexpr int kPartsOf<bf16> = 1;
template <> constexpr int kPartsOf<int8_t> = 1;

// Two neighbours of a row of b as parts, and their largest magnitude.
template <class T> __device__ void parts_of(const unsigned char* at, unsigned (&part)[kPartsOf<T>], unsigned& most) {
  const auto see = [&](unsigned bits) {
    const unsigned size = bits & 0x7fffffffu;
    most = size > most ? size : most;
  };
  if constexpr (kPartsOf<T> == 1) {
    part[0] = sizeof(T) == 1 ? pair_of_bytes(*reinterpret_cast<const uint16_t*>(at)) : *reinterpret_cast<const unsigned*>(at);
    see(part[0] << 16);
    see(part[0] & 0xffff0000u);
  } else {
    const Vec<T, 2> two = load_vec<2>(reinterpret_cast<const T*>(at));
    float low = widen(two.at[0]), high = widen(two.at[1]);
    see(bits_of(low));
    see(bits_of(high));
#pragma unroll
    for (int i = 0; i < 3; i++) {
      const float first = i == 2 ? low : rounded_to_bf16(low), second = i == 2 ? high : rounded_to_bf16(high);
      part[i] = pair_of(first, second);
      low -= first;
      high -= second;
    }
  }
}

// Copies 128 bytes from element k on of the warp's rows of b: a lane 16 bytes of eight rows, zeros beyond the end and the last row.
template <class T> __device__ void copy_stage(const Operand& b, uint64_t n, uint64_t k, uint64_t end, unsigned char* stage) {
  const unsigned piece = lane_of() % 8;
  const uint64_t from = k + piece * (16 / sizeof(T));
#pragma unroll
  for (unsigned i = 0; i < 8; i++) {
    const unsigned r = i * 4 + lane_of() / 8;
    const bool some = n + r < b.rows && from < end;
    const uint64_t left = some ? (end - from) * sizeof(T) : 0;
    copy_async<16>(stage + r * kPiecePitch + piece * 16, some ? element<T>(b, n + r, from) : b.data, left < 16 ? static_cast<unsigned>(left) : 16);
  }
}

// Of the warp's rows of b those that parts cannot carry, a bit each: lanes 4g ... 4g + 3 have seen a quarter of rows g and g + 8.
template <int Tiles> __device__ unsigned uncarried_rows(unsigned (&most)[Tiles][2]) {
  unsigned rows = 0;
#pragma unroll
  for (int tile = 0; tile < Tiles; tile++) {
#pragma unroll
    for (int half = 0; half < 2; half++) {
      unsigned& m = most[tile][half];
#pragma unroll
      for (unsigned other = 1; other < 4; other *= 2) {
        const unsigned theirs = __shfl_xor_sync(kAllLanes, m, other);
        m = theirs > m ? theirs : m;
      }
      if (!splits(m)) rows |= 1u << (tile * 16 + half * 8 + lane_of() / 4);
    }
  }
  return __reduce_or_sync(kAllLanes, rows);
}

// J groups of eight rows of a.
template <int A, class T, int J> __global__ void __launch_bounds__(kFewWarps * 32, kFewBlocks) matmul_few_kernel(const Few f) {
  constexpr int B = kPartsOf<T>, kTiles = kWarpColumns / 16;
  constexpr unsigned kElements = kPiece / sizeof(T), kSteps = kElements / kStep;
  DYNAMIC_SHARED(unsigned char, memory);
  const Product& p = f.product;
  const unsigned lane = lane_of(), g = lane / 4, t = lane % 4;
  unsigned char* own = memory + warp_of() * kFewStages * kStageBytes;
  for (uint64_t item = blockIdx.x; item * kFewWarps * kWarpColumns < p.columns; item += gridDim.x) {
    const uint64_t n = (item * kFewWarps + warp_of()) * kWarpColumns;
    for (uint64_t chunk = blockIdx.y; chunk < p.chunks && n < p.columns; chunk += gridDim.y) {
      const uint64_t begin = chunk * kChunk, end = p.depth - begin < kChunk ? p.depth : begin + kChunk;
      const unsigned stages = static_cast<unsigned>(blocks_of(end - begin, kElements));
      float sum[kTiles][J][4] = {};
      unsigned most[kTiles][2] = {};
      const auto copy = [&](unsigned s) {
        if (s < stages) copy_stage<T>(p.b, n, begin + uint64_t{s} * kElements, end, own + s % kFewStages * kStageBytes);
        copies_commit();
      };
#pragma unroll 1
      for (unsigned s = 0; s + 1 < kFewStages; s++) copy(s);
#pragma unroll 1
      for (unsigned s = 0; s < stages; s++) {
        copies_wait<kFewStages - 2>();
        __syncwarp();                                        // the stage is here, and the one before it has been used
        copy(s + kFewStages - 1);
        const unsigned char* stage = own + s % kFewStages * kStageBytes;
        const uint64_t first = chunk * kChunkSteps + uint64_t{s} * kSteps;
#pragma unroll 2
        for (unsigned i = 0; i < kSteps && begin + (s * kSteps + i) * kStep < end; i++) {
          uint2 a[J][A];
#pragma unroll
          for (int j = 0; j < J; j++) {
#pragma unroll
            for (int part = 0; part < A; part++) a[j][part] = f.parts[(((first + i) * J + j) * A + part) * 32 + lane];
          }
#pragma unroll
          for (int tile = 0; tile < kTiles; tile++) {
            unsigned b[B][4];
#pragma unroll
            for (unsigned r = 0; r < 4; r++) {               // row g + 8·(r % 2) of the tile, k = 2t + 8·(r / 2)
              unsigned part[B];
              parts_of<T>(stage + (tile * 16 + g + r % 2 * 8) * kPiecePitch + (i * kStep + t * 2 + r / 2 * 8) * sizeof(T), part, most[tile][r % 2]);
#pragma unroll
              for (int j = 0; j < B; j++) b[j][r] = part[j];
            }
#pragma unroll
            for (int j = 0; j < J; j++) {
              float chain[4] = {};
#pragma unroll
              for (int level = 2; level >= 0; level--) {     // of smallness: i + j, counted from 0
#pragma unroll
                for (int left = 0; left < A; left++) {
                  if (level - left < 0 || level - left >= B) continue;
                  const unsigned right[2] = {a[j][left].x, a[j][left].y};
                  mma_bf16(chain, b[level - left], right);
                }
              }
#pragma unroll
              for (int r = 0; r < 4; r++) sum[tile][j][r] = sum[tile][j][r] + chain[r];
            }
          }
        }
      }
      copies_wait<0>();
      __syncwarp();
      // Sums to [row of a][column], where b was: rows 2t and 2t + 1 of eight, columns g and g + 8 of a tile.
      float* staged = reinterpret_cast<float*>(own);
#pragma unroll
      for (int tile = 0; tile < kTiles; tile++) {
#pragma unroll
        for (int j = 0; j < J; j++) {
#pragma unroll
          for (unsigned r = 0; r < 4; r++) staged[(j * 8 + 2 * t + r % 2) * kPitch + tile * 16 + g + r / 2 * 8] = sum[tile][j][r];
        }
      }
      const unsigned uncarried = uncarried_rows<kTiles>(most);
      unsigned rows = 0;
#pragma unroll
      for (int r = 0; r < 8 * J; r++) rows |= splits(f.most[chunk * kMostFew + r]) ? 0 : 1u << r;
      __syncwarp();
      if (uncarried | rows) {
        make_again(p, 0, n, begin, end, staged, [&](unsigned r, unsigned c) { return !(rows >> r & 1) && !(uncarried >> c & 1); });
      }
      put_column(p, chunk, 0, n + lane, staged + lane);
      __syncwarp();                                          // before the next chunk's stages take the sums' place
    }
  }
}

}   // namespace
}   // namespace transweld
