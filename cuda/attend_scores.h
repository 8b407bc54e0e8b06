// Scores of attention, tile by tile: cap(scale·q·k) of the queries of one key head with 64 keys, what attend and attend_pattern share.
//
//   rows     of a sequence and a key head: number query·G + head, G heads that read this key head. They share its keys, so one new
//            query of a cache is still G rows; a block takes 16·R of them, counted from the sequence's first
//   warps    R · C = 4: a warp makes 16 rows × 64/C keys; with C > 1 they exchange scores, and each goes on with all 64 keys of
//            its rows, for 1/C of the output's columns
//   lanes    hold scores as mma.h lays out sums: rows g and g + 8, keys 8n + 2t and 8n + 2t + 1, with g = lane / 4, t = lane % 4
// Rows of q or k with an element that parts cannot carry are named in masks, and their scores here mean nothing.
#pragma once
#include "attend_tile.h"
#include "device/maths.h"

namespace transweld {
namespace {

constexpr unsigned kPitch = kTile + 8;        // floats of a row of exchanged scores: pairs of four rows lie on different banks
constexpr unsigned kMasks = 6;                // words: bad rows of q, of k, bad rows of v, 64 bits each

struct ScoreRule {
  uint32_t width, group, limit;               // W, G; a key is seen from fewer than `limit` places behind it
  float scale, cap;
  uint64_t q_stride, k_stride;
  bool q_wide, k_wide;
};

inline ScoreRule score_rule(const tw_view& q, const tw_view& k, uint32_t heads, uint32_t key_heads, uint32_t window, float scale, float cap) {
  const uint32_t width = static_cast<uint32_t>(q.columns / heads), most = 0xffff0000u;   // differences above are those below 0
  return {width, heads / key_heads, window && window < most ? window : most, scale, cap, q.stride, k.stride,
          width % 4 == 0 && divides(q, 4), width % 4 == 0 && divides(k, 4)};
}

// Of 64 columns of a head; one where there are none.
__host__ __device__ inline unsigned slices_of(uint32_t width) { return width > kTile ? (width + kTile - 1) / kTile : 1; }

// Where a block's rows are. Keys are counted from the sequence's first.
struct RowTile {
  const float *q, *k;                         // of query 0 and the group's first head; of key 0
  uint64_t first, count;                      // this tile's first row; rows of the sequence in all
  uint32_t before;                            // keys before query 0

