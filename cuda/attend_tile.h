// Tiles of 64 rows × 64 k of an f32 operand as three bf16 parts in shared memory (device/split.h), and their products on tensor
// cores at f32 accuracy: what the three ops of attention multiply. A step of 16 k is the chain of six products of parts, smallest
// first, from 0; its sum joins the running one by an ordinary addition, so what a tensor core cuts off is that of a sum of 16.
// An element of a product is a function of its row of a and its row of b alone: no tile, no neighbour is seen in its bits.
//
//   layout   a row of a part is 128 bytes, eight pieces of 8 k; piece e of row r stands at e ^ r % 8, so that eight rows of one
//            piece lie on different banks, for those who store them and for load_fragments
//   Fetched  what a thread of 128 brings to a tile: four pieces. Read early, stored late: they arrive while others are multiplied
//   carried  elements that parts hold exactly, and whose products cannot overflow. A tile that must not hold others takes 0 in
//            their place; whoever owns a sum adds their products to it by fmaf
#pragma once
#include "device/mma.h"
#include "device/split.h"

namespace transweld {
namespace {

constexpr unsigned kTile = 64, kPiece = 8, kStep = 16;
constexpr unsigned kTileThreads = 128;
constexpr unsigned kLineBytes = kTile * 2;                              // a row of a part
constexpr unsigned kPartBytes = kTile * kLineBytes, kTileBytes = 3 * kPartBytes;
constexpr float kLeastCarried = 0x1p-110f;                              // its lowest bit is 2^-133, where bf16 ends

__device__ inline unsigned piece_at(unsigned row, unsigned piece) { return row * kLineBytes + (piece ^ row % 8) * 16; }

__device__ inline bool carried(float x) {
  const unsigned size = bits_of(x) & 0x7fffffffu;
  return size == 0 || size - bits_of(kLeastCarried) < bits_of(kMostMost) - bits_of(kLeastCarried);
}

__device__ inline void store_piece(Share<3>& share, unsigned char* tile, unsigned part_bytes, unsigned row, unsigned piece) {
#pragma unroll
  for (int part = 0; part < 3; part++) {
    *reinterpret_cast<uint4*>(tile + part * part_bytes + piece_at(row, piece)) = share.take(part == 2);
  }
}

// Puts 0 in the place of elements that are not carried; bit i for element i.
__device__ inline unsigned without_uncarried(Share<3>& share) {
  unsigned found = 0;
#pragma unroll
  for (int i = 0; i < 8; i++) {
    if (carried(share.x[i])) continue;
    share.x[i] = 0;
    found |= 1u << i;
  }
  return found;
}

struct Fetched {
  Share<3> piece[4];

  // Rows row ... row + 63 of an operand by rows, its k from k on; zeros beyond the operand and from `end` on.
  __device__ void read_rows(const Operand& o, uint64_t row, uint64_t k, uint64_t end) {
#pragma unroll
    for (unsigned i = 0; i < 4; i++) piece[i].read_as<float>(o, row + place(i) / 8, k + place(i) % 8 * kPiece, end);
  }
  // Columns of memory as rows of the tile: neighbouring threads read neighbouring columns.
  __device__ void read_columns(const Operand& o, uint64_t column, uint64_t k, uint64_t end) {
    const uint64_t own = column + threadIdx.x % kTile;
    read_column(static_cast<const float*>(o.data) + own, o.step, k, own < o.rows ? end : 0);
  }
  // The same where this thread's column, threadIdx.x % 64 of the tile, is anywhere.
  __device__ void read_column(const float* from, uint64_t step, uint64_t k, uint64_t end) {
#pragma unroll
    for (unsigned i = 0; i < 4; i++) {
      const uint64_t first = k + place(i) / kTile * kPiece;
      const unsigned count = first >= end ? 0 : end - first < kPiece ? static_cast<unsigned>(end - first) : kPiece;
      const float* at = from + first * step;
#pragma unroll
      for (unsigned j = 0; j < kPiece; j++) {
        piece[i].x[j] = j < count ? *at : 0;
        at += step;
      }
    }
  }
  // f(row, k, element) for what read_rows, or read_columns, has read.
  template <class F> __device__ void each_of_rows(const F& f) { each([&](unsigned i) { return Place{place(i) / 8, place(i) % 8 * kPiece}; }, f); }
  template <class F> __device__ void each_of_columns(const F& f) { each([&](unsigned i) { return Place{place(i) % kTile, place(i) / kTile * kPiece}; }, f); }

