// attend_pattern: out[h·T + i, j] = p, the softmax over j <= i of attend's scores; 0 where row i does not see j.
//   q [T, H·W], k [T, H/G·W] f32, out [H·T, T]      flops up to 12·W·T²/2 a head in bf16; bytes 4·H·T²: written, read, written
// Scores go to out tile by tile (attend_scores.h): a block takes rows of one key head through the keys that they see. Then a warp a
// row: the largest, the powers and their sum, the quotients. A sum of a row is 32 sums of its lanes, folded in pairs.
#include "attend_scores.h"
#include "ops.h"
#include "tile.h"

namespace transweld {
namespace {

using tile::attend_pattern::kThreads;
constexpr unsigned kWarps = kThreads / 32;

struct Pattern {
  ScoreRule rule;
  const float *q, *k;
  float* out;
  uint64_t stride, tiles;                     // tiles of rows of one key head
  uint32_t rows, heads, key_heads, slices;    // T; slices of 64 columns of a head
};

// Held: the rows' parts of q stay in shared memory, else a slice of them comes with every slice of keys.
template <int R, int C, bool Held> __global__ void __launch_bounds__(kTileThreads, 2) attend_pattern_scores_kernel(const Pattern p) {
  using S = ScoreShape<R, C>;
  DYNAMIC_SHARED(unsigned char, memory);
  const ScoreRoom<R, C> room(memory, Held ? p.slices : 1);
  const ScoreRule& a = p.rule;
  for (uint64_t item = blockIdx.x; item < p.tiles * p.key_heads; item += gridDim.x) {
    const uint64_t head = item % p.key_heads, tile = p.tiles - 1 - item / p.key_heads;    // those with the most keys begin
    const RowTile r{p.q + head * a.group * a.width, p.k + head * a.width, tile * S::kRows, uint64_t{p.rows} * a.group, 0};
    const Sight sight = sight_of(a, r, S::kRows);
    const unsigned own = 16 * row_group(C) + lane_of() / 4;
    const uint32_t place[2] = {r.place_of(own, a.group), r.place_of(own + 8, a.group)};
    const Operand keys{r.k, sight.end, a.k_stride, 1, TW_F32, a.k_wide};
    if (threadIdx.x < kMasks) room.bad_q[threadIdx.x] = 0;
    __syncthreads();
    for (unsigned s = 0; Held && s < p.slices; s++) stage_queries<R, C>(a, r, s, room.queries + s * S::kQuerySlice, room.bad_q);
    Fetched next;
    next.read_rows(keys, uint64_t{sight.begin_tile} * kTile, 0, a.width);
#pragma unroll 1
    for (uint32_t t = sight.begin_tile; t < sight.end_tile; t++) {
      unsigned *bad = t % 2 ? room.bad_k : room.bad_v, *old = t % 2 ? room.bad_v : room.bad_k;
      const auto then = [&](Fetched& fetched) {
        if (t + 1 < sight.end_tile) fetched.read_rows(keys, uint64_t{t + 1} * kTile, 0, a.width);
      };
      float score[8][4];
      score_tile<R, C, Held>(a, r, place, room, keys, t, next, bad, old, then, score);
#pragma unroll
      for (unsigned u = 0; u < 2; u++) {
        const uint64_t row = r.first + own + 8 * u;
        if (row >= r.count || warp_of() % C) continue;
        float* to = p.out + ((head * a.group + row % a.group) * p.rows + row / a.group) * p.stride;
#pragma unroll
        for (unsigned n = 0; n < 8; n++) {
#pragma unroll
          for (unsigned e = 0; e < 2; e++) {
            const uint32_t key = t * kTile + 8 * n + lane_of() % 4 * 2 + e;
            if (key <= place[u]) to[key] = score[n][2 * u + e];
          }
        }
        const bool whole = room.bad_q[(own + 8 * u) / 32] >> (own + 8 * u) % 32 & 1;
        if (!whole && !(bad[0] | bad[1])) continue;
#pragma unroll 1
        for (unsigned i = 0; i < 16; i++) {   // of this lane's keys, those that parts cannot carry
          const unsigned j = i / 2 * 8 + lane_of() % 4 * 2 + i % 2;
          const uint32_t key = t * kTile + j;
          if (key <= place[u] && (whole || bad[j / 32] >> j % 32 & 1)) to[key] = score_alone(a, r.query(a, row), r.key(a, key));
        }
      }
    }
    __syncthreads();                          // before the next item's masks and queries
  }
}

// A warp a row: scores of the keys that it sees become p, all else 0.
__global__ void __launch_bounds__(kThreads) attend_pattern_softmax_kernel(const Pattern p) {
  const float nothing = -float_of(0x7f800000u);
  for (uint64_t row = uint64_t{blockIdx.x} * kWarps + warp_of(); row < uint64_t{p.heads} * p.rows; row += uint64_t{gridDim.x} * kWarps) {
    const uint32_t place = static_cast<uint32_t>(row % p.rows), first = place >= p.rule.limit ? place - p.rule.limit + 1 : 0;
    float* out = p.out + row * p.stride;
    float most = nothing, sum = 0;
    for (uint32_t j = first + lane_of(); j <= place; j += 32) most = max_second(out[j], most);
#pragma unroll
    for (int step = 16; step; step /= 2) most = max_second(__shfl_xor_sync(kAllLanes, most, step), most);
    if (most == nothing) most = 0;
    for (uint32_t j = first + lane_of(); j <= place; j += 32) {
      const float power = exp_of(out[j] - most);
      out[j] = power;
      sum = sum + power;
    }
#pragma unroll
    for (int step = 16; step; step /= 2) sum += __shfl_xor_sync(kAllLanes, sum, step);
    __syncwarp();                             // powers go to other lanes
    for (uint32_t j = lane_of(); j < p.rows; j += 32) out[j] = j >= first && j <= place ? out[j] / sum : 0;
  }
}

template <int R, int C, bool Held> tw_status run(tw_context* context, Pattern& p) {
  p.tiles = blocks_of(uint64_t{p.rows} * p.rule.group, 16 * R);
  const size_t bytes = ScoreShape<R, C>::bytes(Held ? p.slices : 1);
  const cudaError_t error = launch(attend_pattern_scores_kernel<R, C, Held>, grid_of(p.tiles * p.key_heads), kTileThreads, bytes, stream(context), p);
  if (error != cudaSuccess) return launched(context, error, "attend_pattern_scores_kernel");
  const cudaError_t finished = launch(attend_pattern_softmax_kernel, grid_of(uint64_t{p.heads} * p.rows, kWarps), kThreads, 0, stream(context), p);
  return launched(context, finished, "attend_pattern_softmax_kernel");
}

}   // namespace

tw_status attend_pattern(tw_context* context, const tw_attend_pattern_args& a) {
  const uint64_t rows = a.q.rows, columns = a.q.columns;
  Check check{context};
  check.view("q", a.q, {TW_F32, kAny, kAny})
      .that(a.heads > 0 && columns % a.heads == 0, "a divisor of the columns", "heads", a.heads)
      .that(a.key_heads > 0 && a.heads % a.key_heads == 0, "a divisor of the heads", "key_heads", a.key_heads);
  if (check.status) return check.status;
  check.view("k", a.k, {TW_F32, rows, columns / a.heads * a.key_heads})
      .view("out", a.out, {TW_F32, a.heads * rows, rows});
  if (check.status || !rows) return check.status;
  const ScoreRule rule = score_rule(a.q, a.k, a.heads, a.key_heads, a.window, a.scale, a.cap);
  Pattern p{rule, f32(a.q), f32(a.k), f32(a.out), a.out.stride, 0, static_cast<uint32_t>(rows), a.heads, a.key_heads,
            slices_of(rule.width)};
  if (p.slices <= 2) return run<4, 1, true>(context, p);
  return p.slices <= 4 ? run<2, 2, true>(context, p) : run<1, 4, false>(context, p);
}

}   // namespace transweld