  __device__ uint32_t place(uint64_t row, uint32_t group) const { return before + static_cast<uint32_t>(row / group); }
  // Of row `own` of the tile; rows beyond the last are where that is.
  __device__ uint32_t place_of(unsigned own, uint32_t group) const {
    const uint64_t row = first + own;
    return place(row < count ? row : count - 1, group);
  }
  __device__ const float* query(const ScoreRule& a, uint64_t row) const { return q + row / a.group * a.q_stride + row % a.group * a.width; }
  __device__ const float* key(const ScoreRule& a, uint32_t j) const { return k + j * a.k_stride; }
};

template <int R, int C> struct ScoreShape {
  static constexpr unsigned kRows = 16 * R, kColumns = kTile / C, kMine = kColumns / 8;
  static constexpr unsigned kQueryPart = kRows * kLineBytes, kQuerySlice = 3 * kQueryPart;   // 64 k of all rows
  static_assert(R * C * 32 == kTileThreads, "four warps");
  // Shared memory: slices of q, a tile, scores on their way, masks.
  static constexpr size_t bytes(unsigned slices) {      // slices of q, a tile, and for attend one of powers
    return slices * size_t{kQuerySlice} + kTileBytes + (C > 1 ? (kRows * kPitch - 8) * sizeof(float) : 0) + kMasks * sizeof(unsigned);
  }
};

template <int R, int C> struct ScoreRoom {
  using S = ScoreShape<R, C>;
  unsigned char *queries, *tile, *powers;   // the last for attend alone
  float* scores;
  unsigned *bad_q, *bad_k, *bad_v;
  __device__ ScoreRoom(unsigned char* memory, unsigned slices) : queries(memory), tile(memory + slices * S::kQuerySlice), powers(tile - S::kQuerySlice) {
    scores = reinterpret_cast<float*>(tile + kTileBytes);
    bad_q = reinterpret_cast<unsigned*>(scores + (C > 1 ? S::kRows * kPitch - 8 : 0));   // the last row's padding is not written
    bad_k = bad_q + 2;
    bad_v = bad_k + 2;
  }
};

__device__ inline unsigned row_group(int columns) { return warp_of() / columns; }

// Parts of 64 k of q's rows, from `slice`·64 on.
template <int R, int C> __device__ void stage_queries(const ScoreRule& a, const RowTile& r, unsigned slice, unsigned char* to, unsigned* bad) {
  using S = ScoreShape<R, C>;
  for (unsigned i = threadIdx.x; i < S::kRows * 8; i += kTileThreads) {
    const uint64_t row = r.first + i / 8;
    const Operand one{r.query(a, row), row < r.count, 0, 1, TW_F32, a.q_wide};
    Share<3> piece;
    piece.read_as<float>(one, 0, uint64_t{slice} * kTile + i % 8 * kPiece, a.width);
    if (piece.most() >= bits_of(kMostMost)) atomicOr(bad + i / 8 / 32, 1u << i / 8 % 32);
    store_piece(piece, to, S::kQueryPart, i / 8, i % 8);
  }
}

// sum += products over 64 k of the warp's rows with its keys of the tile.
template <int R, int C>
__device__ void multiply_slice(const ScoreRule& a, unsigned slice, const unsigned char* queries, const unsigned char* tile,
                               float (&sum)[ScoreShape<R, C>::kMine][4]) {
  using S = ScoreShape<R, C>;
  const unsigned left = a.width - slice * kTile, steps = left < kTile ? (left + kStep - 1) / kStep : kTile / kStep;
#pragma unroll 1
  for (unsigned step = 0; step < steps; step++) {
    unsigned q[3][4];
    load_left(q, queries, S::kQueryPart, 16 * row_group(C), step);
    multiply_step(q, tile, warp_of() % C * S::kColumns, step, sum);
  }
}

// Every warp gets the products of its rows with all 64 keys. All threads of the block call it.
template <int R, int C>
__device__ void exchange(const ScoreRoom<R, C>& room, const float (&mine)[ScoreShape<R, C>::kMine][4], float (&all)[8][4]) {
  using S = ScoreShape<R, C>;
  if constexpr (C == 1) {
#pragma unroll
    for (int n = 0; n < 8; n++) {
#pragma unroll
      for (int r = 0; r < 4; r++) all[n][r] = mine[n][r];
    }
  } else {
    float* row = room.scores + (16 * row_group(C) + lane_of() / 4) * kPitch + lane_of() % 4 * 2;
    float* to = row + warp_of() % C * S::kColumns;
#pragma unroll
    for (unsigned n = 0; n < S::kMine; n++) {
      store_vec(to + 8 * n, Vec<float, 2>{mine[n][0], mine[n][1]});
      store_vec(to + 8 * kPitch + 8 * n, Vec<float, 2>{mine[n][2], mine[n][3]});
    }
    __syncthreads();
#pragma unroll
    for (int n = 0; n < 8; n++) {
      const auto upper = load_vec<2>(row + 8 * n), lower = load_vec<2>(row + 8 * kPitch + 8 * n);
      all[n][0] = upper.at[0]; all[n][1] = upper.at[1]; all[n][2] = lower.at[0]; all[n][3] = lower.at[1];
    }
  }
}

// The score of one row of q with one of k, by one lane: for those that parts cannot carry.
__device__ inline float score_alone(const ScoreRule& a, const float* q, const float* k) {
  float dot = 0;
  for (uint32_t c = 0; c < a.width; c++) dot = fmaf(q[c], k[c], dot);
  return capped(dot * a.scale, a.cap);
}

// Whether a row sees one of a tile's keys that are named in `bad`.
__device__ inline bool sees_any(const ScoreRule& a, uint32_t place, uint32_t key, const unsigned* bad) {
  bool found = false;
#pragma unroll 1
  for (unsigned j = 0; j < kTile; j++) found = found || (bad[j / 32] >> j % 32 & 1 && place - (key + j) < a.limit);
  return found;
}

// Products become scores; those of keys that a row does not see become −∞. place: of rows g and g + 8.
__device__ inline void finish_scores(const ScoreRule& a, const uint32_t (&place)[2], uint32_t key, float (&all)[8][4]) {
  const float nothing = -float_of(0x7f800000u);
#pragma unroll
  for (unsigned n = 0; n < 8; n++) {
#pragma unroll
    for (unsigned r = 0; r < 4; r++) {
      const uint32_t behind = place[r / 2] - (key + 8 * n + lane_of() % 4 * 2 + r % 2);   // wraps for keys ahead
      all[n][r] = behind < a.limit ? capped(all[n][r] * a.scale, a.cap) : nothing;
    }
  }
}

// What a tile of rows sees: of the keys below `end`, tiles begin_tile ... end_tile − 1.
struct Sight { uint32_t end, begin_tile, end_tile; };
__device__ inline Sight sight_of(const ScoreRule& a, const RowTile& r, unsigned height) {
  const uint32_t first = r.place_of(0, a.group), end = r.place_of(height - 1, a.group) + 1;
  return {end, first >= a.limit ? (first - a.limit + 1) / kTile : 0, (end - 1) / kTile + 1};
}

// The scores of tile t's keys, whose first 64 columns `next` has read; then(next) reads what comes after the tile. Sets bits of
// bad_keys and clears `old_keys`, which nobody has read since the barrier before.
template <int R, int C, bool Held, class Then>
__device__ void score_tile(const ScoreRule& a, const RowTile& r, const uint32_t (&place)[2], const ScoreRoom<R, C>& room, const Operand& keys, uint32_t t,
                           Fetched& next, unsigned* bad_keys, unsigned* old_keys, const Then& then, float (&all)[8][4]) {
  using S = ScoreShape<R, C>;
  float mine[S::kMine][4] = {};
  const unsigned slices = slices_of(a.width);
#pragma unroll 1
  for (unsigned s = 0; s < slices; s++) {
    __syncthreads();                          // what the tile held has been used
    if constexpr (!Held) stage_queries<R, C>(a, r, s, room.queries, room.bad_q);
    next.store_rows(room.tile, bad_keys);
    if (s == 0 && threadIdx.x < 2) old_keys[threadIdx.x] = 0;
    __syncthreads();
    if (s + 1 < slices) next.read_rows(keys, uint64_t{t} * kTile, uint64_t{s + 1} * kTile, a.width);
    else then(next);
    multiply_slice<R, C>(a, s, room.queries + (Held ? s * S::kQuerySlice : 0), room.tile, mine);
  }
  exchange<R, C>(room, mine, all);
  finish_scores(a, place, t * kTile, all);
}

}   // namespace
}   // namespace transweld
