// attend: causal attention of packed sequences: out[i] = Σ_j p·v[j] over the j <= i of row i's sequence, p = softmax_j(scale·q[i]·k[j]).
//   q, k, v, out [N, H·width] f32, starts [B+1]       flops about 4·width·T²/2 a head and sequence of T rows; bytes 4·width·T²/64
// No matrix of scores: a block of threads takes kQueries rows of one head through the keys of their sequence, 256 at a time:
//   scores [256 keys][kQueries]    dots in the canonical order, a thread 4 × 4 of them, from rows staged in shared memory
//   soften                         largest, e^(s − largest) and their sum for each row, a half-warp a row
//   out    = out·kept + Σ p·v      kept = e^(old largest − new one); a chain over the 256 keys, a thread 4 rows × 4 columns
// The order of every sum is the CPU's. out itself holds the sums between blocks of keys. A tile of rows that holds several
// sequences takes them one after the other; tiles with the most keys start first.
#include "device/fault.h"
#include "device/maths.h"
#include "device/pipe.h"
#include "device/reduce.h"
#include "device/vec.h"
#include "ops.h"
#include "tile.h"

namespace transweld {
namespace {

using tile::attend::kKeys;
using tile::attend::kQueries;
constexpr unsigned kBlock = 256;                              // keys of one chunk of the row sum: op_table.h
constexpr unsigned kThreads = 128, kWarps = kThreads / 32;
constexpr unsigned kEach = 4;                                 // queries a thread has, and keys, and columns
constexpr unsigned kDown = kQueries / kEach, kAcross = kThreads / kDown;
constexpr unsigned kStrip = kAcross * kEach;                  // columns of v at a time
constexpr unsigned kPitch = kQueries + 4;                     // floats of a row of scores: lanes on sixteen rows meet two by two
static_assert(kKeys == kAcross * kEach, "a tile of keys is one dot for each of a thread's 4 × 4");

struct Heads {
  const float *q, *k, *v;
  float* out;
  const uint32_t* starts;
  uint64_t rows, sequences, heads, width, tiles;              // tiles of kQueries rows
  uint64_t q_stride, k_stride, v_stride, out_stride;
  float scale;
};

// Shared memory of a block, in floats. Rows of an odd pitch: lanes on different rows read different banks.
struct Room {
  float *scores, *keys, *values, *queries, *most, *total, *kept;   // keys and values: one after the other in the same place
  unsigned pitch;
  static __host__ __device__ unsigned pitch_of(uint64_t width) { return static_cast<unsigned>(padded(width, 16)) + 1; }
  static __host__ __device__ size_t staged_keys(bool staged, uint64_t width) {
    const size_t keys = staged ? size_t{kKeys} * pitch_of(width) : 0, values = size_t{kKeys} * kStrip;
    return keys > values ? keys : values;
  }
  static __host__ __device__ size_t floats(bool staged, uint64_t width) {
    return kBlock * kPitch + staged_keys(staged, width) + (staged ? size_t{kQueries} * pitch_of(width) : 0) + 3 * kQueries;
  }
  __device__ Room(float* memory, bool staged, uint64_t width) : pitch(pitch_of(width)) {
    scores = memory;
    keys = values = scores + kBlock * kPitch;
    queries = keys + staged_keys(staged, width);
    most = queries + (staged ? kQueries * pitch : 0);
    total = most + kQueries;
    kept = total + kQueries;
  }
};

// The rows of a tile that belong to one sequence: queries begin ... end − 1, whose keys begin at row `first`.
struct Span { uint64_t first, begin, end; };

// How many keys of the block at `key` the query sees.
__device__ unsigned seen(const Span& s, unsigned query, uint64_t key) {
  const uint64_t row = s.begin + query < s.end ? s.begin + query : s.end - 1;   // queries beyond the last repeat it, and are thrown away
  return row < key ? 0 : row - key + 1 < kBlock ? static_cast<unsigned>(row - key + 1) : kBlock;
}

// to[row · pitch + column] = from[row · stride + column] for `count` rows and `columns`, zeros up to `room` rows and `wide` columns.
__device__ void stage(const float* from, uint64_t stride, unsigned count, unsigned room, uint64_t columns, unsigned wide, float* to,
                      unsigned pitch) {
  for (unsigned r = warp_of(); r < room; r += kWarps) {
    for (unsigned c = lane_of(); c < wide; c += 32) {
      const bool inside = r < count && c < columns;
      copy_async<4>(to + r * pitch + c, inside ? from + r * stride + c : from, inside ? 4 : 0);
    }
  }
}
__device__ void staged_all() {
  copies_commit();
  copies_wait<0>();
  __syncthreads();
}

// Partial sums in the order in which folding them needs a stack of four: s0 + s8, s4 + s12, s2 + s10, ...
__device__ constexpr int kOrder[16] = {0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15};

// dot[i][j] = the canonical dot of queries[i] and keys[j]; Staged: columns beyond the width are zeros, else they are not read.
template <bool Staged>
__device__ void dots(const float* const (&queries)[kEach], const float* const (&keys)[kEach], unsigned width, float (&dot)[kEach][kEach]) {
  const auto at = [&](const float* row, unsigned k) { return Staged || k < width ? row[k] : 0; };
  const unsigned padded_width = (width + 15) / 16 * 16;
  float stack[4][kEach][kEach];
#pragma unroll
  for (int part = 0; part < 16; part++) {
    float sum[kEach][kEach] = {};
#pragma unroll 2
    for (unsigned k = kOrder[part]; k < padded_width; k += 16) {
      float query[kEach], key[kEach];
#pragma unroll
      for (unsigned i = 0; i < kEach; i++) { query[i] = at(queries[i], k); key[i] = at(keys[i], k); }
#pragma unroll
      for (unsigned i = 0; i < kEach; i++) {
#pragma unroll
        for (unsigned j = 0; j < kEach; j++) sum[i][j] = fmaf(query[i], key[j], sum[i][j]);
      }
    }
#pragma unroll
    for (int level = 0; level < 5; level++) {                 // as carries of part + 1 in binary
      const bool carries = ((part + 1) & ((1 << level) - 1)) == 0, ends = !(part >> level & 1);
      if (!carries) continue;
#pragma unroll
      for (unsigned i = 0; i < kEach; i++) {
#pragma unroll
        for (unsigned j = 0; j < kEach; j++) {
          if (!ends) sum[i][j] = stack[level][i][j] + sum[i][j];
          else if (level < 4) stack[level][i][j] = sum[i][j];
          else dot[i][j] = sum[i][j];
        }
      }
    }
  }
}

// scores[key − first of the block][query] = scale·dot for the block's first `count` keys.
template <bool Staged>
__device__ void score(const Heads& a, const Room& room, const Span& s, uint64_t column, uint64_t key, unsigned count) {
  const unsigned q = lane_of() % kDown * kEach, j = warp_of() * (32 / kDown) + lane_of() / kDown;   // keys j, j + kAcross, ...
  for (unsigned first = 0; first < count; first += kKeys) {
    const unsigned some = count - first < kKeys ? count - first : kKeys;
    const float* from = a.k + (key + first) * a.k_stride + column;
    if constexpr (Staged) {
      stage(from, a.k_stride, some, kKeys, a.width, room.pitch - 1, room.keys, room.pitch);
      staged_all();
    }
    const float *queries[kEach], *keys[kEach];
#pragma unroll
    for (unsigned i = 0; i < kEach; i++) {
      const unsigned own = j + i * kAcross;
      const uint64_t row = s.begin + q + i < s.end ? s.begin + q + i : s.end - 1;
      queries[i] = Staged ? room.queries + (q + i) * room.pitch : a.q + row * a.q_stride + column;
      keys[i] = Staged ? room.keys + own * room.pitch : from + (own < some ? own : some - 1) * a.k_stride;
    }
    float dot[kEach][kEach];
    dots<Staged>(queries, keys, static_cast<unsigned>(a.width), dot);
#pragma unroll
    for (unsigned i = 0; i < kEach; i++) {
      const Vec<float, kEach> own{dot[0][i] * a.scale, dot[1][i] * a.scale, dot[2][i] * a.scale, dot[3][i] * a.scale};
      store_vec(room.scores + (first + j + i * kAcross) * kPitch + q, own);
    }
    __syncthreads();                                          // before the next tile of keys is staged, and before soften reads
  }
}

// Scores become powers about the largest so far; the running numbers are brought along.
__device__ void soften(const Room& room, const Span& s, uint64_t key) {
  const bool first = key == s.first;
  for (unsigned q = threadIdx.x / kHalf; q < kQueries; q += kThreads / kHalf) {
    const unsigned count = seen(s, q, key);
    float* scores = room.scores + q;
    const float before = first ? -float_of(0x7f800000u) : room.most[q];
    float most = before, sum = 0;
    for (unsigned j = half_lane(); j < count; j += kHalf) most = max_second(scores[j * kPitch], most);
#pragma unroll
    for (int step = 8; step; step /= 2) most = max_second(__shfl_xor_sync(kAllLanes, most, step, kHalf), most);
    for (unsigned j = half_lane(); j < count; j += kHalf) {
      const float e = exp_of(scores[j * kPitch] - most);
      scores[j * kPitch] = e;
      sum = sum + e;
    }
    sum = fold(sum);
    __syncwarp();                                             // all lanes have read the running numbers
    if (half_lane() > 0 || count == 0) continue;
    const float kept = first ? 0 : exp_of(before - most);
    room.total[q] = first ? sum : fmaf(room.total[q], kept, sum);
    room.most[q] = most;
    room.kept[q] = kept;
  }
  __syncthreads();
}

// out = out·kept + Σ_j p·v[j] over the block's keys, divided by the total after a query's last block.
__device__ void combine(const Heads& a, const Room& room, const Span& s, uint64_t column, uint64_t key, unsigned count) {
  const unsigned q = lane_of() % kDown * kEach, c = (warp_of() * (32 / kDown) + lane_of() / kDown) * kEach;
  unsigned mine[kEach];                                       // ascending
#pragma unroll
  for (unsigned i = 0; i < kEach; i++) mine[i] = seen(s, q + i, key);
  for (uint64_t strip = 0; strip < a.width; strip += kStrip) {
    float sum[kEach][kEach] = {};
    for (unsigned first = 0; first < count; first += kKeys) {
      const unsigned some = count - first < kKeys ? count - first : kKeys;
      stage(a.v + (key + first) * a.v_stride + column + strip, a.v_stride, some, kKeys, a.width - strip, kStrip, room.values, kStrip);
      staged_all();
      const auto add = [&](unsigned j, auto whole) {          // not whole: only queries that see the key, whatever v is there
        const auto p = load_vec<kEach>(room.scores + (first + j) * kPitch + q), v = load_vec<kEach>(room.values + j * kStrip + c);
#pragma unroll
        for (unsigned i = 0; i < kEach; i++) {
          if (!decltype(whole)::value && first + j >= mine[i]) continue;
#pragma unroll
          for (unsigned k = 0; k < kEach; k++) sum[i][k] = fmaf(p.at[i], v.at[k], sum[i][k]);
        }
      };
      const unsigned all = mine[0] < first ? 0 : mine[0] - first < some ? mine[0] - first : some;
      unsigned j = 0;
#pragma unroll 4
      for (; j < all; j++) add(j, Width<1>{});
      for (; j < some && first + j < mine[kEach - 1]; j++) add(j, Width<0>{});
      __syncthreads();                                        // before the next keys' values are staged
    }
#pragma unroll
    for (unsigned i = 0; i < kEach; i++) {
      const uint64_t row = s.begin + q + i;
      if (row >= s.end || mine[i] == 0) continue;
      float* to = a.out + row * a.out_stride + column + strip + c;
      const bool last = row < key + kBlock;
#pragma unroll
      for (unsigned k = 0; k < kEach; k++) {
        if (strip + c + k >= a.width) continue;
        const float out = key == s.first ? sum[i][k] : fmaf(to[k], room.kept[q + i], sum[i][k]);
        to[k] = last ? out / room.total[q + i] : out;
      }
    }
  }
}

// The sequence that has this row: starts[0] = 0 and starts[B] = N have been seen, so the search holds whatever lies between.
__device__ Span sequence_of(const Heads& a, uint64_t row, uint64_t end) {
  uint64_t low = 0, high = a.sequences;                       // starts[low] <= row < starts[high]
  while (high - low > 1) {
    const uint64_t middle = (low + high) / 2;
    (a.starts[middle] <= row ? low : high) = middle;
  }
  return {a.starts[low], row, a.starts[high] < end ? a.starts[high] : end};
}

template <bool Staged> __global__ void __launch_bounds__(kThreads, 2) attend_stream_kernel(const Heads a, Report report) {
  DYNAMIC_SHARED(float, memory);
  const Room room(memory, Staged, a.width);
  const uint32_t head_start = a.starts[0], tail_start = a.starts[a.sequences];
  if (blockIdx.x == 0) {
    if (threadIdx.x == 0 && head_start != 0) report(kFaultSequence, head_start);
    if (threadIdx.x == 0 && tail_start != a.rows) report(kFaultSequence, tail_start);
    for (uint64_t b = threadIdx.x; b < a.sequences; b += kThreads) {
      if (a.starts[b] > a.starts[b + 1]) report(kFaultSequence, a.starts[b + 1]);
    }
  }
  if (head_start != 0 || tail_start != a.rows) return;
  for (uint64_t item = blockIdx.x; item < a.tiles * a.heads; item += gridDim.x) {
    const uint64_t column = item % a.heads * a.width, tile = a.tiles - 1 - item / a.heads;
    const uint64_t end = (tile + 1) * kQueries < a.rows ? (tile + 1) * kQueries : a.rows;
    for (uint64_t row = tile * kQueries; row < end;) {
      const Span s = sequence_of(a, row, end);
      if constexpr (Staged) {
        stage(a.q + s.begin * a.q_stride + column, a.q_stride, static_cast<unsigned>(s.end - s.begin), kQueries, a.width, room.pitch - 1,
              room.queries, room.pitch);                      // waited for with the first keys
      }
      for (uint64_t key = s.first; key < s.end; key += kBlock) {
        const unsigned count = seen(s, kQueries - 1, key);
        score<Staged>(a, room, s, column, key, count);
        soften(room, s, key);
        combine(a, room, s, column, key, count);
      }
      row = s.end;
      __syncthreads();                                        // before the next queries take these ones' place
    }
  }
}

}   // namespace

tw_status attend(tw_context* context, const tw_attend_args& a) {
  const uint64_t rows = a.q.rows, columns = a.q.columns;
  Check check{context};
  check.view("q", a.q, {TW_F32, kAny, kAny})
      .view("k", a.k, {TW_F32, rows, columns})
      .view("v", a.v, {TW_F32, rows, columns})
      .view("out", a.out, {TW_F32, rows, columns})
      .view("starts", a.starts, {TW_U32, 1, kAny})
      .that(a.heads > 0 && columns % a.heads == 0, "a divisor of the columns", "heads", a.heads)
      .that(a.starts.columns > 0, "at least one element", "starts", a.starts.columns);
  if (check.status) return check.status;
  const uint64_t width = columns / a.heads, tiles = columns ? blocks_of(rows, kQueries) : 0;
  const Heads all{f32(a.q), f32(a.k), f32(a.v), f32(a.out), u32(a.starts), rows, a.starts.columns - 1, a.heads, width, tiles,
                  a.q.stride, a.k.stride, a.v.stride, a.out.stride, a.scale};
  // Without rows one block still checks starts. Heads too wide for shared memory are read where they lie.
  const unsigned grid = tiles ? grid_of(tiles * a.heads) : 1;
  const bool staged = Room::floats(true, width) * sizeof(float) <= chip(context).shared_bytes;
  const auto run = [&](auto kernel, bool stages) {
    const cudaError_t error = launch(kernel, grid, kThreads, Room::floats(stages, width) * sizeof(float), stream(context), all, report(context));
    return launched(context, error, "attend_stream_kernel");
  };
  return staged ? run(attend_stream_kernel<true>, true) : run(attend_stream_kernel<false>, false);
}

}   // namespace transweld
