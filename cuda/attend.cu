// attend: out[i] = Σ_j p·v[j] over the keys j that row i of its sequence sees, p = softmax_j of cap(scale·q[i]·k[j]).
//   q, out [N, H·W], k, v [M, H/G·W] f32, starts [B+1]
//   flops 24·W for a row and a key of a tile that it sees, in bf16; bytes 8·W·T/(64/G) a row of T keys through the second cache
// On tensor cores at f32 accuracy (attend_tile.h), without a matrix of scores. A block takes 16·R rows of one key head through the
// keys that they see, 64 at a time: scores (attend_scores.h), their powers about the largest so far as parts in shared memory, and
// p·v. The sums of out stand in registers: 64/C columns of each of Slices·64 a warp.
//   chunks   of 256 keys from the sequence's first begin anew, and their results are joined in order (attend_sums.h): in out itself
//            or, where rows are few and keys many, from blocks of their own through scratch. Same operations, so the bits of a
//            row depend neither on that choice nor on what else is in the call
//   tiles    in which a row sees nothing change nothing of it: a power is 0, a factor 1
#include "attend_sums.h"
#include "device/scratch.h"
#include "tile.h"

namespace transweld {
namespace {

using tile::attend::kJoinThreads;

// Scores become powers; returns what the sums so far are multiplied by. total: this lane's keys alone.
__device__ inline float soften(float (&score)[8][4], unsigned u, Softmax& state) {
  float most = state.most, sum = 0;
#pragma unroll
  for (unsigned n = 0; n < 8; n++) most = max_second(score[n][2 * u + 1], max_second(score[n][2 * u], most));
  most = max_second(__shfl_xor_sync(kAllLanes, most, 1), most);
  most = max_second(__shfl_xor_sync(kAllLanes, most, 2), most);
  const float base = Softmax::base(most), kept = exp_of(state.most - base);
#pragma unroll
  for (unsigned n = 0; n < 8; n++) {
#pragma unroll
    for (unsigned e = 0; e < 2; e++) {
      score[n][2 * u + e] = exp_of(score[n][2 * u + e] - base);
      sum = sum + score[n][2 * u + e];
    }
  }
  state.total = fmaf(state.total, kept, sum);
  state.most = most;
  return kept;
}

// Powers as the left operand of p·v: parts in shared memory, as rows of q stand there. Of C warps with the same powers each writes
// its columns'; a barrier follows before they are read.
template <int C> __device__ void store_powers(const float (&power)[8][4], unsigned char* to, unsigned part_bytes) {
  const unsigned top = 16 * row_group(C) + lane_of() / 4;
#pragma unroll
  for (unsigned n = 0; n < 8; n++) {
    if (n / (8 / C) != warp_of() % C) continue;
#pragma unroll
    for (unsigned u = 0; u < 2; u++) {
      float low = power[n][2 * u], high = power[n][2 * u + 1];
#pragma unroll
      for (int part = 0; part < 3; part++) {
        const float first = part == 2 ? low : rounded_to_bf16(low), second = part == 2 ? high : rounded_to_bf16(high);
        *reinterpret_cast<unsigned*>(to + part * part_bytes + piece_at(top + 8 * u, n) + lane_of() % 4 * 4) = pair_of(first, second);
        low -= first;
        high -= second;
      }
    }
  }
}

// In shared memory: q's, and one of powers.
template <bool Held> __host__ __device__ unsigned staged_slices(uint32_t width) { return (Held ? slices_of(width) : 1) + 1; }

template <int R, int C, int Slices, bool Held, bool Apart>
__device__ void attend_rows(const Attention& a, const Work& w, const ScoreRoom<R, C>& room) {
  using S = ScoreShape<R, C>;
  constexpr uint32_t kTiles = kChunk / kTile;
  const unsigned own = 16 * row_group(C) + lane_of() / 4;
  const uint32_t place[2] = {w.rows.place_of(own, a.rule.group), w.rows.place_of(own + 8, a.rule.group)};
  for (unsigned s = 0; Held && s < slices_of(a.rule.width); s++) stage_queries<R, C>(a.rule, w.rows, s, room.queries + s * S::kQuerySlice, room.bad_q);
  Fetched next;
  next.read_rows(w.keys, uint64_t{w.begin_tile} * kTile, 0, a.rule.width);
  Sums<C, Slices> sums;
  Softmax state[2], all[2];
  bool named[2] = {};                                         // rows that have seen what parts cannot carry
  sums.each([](unsigned, float& x) { x = 0; });
#pragma unroll 1
  for (uint32_t t = w.begin_tile; t < w.end_tile; t++) {
    float score[8][4];
    const auto first_values = [&](Fetched& fetched) { fetched.read_columns(w.values, 0, uint64_t{t} * kTile, w.end); };
    score_tile<R, C, Held>(a.rule, w.rows, place, room, w.keys, t, next, room.bad_k, room.bad_v, first_values, score);
    if (room.bad_k[0] | room.bad_k[1]) {
#pragma unroll
      for (unsigned u = 0; u < 2; u++) named[u] = named[u] || sees_any(a.rule, place[u], t * kTile, room.bad_k);
    }
    const float kept[2] = {soften(score, 0, state[0]), soften(score, 1, state[1])};
    store_powers<C>(score, room.powers, S::kQueryPart);
    sums.each([&](unsigned r, float& x) { x = x * kept[r / 2]; });
    const unsigned left = w.end - t * kTile, steps = left < kTile ? (left + kStep - 1) / kStep : kTile / kStep;
#pragma unroll 1
    for (unsigned s = 0; s * kTile < w.columns || s == 0; s++) {
      __syncthreads();                                        // what the tile held has been used
      next.store_columns(room.tile, room.bad_v);
      if (s == 0 && threadIdx.x < 2) room.bad_k[threadIdx.x] = 0;
      __syncthreads();
      if ((s + 1) * kTile < w.columns) next.read_columns(w.values, (s + 1) * kTile, uint64_t{t} * kTile, w.end);
      else if (t + 1 < w.end_tile) next.read_rows(w.keys, uint64_t{t + 1} * kTile, 0, a.rule.width);
#pragma unroll
      for (unsigned slice = 0; slice < Slices; slice++) {     // registers have no index: the slice of sums is chosen
        if (slice != s) continue;
#pragma unroll 1
        for (unsigned step = 0; step < steps; step++) {
          unsigned p[3][4];
          load_left(p, room.powers, S::kQueryPart, 16 * row_group(C), step);
          multiply_step(p, room.tile, warp_of() % C * S::kColumns, step, sums.at[slice]);
        }
      }
    }
    if (room.bad_v[0] | room.bad_v[1]) {
#pragma unroll
      for (unsigned u = 0; u < 2; u++) named[u] = named[u] || sees_any(a.rule, place[u], t * kTile, room.bad_v);
    }
    const bool end = t + 1 == w.end_tile, first = Apart || t / kTiles == w.begin_tile / kTiles, last = end && !Apart;
    if (!end && (t + 1) % kTiles) continue;
    Ending ending[2] = {};
#pragma unroll
    for (unsigned u = 0; u < 2; u++) {
      const uint64_t row = w.rows.first + own + 8 * u;
      state[u].total += __shfl_xor_sync(kAllLanes, state[u].total, 1);
      state[u].total += __shfl_xor_sync(kAllLanes, state[u].total, 2);
      named[u] = named[u] || room.bad_q[(own + 8 * u) / 32] >> (own + 8 * u) % 32 & 1;
      if (row < w.rows.count && !named[u]) ending[u] = ending_of<Apart>(a, w, row, first, state[u], all[u]);
    }
    __syncthreads();                                          // what the tile held has been used
    put_sums<C, Slices>(sums, w.columns, first, last, ending, reinterpret_cast<float*>(room.tile) + warp_of() * 16 * kPitch);
    if (__any_sync(kAllLanes, named[0] || named[1])) attend_alone<C, Apart>(a, w, t / kTiles * kChunk, first, last, named, all);
    state[0] = state[1] = {};
    named[0] = named[1] = false;
    sums.each([](unsigned, float& x) { x = 0; });
  }
}

template <int R, int C, int Slices, bool Held, bool Apart>
__global__ void __launch_bounds__(kTileThreads, 2) attend_rows_kernel(const Attention a, Report report) {
  DYNAMIC_SHARED(unsigned char, memory);
  SHARED(Work, shared_work, [1]);
  const ScoreRoom<R, C> room(memory, staged_slices<Held>(a.rule.width));
  if (blockIdx.x == 0 && blockIdx.y == 0) check_sequences(a, report);
  if (a.sequences == 0) return;
  for (uint64_t item = blockIdx.x; item < a.slots * a.key_heads * strips_of<Slices, Held>(a.rule.width); item += gridDim.x) {
    __syncthreads();                                          // what the item before left has been used
    if (threadIdx.x == 0) shared_work[0] = work_of<R, Slices, Held, Apart>(a, item);
    if (threadIdx.x < kMasks) room.bad_q[threadIdx.x] = 0;
    __syncthreads();
    const Work& w = shared_work[0];
    if (w.begin_tile < w.end_tile) attend_rows<R, C, Slices, Held, Apart>(a, w, room);
  }
}

// out from the chunks of a row that stand apart, in order: a block a row and head.
__global__ void __launch_bounds__(kJoinThreads) attend_join_kernel(const Attention a) {
  const uint64_t count = a.rows * a.heads;
  for (uint64_t row = blockIdx.x; row < count; row += gridDim.x) {
    const uint64_t query = row / a.heads;
    const uint64_t b = sequence_of(a.sequences, query, [&](uint64_t i) { return uint64_t{a.starts[i]}; });
    const Sequence s = sequence_at(a, b);
    if (!s.sound || query < s.begin || query - s.begin >= s.queries) continue;
    const uint32_t place = static_cast<uint32_t>(s.keys - s.queries + query - s.begin);
    const uint32_t begin = place >= a.rule.limit ? (place - a.rule.limit + 1) / kChunk : 0;
    for (unsigned c = threadIdx.x; c < a.rule.width; c += kJoinThreads) {
      Softmax all{a.apart_most[begin * count + row], a.apart_total[begin * count + row]};
      float sum = a.apart[(begin * count + row) * a.rule.width + c];
      for (uint32_t chunk = begin + 1; chunk <= place / kChunk; chunk++) {
        const uint64_t at = chunk * count + row;
        const Vec<float, 2> factor = all.join({a.apart_most[at], a.apart_total[at]});
        sum = joined(sum, a.apart[at * a.rule.width + c], factor);
      }
      a.out[query * a.out_stride + row % a.heads * a.rule.width + c] = quotient(sum, all.total);
    }
  }
}

Attention divided(Divider d, Attention a, size_t& bytes) {
  a.apart = d.take<float>(a.chunks * a.rows * a.heads * a.rule.width);
  a.apart_most = d.take<float>(a.chunks * a.rows * a.heads);
  a.apart_total = d.take<float>(a.chunks * a.rows * a.heads);
  bytes = d.used;
  return a;
}

template <int R, int C, int Slices, bool Held> tw_status run(tw_context* context, Attention a) {
  a.slots = a.rows && a.sequences && a.rule.width ? a.rows * a.rule.group / (16 * R) + a.sequences : 0;
  const uint64_t items = a.slots * a.key_heads * strips_of<Slices, Held>(a.rule.width);
  const uint64_t chunks = blocks_of(a.key_rows, kChunk);
  if (items && chunks > 1 && R == 4 && items < tile::attend::kFull * chip(context).processors) return run<2, 2, 2, true>(context, a);
  if (items && chunks > 1 && chunks <= tile::attend::kMostChunks && items < tile::attend::kFull * chip(context).processors) {
    a.chunks = static_cast<uint32_t>(chunks);
    size_t bytes = 0;
    divided({}, a, bytes);
    void* room = bytes <= tile::attend::kMostApart ? scratch(context, bytes) : nullptr;
    if (room) a = divided(Divider(room), a, bytes);
    else a.chunks = 0;
  }
  const dim3 grid(items ? grid_of(items) : 1, a.chunks ? a.chunks : 1);     // without rows one block still checks starts
  const size_t shared = ScoreShape<R, C>::bytes(staged_slices<Held>(a.rule.width));
  auto kernel = attend_rows_kernel<R, C, Slices, Held, false>;
  if constexpr (R < 4) {                                      // 64 rows with chunks apart spill on sm_100
    if (a.chunks) kernel = attend_rows_kernel<R, C, Slices, Held, true>;
  }
  const cudaError_t error = launch(kernel, grid, kTileThreads, shared, stream(context), a, report(context));
  if (error != cudaSuccess || !a.chunks) return launched(context, error, "attend_rows_kernel");
  const cudaError_t joined = launch(attend_join_kernel, grid_of(a.rows * a.heads), kJoinThreads, 0, stream(context), a);
  return launched(context, joined, "attend_join_kernel");
}

}   // namespace

tw_status attend(tw_context* context, const tw_attend_args& a) {
  const uint64_t rows = a.q.rows, columns = a.q.columns, key_rows = has(a.key_starts) ? a.k.rows : rows;
  Check check{context};
  check.view("q", a.q, {TW_F32, kAny, kAny})
      .that(a.heads > 0 && columns % a.heads == 0, "a divisor of the columns", "heads", a.heads)
      .that(a.key_heads > 0 && a.heads % a.key_heads == 0, "a divisor of the heads", "key_heads", a.key_heads);
  if (check.status) return check.status;
  const uint64_t width = columns / a.heads, key_columns = width * a.key_heads;
  check.view("k", a.k, {TW_F32, key_rows, key_columns})
      .view("v", a.v, {TW_F32, key_rows, key_columns})
      .view("out", a.out, {TW_F32, rows, columns})
      .view("starts", a.starts, {TW_U32, 1, kAny})
      .that(a.starts.columns > 0, "at least one element", "starts", a.starts.columns);
  if (check.status) return check.status;
  const uint64_t sequences = a.starts.columns - 1;
  if (has(a.key_starts)) check.view("key_starts", a.key_starts, {TW_U32, 1, sequences}).view("key_counts", a.key_counts, {TW_U32, 1, sequences});
  if (check.status) return check.status;
  const Attention all{score_rule(a.q, a.k, a.heads, a.key_heads, a.window, a.scale, a.cap), f32(a.q), f32(a.k), f32(a.v), f32(a.out), u32(a.starts),
                      u32(a.key_starts), u32(a.key_counts), rows, key_rows, sequences, 0, a.v.stride, a.out.stride, a.heads,
                      a.key_heads, 0, 0, nullptr, nullptr, nullptr};
  const bool few = rows * all.rule.group <= tile::attend::kFewRows * sequences;
  if (width > 4 * kTile) return run<1, 4, 4, false>(context, all);
  if (few) return width > 2 * kTile ? run<1, 4, 4, true>(context, all) : run<1, 4, 2, true>(context, all);
  if (width > 2 * kTile) return run<2, 2, 4, true>(context, all);
  return width > kTile ? run<2, 2, 2, true>(context, all) : run<4, 1, 1, true>(context, all);
}

}   // namespace transweld