  // Rows with an element too large for parts are named in `bad`; they are stored as they are.
  __device__ void store_rows(unsigned char* tile, unsigned* bad) {
#pragma unroll
    for (unsigned i = 0; i < 4; i++) {
      const unsigned row = place(i) / 8;
      if (piece[i].most() >= bits_of(kMostMost)) atomicOr(bad + row / 32, 1u << row % 32);
      store_piece(piece[i], tile, kPartBytes, row, place(i) % 8);
    }
  }
  // k of elements that are not carried are named in `bad`, and 0 is stored.
  __device__ void store_columns(unsigned char* tile, unsigned* bad) {
#pragma unroll
    for (unsigned i = 0; i < 4; i++) {
      const unsigned k = place(i) / kTile * kPiece, found = without_uncarried(piece[i]);
      if (found) atomicOr(bad + k / 32, found << k % 32);
      store_piece(piece[i], tile, kPartBytes, place(i) % kTile, k / kPiece);
    }
  }
  // The same by rows of memory.
  __device__ void store_carried_rows(unsigned char* tile, unsigned* bad) {
#pragma unroll
    for (unsigned i = 0; i < 4; i++) {
      const unsigned k = place(i) % 8 * kPiece, found = without_uncarried(piece[i]);
      if (found) atomicOr(bad + k / 32, found << k % 32);
      store_piece(piece[i], tile, kPartBytes, place(i) / 8, k / kPiece);
    }
  }

 private:
  struct Place { unsigned row, k; };
  template <class At, class F> __device__ void each(const At& at, const F& f) {
#pragma unroll
    for (unsigned i = 0; i < 4; i++) {
#pragma unroll
      for (unsigned j = 0; j < kPiece; j++) f(at(i).row, at(i).k + j, piece[i].x[j]);
    }
  }
  static __device__ unsigned place(unsigned i) { return threadIdx.x + i * kTileThreads; }
};

// The parts of step `step` of 16 rows of a tile, as the left operand.
__device__ inline void load_left(unsigned (&a)[3][4], const unsigned char* tile, unsigned part_bytes, unsigned row, unsigned step) {
#pragma unroll
  for (int part = 0; part < 3; part++) {
    load_fragments(a[part], tile + part * part_bytes + piece_at(row + lane_of() % 16, 2 * step + lane_of() / 16));
  }
}

// sum[n] += the products of step `step` of a with rows row + 8n ... of a tile, which become columns.
template <int N> __device__ void multiply_step(const unsigned (&a)[3][4], const unsigned char* tile, unsigned row, unsigned step, float (&sum)[N][4]) {
  constexpr int kAtOnce = N < 4 ? N : 4;               // chains side by side cover each other's latency
#pragma unroll
  for (int first = 0; first < N; first += kAtOnce) {
    unsigned b[3][kAtOnce][2];
#pragma unroll
    for (int part = 0; part < 3; part++) {
#pragma unroll
      for (int n = 0; n < kAtOnce; n += 2) {           // matrices: columns n (k 0-7, 8-15), columns n + 1 (the same)
        unsigned r[4];
        load_fragments(r, tile + part * kPartBytes + piece_at(row + 8 * (first + n) + lane_of() / 16 * 8 + lane_of() % 8, 2 * step + lane_of() / 8 % 2));
        b[part][n][0] = r[0]; b[part][n][1] = r[1]; b[part][n + 1][0] = r[2]; b[part][n + 1][1] = r[3];
      }
    }
    float chain[kAtOnce][4] = {};
#pragma unroll
    for (int level = 2; level >= 0; level--) {         // of smallness: the parts' numbers together
#pragma unroll
      for (int i = 0; i <= level; i++) {
#pragma unroll
        for (int n = 0; n < kAtOnce; n++) mma_bf16(chain[n], a[i], b[level - i][n]);
      }
    }
#pragma unroll
    for (int n = 0; n < kAtOnce; n++) {
#pragma unroll
      for (int r = 0; r < 4; r++) sum[first + n][r] = sum[first + n][r] + chain[n][r];
    }
  }
}

}   // namespace
}   // namespace transweld
