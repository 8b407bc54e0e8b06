// attend_frozen: attention whose pattern p [H·T, T] is kept, for a batch of B passes x over the same T positions.
//   map        out[b·T + i, h] = Σ_{j <= i} p(h, i, j)·x[b·T + j, key head of h]        x [B·T, H/G·W], out [B·T, H·W]
//   transpose  out[b·T + j, g] = Σ_{h of g} Σ_{i >= j} p(h, i, j)·x[b·T + i, h]         x [B·T, H·W], out [B·T, H/G·W]
// A product for each head with half its depth: a block makes 64 positions × 64 columns (b, column of the head), 64 of the summed
// positions at a time, and leaves out the tiles that are all 0. Bytes 4·T²·B·W/64 of pattern and of x through the second cache, flops
// 12·T²/2·B·W a head in bf16, at f32 accuracy (attend_tile.h). Elements of p or x that parts cannot carry stand as 0 in their tiles;
// their products are added by fmaf, each to the sums that it belongs to. What is past the diagonal is never read as a number.
#include "attend_tile.h"
#include "ops.h"

namespace transweld {
namespace {

struct Frozen {
  const float *pattern, *x;
  float* out;
  uint64_t pattern_stride, x_stride, out_stride;
  uint64_t T, width, tiles, columns;          // tiles of positions; B·W columns of a head
  uint32_t heads_in, heads_out;               // of x, of out
  uint32_t group, accumulate;
  bool wide;                                  // rows of the pattern by four
};

struct FrozenRoom {
  static constexpr size_t kBytes = 2 * kTileBytes + 4 * sizeof(unsigned);
  unsigned char *left, *right;
  unsigned* bad;                              // by turns: summed positions with an element that is not carried
  __device__ explicit FrozenRoom(unsigned char* memory)
      : left(memory), right(memory + kTileBytes), bad(reinterpret_cast<unsigned*>(right + kTileBytes)) {}
};

// One head's product: the pattern's head, the head of x, of which thread column c is at from + k·x_stride for position k.
struct FrozenSide {
  const float* pattern;
  uint64_t head;
  __device__ const float* column(const Frozen& a, uint64_t c) const { return a.x + c / a.width * a.T * a.x_stride + head * a.width + c % a.width; }
};

template <bool Transpose> __device__ float weight_at(const Frozen& a, const float* pattern, uint64_t row, uint64_t k) {
  return Transpose ? pattern[k * a.pattern_stride + row] : pattern[row * a.pattern_stride + k];
}

// The pattern's tile: its rows row ..., summed positions k ...; zeros past the diagonal.
template <bool Transpose> __device__ void read_weights(const Frozen& a, const float* pattern, uint64_t row, uint64_t k, Fetched& to) {
  if constexpr (Transpose) {
    const Operand o{pattern, a.T, 1, a.pattern_stride, TW_F32, false};
    to.read_columns(o, row, k, a.T);
    if (k == row) to.each_of_columns([&](unsigned r, unsigned j, float& p) { if (j < r) p = 0; });
  } else {
    const Operand o{pattern, a.T, a.pattern_stride, 1, TW_F32, a.wide};
    to.read_rows(o, row, k, a.T);
    if (k == row) to.each_of_rows([&](unsigned r, unsigned j, float& p) { if (j > r) p = 0; });
  }
}

// sum += the products that the tiles left out.
template <bool Transpose>
__device__ void add_uncarried(const Frozen& a, const FrozenSide& side, uint64_t row, uint64_t k, uint64_t column, const unsigned* bad, float (&sum)[8][4]) {
#pragma unroll 1
  for (unsigned j = 0; j < kTile; j++) {
    if (!(bad[j / 32] >> j % 32 & 1)) continue;
#pragma unroll
    for (unsigned u = 0; u < 2; u++) {
      const uint64_t own = row + 8 * u;
      if (own >= a.T || (Transpose ? k + j < own : k + j > own)) continue;
      const float p = weight_at<Transpose>(a, side.pattern, own, k + j);
#pragma unroll
      for (unsigned n = 0; n < 8; n++) {
#pragma unroll
        for (unsigned e = 0; e < 2; e++) {
          const uint64_t c = column + 8 * n + e;
          if (c >= a.columns) continue;
          const float x = side.column(a, c)[(k + j) * a.x_stride];
          if (!carried(p) || !carried(x)) sum[n][2 * u + e] = fmaf(p, x, sum[n][2 * u + e]);
        }
      }
    }
  }
}

template <bool Transpose> __global__ void __launch_bounds__(kTileThreads, 2) attend_frozen_kernel(const Frozen a) {
  DYNAMIC_SHARED(unsigned char, memory);
  const FrozenRoom room(memory);
  const uint64_t across = blocks_of(a.columns, kTile);
  for (uint64_t item = blockIdx.x; item < a.tiles * across * a.heads_out; item += gridDim.x) {
    const uint64_t turn = item / across / a.heads_out, head = item / across % a.heads_out, column = item % across * kTile;
    const uint64_t tile = Transpose ? turn : a.tiles - 1 - turn;             // those with the most to sum begin
    const uint64_t row = tile * kTile, begin = Transpose ? tile : 0, end = Transpose ? a.tiles : tile + 1;
    const uint64_t heads = Transpose ? a.group : 1, steps = heads * (end - begin);
    const unsigned lane = lane_of(), top = 16 * warp_of();
    const auto side_of = [&](uint64_t step) {
      const uint64_t p = Transpose ? head * a.group + step / (end - begin) : head;
      return FrozenSide{a.pattern + p * a.T * a.pattern_stride, Transpose ? p : head / a.group};
    };
    const uint64_t mine = column + threadIdx.x % kTile;                      // of x, that this thread reads
    Fetched weights, values;
    const auto read = [&](uint64_t step) {
      const FrozenSide side = side_of(step);
      const uint64_t k = (begin + step % (end - begin)) * kTile;
      read_weights<Transpose>(a, side.pattern, row, k, weights);
      values.read_column(mine < a.columns ? side.column(a, mine) : a.x, a.x_stride, k, mine < a.columns ? a.T : 0);
    };
    if (threadIdx.x < 4) room.bad[threadIdx.x] = 0;
    float sum[8][4] = {};
    read(0);
#pragma unroll 1
    for (uint64_t step = 0; step < steps; step++) {
      unsigned *bad = room.bad + step % 2 * 2, *old = room.bad + (step + 1) % 2 * 2;
      __syncthreads();                                                       // what the tiles held has been used
      if (Transpose) weights.store_columns(room.left, bad);
      else weights.store_carried_rows(room.left, bad);
      values.store_columns(room.right, bad);
      if (threadIdx.x < 2) old[threadIdx.x] = 0;
      __syncthreads();
      if (step + 1 < steps) read(step + 1);
#pragma unroll 1
      for (unsigned s = 0; s < kTile / kStep; s++) {
        unsigned p[3][4];
        load_left(p, room.left, kPartBytes, top, s);
        multiply_step(p, room.right, 0, s, sum);
      }
      if (bad[0] | bad[1]) {
        const uint64_t k = (begin + step % (end - begin)) * kTile;
        add_uncarried<Transpose>(a, side_of(step), row + top + lane / 4, k, column + lane % 4 * 2, bad, sum);
      }
    }
#pragma unroll
    for (unsigned n = 0; n < 8; n++) {
#pragma unroll
      for (unsigned r = 0; r < 4; r++) {
        const uint64_t i = row + top + lane / 4 + r / 2 * 8, c = column + 8 * n + lane % 4 * 2 + r % 2;
        if (i >= a.T || c >= a.columns) continue;
        float* to = a.out + (c / a.width * a.T + i) * a.out_stride + head * a.width + c % a.width;
        *to = a.accumulate ? sum[n][r] + *to : sum[n][r];
      }
    }
    __syncthreads();                                                         // before the next item's masks
  }
}

}   // namespace

tw_status attend_frozen(tw_context* context, const tw_attend_frozen_args& a) {
  const uint64_t T = a.pattern.columns;
  const uint32_t from = a.transpose ? a.heads : a.key_heads, to = a.transpose ? a.key_heads : a.heads;
  Check check{context};
  check.that(a.heads > 0, "at least 1", "heads", a.heads)
      .that(a.key_heads > 0 && a.heads % a.key_heads == 0, "a divisor of the heads", "key_heads", a.key_heads)
      .view("pattern", a.pattern, {TW_F32, a.heads * T, kAny})
      .view("x", a.x, {TW_F32, kAny, kAny});
  if (check.status) return check.status;
  check.that(T ? a.x.rows % T == 0 : a.x.rows == 0, "a multiple of the pattern's columns", "rows of x", a.x.rows)
      .that(a.x.columns % from == 0, "a multiple of its heads", "columns of x", a.x.columns)
      .view("out", a.out, {TW_F32, a.x.rows, a.x.columns / from * to});
  if (check.status || !a.x.rows || !a.x.columns) return check.status;
  const uint64_t width = a.x.columns / from, columns = a.x.rows / T * width, tiles = blocks_of(T, kTile);
  const Frozen all{f32(a.pattern), f32(a.x), f32(a.out), a.pattern.stride, a.x.stride, a.out.stride, T, width, tiles, columns, from, to,
                   a.heads / a.key_heads, a.accumulate, divides(a.pattern, 4)};
  const unsigned grid = grid_of(tiles * blocks_of(columns, kTile) * to);
  const auto run = [&](auto kernel) {
    return launched(context, launch(kernel, grid, kTileThreads, FrozenRoom::kBytes, stream(context), all), "attend_frozen_kernel");
  };
  return a.transpose ? run(attend_frozen_kernel<true>) : run(attend_frozen_kernel<false>);
}

}   // namespace transweld
