// What becomes of the sums of the screened product: an interval for every pre-activation (device/certificate.h), and a list of the
// features whose upper end reaches the row's limit.
//
//   sums 32 × 128 of a warp (encode_products.h) ─► lower, upper ─► lists [N][splits][room] of { feature, upper, lower }
//
// A row belongs to one warp for the whole walk over the features, so lists and limits need no barrier of the block: a shared
// counter a row hands out places (which feature gets which does not matter: lists are sets). An interval costs 6 instructions a sum
// (conversion, product of scales, three multiply-adds, comparison), a candidate some 20 more.
//
// THE FIRST LIMIT. Without one every feature of the first tiles would be a candidate, and limits that rise inside the walk mean
// selecting again and again with one block's few warps, 32 rows each one after the other. So one tile in 16 is multiplied first,
// lower ends go to a small matrix [N, F/16], and the K-th largest of a row is where L starts (encode_limit_kernel, all rows at
// once): expect 16·K features above it. Where a list is full all the same, the warp raises L from the list, drops what it excludes,
// or gives the row up.
#pragma once
#include "device/certificate.h"
#include "device/select.h"
#include "encode_call.h"
#include "tile.h"

namespace transweld {
namespace {

constexpr uint64_t kScreenBand = 256;          // rows of x are padded to what the larger of the two product kernels takes
constexpr unsigned kGivenUp = 0x80000000u;     // a count from here on: nothing is stored any more, and counting goes on safely
constexpr unsigned kGroupRows = 128;           // of four warps

struct Candidate { uint32_t index; float upper, lower; };

struct ScreenTask {
  ShadowView x, w;              // x.rows is a multiple of kScreenBand
  uint64_t rows, features, k;   // rows of the chunk
  bool positive;
  Certificate* certificates;    // [x.rows]
  float *high, *low;            // [w.padded_rows()] b⁺, b⁻
  unsigned tiles, step, share;  // of features: this many, `step` apart; a split takes `share` of them
  Candidate* lists;             // [rows][splits][room]
  unsigned* counts;             // [rows][splits]
  unsigned splits, room;
  float* seeds;                 // [rows][tiles·128] lower ends: null where candidates are wanted
};

// Lower ends in ranking order, NaN last: it never raises a limit.
__device__ inline uint32_t lower_key(float lower) { return lower == lower ? rank_code(lower) : 0; }

// The limit of an edge that K lower ends reach. Edges have zeros in their low bits, so the least may be no number's code.
__device__ inline float limit_of(uint32_t edge) { return edge <= rank_code(-kInfinite) ? -kInfinite : ranked_value(edge); }

// What a warp does with the sums of its 32 rows: two fragments of 16 rows, `apart` rows from one to the next.
template <uint32_t kScreen, class Sum> struct Taker {
  const ScreenTask& task;
  Certificate* own;        // shared: the 128 rows of the group
  unsigned* counts;        // shared
  uint64_t first;          // row 0 of the group
  unsigned split, base, apart;

  __device__ unsigned row(unsigned i) const { return base + i / 16 * apart + i % 16; }
  __device__ Candidate* list(unsigned r) const { return task.lists + ((first + r) * task.splits + split) * task.room; }

  __device__ void begin() const {
    const unsigned r = row(lane_of());
    const Certificate c = task.certificates[first + r];
    own[r] = c;
    counts[r] = c.limit == kInfinite ? kGivenUp : 0;
    __syncwarp();   // the warp's rows stand
  }

  __device__ void append(unsigned r, uint32_t f, float upper, float lower) const {
    const unsigned slot = atomicAdd(&counts[r], 1u);
    if (slot < task.room) list(r)[slot] = {f, upper, lower};
  }

  // Sums of the features from `place`·step·128 on, at the places of mma.h.
  __device__ void take(const Sum (&sum)[2][16][4], unsigned place) const {
    const unsigned g = lane_of() / 4, t = lane_of() % 4;
    Certificate c[2][2];
#pragma unroll
    for (int i = 0; i < 4; i++) c[i / 2][i % 2] = own[row(i / 2 * 16 + i % 2 * 8 + g)];
#pragma unroll
    for (int n = 0; n < 16; n++) {
      const unsigned column = 8 * n + 2 * t;
      const uint64_t f = uint64_t{place} * task.step * kShadowRows + column;
      const Vec<float, 2> norm = load_vec<2>(task.w.norms() + f), error = load_vec<2>(task.w.errors() + f);
      const Vec<float, 2> scale = kScreen == TW_SCREEN_INT8 ? load_vec<2>(task.w.scales() + f) : Vec<float, 2>{};
      const Vec<float, 2> bias = load_vec<2>((task.seeds ? task.low : task.high) + f);
#pragma unroll
      for (int i = 0; i < 4; i++) {   // the four rows
        const unsigned r = row(i / 2 * 16 + i % 2 * 8 + g);
        const Certificate& mine = c[i / 2][i % 2];
        Vec<float, 2> lower;
#pragma unroll
        for (int j = 0; j < 2; j++) {
          const float number = static_cast<float>(sum[i / 2][n][i % 2 * 2 + j]), scales = mine.scale * scale.at[j];
          if (task.seeds) {
            lower.at[j] = end_of<kScreen>(number, scales, bias.at[j], -mine.a, norm.at[j], -mine.b, error.at[j]);
            if (f + j >= task.features) lower.at[j] = -kInfinite;
            continue;
          }
          const float upper = end_of<kScreen>(number, scales, bias.at[j], mine.a, norm.at[j], mine.b, error.at[j]);
          if (upper < mine.limit || f + j >= task.features) continue;
          append(r, static_cast<uint32_t>(f + j), upper,
                 end_of<kScreen>(number, scales, task.low[f + j], -mine.a, norm.at[j], -mine.b, error.at[j]));
        }
        if (task.seeds && first + r < task.rows) {
          store_vec(task.seeds + (first + r) * task.tiles * kShadowRows + place * kShadowRows + column, lower);
        }
      }
    }
  }

  // Makes room for another tile in every list of the warp.
  __device__ void settle(SelectWork& work) const {
    __syncwarp();   // all lanes have appended, and are together for the next products, which are the whole warp's
    if (task.seeds || task.room >= task.share * kShadowRows) return;
    const unsigned mine = counts[row(lane_of())];
    unsigned full = __ballot_sync(kAllLanes, mine < kGivenUp && mine + kShadowRows > task.room);
    for (; full; full &= full - 1) prune(row(static_cast<unsigned>(__ffs(static_cast<int>(full)) - 1)), work);
    __syncwarp();   // limits and counts stand before the next tile
  }

  __device__ void prune(unsigned r, SelectWork& work) const {
    Candidate* const entries = list(r);
    const unsigned count = counts[r];
    float limit = own[r].limit;
    unsigned kept = count;
    if (!task.positive) {
      const auto key = [&](unsigned i) { return lower_key(entries[i].lower); };
      limit = fmaxf(limit, limit_of(kth_largest(WarpTeam{}, key, count, static_cast<unsigned>(task.k), work)));
      kept = 0;
      for (unsigned i = 0; i < count; i += 32) {
        const bool here = i + lane_of() < count;
        const Candidate candidate = here ? entries[i + lane_of()] : Candidate{};
        const unsigned pass = __ballot_sync(kAllLanes, here && !(candidate.upper < limit));
        __syncwarp();   // all lanes have read before one writes; what is written lies never ahead
        if (pass >> lane_of() & 1) entries[kept + static_cast<unsigned>(__popc(pass & ((1u << lane_of()) - 1)))] = candidate;
        kept += static_cast<unsigned>(__popc(pass));
      }
    }
    __syncwarp();   // everybody has read the count and the limit
    if (lane_of()) return;
    const bool lost = kept + kShadowRows > task.room;
    counts[r] = lost ? kGivenUp : kept;
    own[r].limit = lost ? kInfinite : limit;
  }

  __device__ void end() const {
    __syncwarp();   // all lanes have appended
    const unsigned r = row(lane_of());
    if (!task.seeds && first + r < task.rows) task.counts[(first + r) * task.splits + split] = counts[r];
  }
};

template <uint32_t kScreen> struct SumOf { using type = float; };
template <> struct SumOf<TW_SCREEN_INT8> { using type = int; };

}   // namespace
}   // namespace transweld
