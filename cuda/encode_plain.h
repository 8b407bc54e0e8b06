// The plain product of sparse_encode: p[n,f] = dot(x[n], weight[f]) + bias[f] by the canonical order, selected tile by tile.
// Shapes: x [N, D], weight [F, D]; a tile is 32 rows x 64 features, an item is a tile of rows and a split of the features.
// Flops: N·F·D fused multiply-adds. Bytes: a tile reads 96·D·4 for 2048·D multiply-adds, 24 bytes a cycle and multiprocessor at
// full rate, from the second cache; the weight comes from memory once for all blocks that walk it side by side.
//
// The 16 partial sums of an output lie in eight lanes, two in each (columns 2p and 2p + 1 of every sixteen, p = lane / 4), and the
// four values of lane % 4 are four sets of 8 x 8 outputs. A step of 16 columns is 16 loads of 8 bytes and 128 FFMA a lane:
//   issue      128 of 144 slots are arithmetic (89 %): a whole stage is unrolled, its addresses are 9 registers and immediates
//   shared     16 wavefronts in 32 cycles, where lanes that differ by 1 (rows) or 2 (features) read the same 8 bytes and are
//              served together; 32 in 32 were they not. Rows are 80 floats apart: a lane reads every other row, so the rows of a
//              load lie 0 and 16 banks off, and its 16 words of 8 bytes touch all 32 banks.
// Row i of lane p is row i ^ p of its eight: then the fold 8-4-2 sends registers 4..7, 2..3, 1 to the lane 4, 2, 1 away and keeps
// the others, without a select: 112 shuffles for 64 outputs, and lane p ends with the 8 outputs of row p.
//
// SELECTION. Entries (place, p) go to the row's list of this split. TOPK: those above the row's limit; a list that the next tile
// might overflow is cut to its best K, whose last is the next limit, so after the first tiles hardly anything passes. POSITIVE:
// all that are not <= 0, in a list that has a place for every feature.
#pragma once
#include "device/pipe.h"
#include "device/select.h"
#include "device/vec.h"
#include "encode_call.h"
#include "tile.h"

namespace transweld {
namespace {

using tile::encode::kColumns, tile::encode::kFeatures, tile::encode::kRows, tile::encode::kStages, tile::encode::kThreads;
constexpr unsigned kPitch = kColumns + 16;                              // floats of a row in a stage
constexpr unsigned kStage = (kRows + kFeatures) * kPitch;               // floats of a stage
constexpr unsigned kWarps = kThreads / 32, kAcross = kFeatures / 16;    // warps side by side, 16 x 16 outputs each
constexpr unsigned kPieces = kColumns / 4, kFilled = kThreads / kPieces; // 16-byte pieces of a row; rows that are filled at a time
constexpr uint32_t kNoRow = UINT32_MAX;

// How rows and features are shared out: item i is tile i % tiles of the rows and split i / tiles of the features.
struct Spread { uint32_t tiles, splits, share; };                       // share: tiles of features of a split

// The number of splits that finishes first: waves of blocks times the length of an item.
__host__ __device__ inline Spread spread_of(uint64_t rows, uint64_t features, unsigned blocks, unsigned most_items) {
  const uint32_t tiles = static_cast<uint32_t>(blocks_of(rows, kRows)), across = static_cast<uint32_t>(blocks_of(features, kFeatures));
  Spread best{tiles, 1, across};
  if (!tiles || !across) return best;
  uint64_t least = blocks_of(tiles, blocks) * across;
  for (unsigned wave = 1; wave <= tile::encode::kWaves; wave++) {
    const unsigned items = wave * blocks < most_items ? wave * blocks : most_items;
    uint32_t splits = items / tiles < across ? items / tiles : across;
    if (splits < 2) continue;
    const uint32_t share = (across + splits - 1) / splits;
    splits = (across + share - 1) / share;                              // none is empty
    const uint64_t time = blocks_of(uint64_t{tiles} * splits, blocks) * share;
    if (time < least) {
      least = time;
      best = {tiles, splits, share};
    }
  }
  return best;
}

// Rows that take the plain product, by slots, and their lists.
struct PlainWork {
  const uint32_t* list;        // [slots] the row of a slot; null: first + slot
  const unsigned* listed;      // how many slots there are; null: rows
  uint64_t first, rows;
  unsigned blocks, most_items; // of the grid; of (tile, split)
  uint32_t *counts, *index;    // [slot][split]
  float* value;
  uint64_t room;               // of a list; 0: a slot has a place for every feature, at the feature's own offset or before it

  __device__ uint64_t slots() const { return listed ? *listed : rows; }
  __device__ uint32_t row(uint64_t slot) const { return list ? list[slot] : static_cast<uint32_t>(first + slot); }
  __device__ uint64_t begin(uint64_t slot, uint32_t split, uint64_t features, const Spread& s) const {
    return room ? (slot * s.splits + split) * room : slot * features + uint64_t{split} * s.share * kFeatures;
  }
};

struct PlainState {            // of a tile of rows, in shared memory
  unsigned long long limit[kRows];
  uint32_t row[kRows], count[kRows];
  unsigned full[2];            // of tiles with even and odd number: a list must be cut before the next entries
  SelectWork select[kWarps];
};

static_assert(padded(sizeof(PlainState), 1024) + kStages * kStage * sizeof(float) <= 99 * 1024, "a block has 99 KB on sm_86, 89 and 120");

// Four columns of a row into a stage; those past the last become zero.
template <int Width> __device__ inline void fill_piece(float* to, const float* row, uint64_t column, uint64_t columns, bool real) {
  const unsigned left = !real || column >= columns ? 0 : columns - column < 4 ? static_cast<unsigned>(columns - column) : 4;
  const float* from = left ? row + column : row;
  if constexpr (Width == 4) {
    copy_async<16>(to, from, left * 4);
  } else {
#pragma unroll
    for (unsigned i = 0; i < 4; i++) copy_async<4>(to + i, i < left ? from + i : from, i < left ? 4 : 0);
  }
}

// Stage `at` of the ring: columns first_column ... of the tile's rows and of features first_feature ... below end.
template <int Width>
__device__ inline void fill_stage(const EncodeTask& task, const PlainState& state, float* stage, uint64_t first_feature, uint64_t end,
                                  uint64_t first_column) {
  const unsigned piece = threadIdx.x % kPieces, from = threadIdx.x / kPieces;
  const uint64_t column = first_column + piece * 4;
#pragma unroll
  for (unsigned r = 0; r < kRows + kFeatures; r += kFilled) {
    const unsigned at = from + r;
    float* to = stage + at * kPitch + piece * 4;
    if (r < kRows) {
      const uint32_t n = state.row[at];
      fill_piece<Width>(to, task.x + (n == kNoRow ? 0 : n * task.x_stride), column, task.columns, n != kNoRow);
    } else {
      const uint64_t j = first_feature + (at - kRows);
      fill_piece<Width>(to, task.weight + (j < end ? task.feature(j) * task.weight_stride : 0), column, task.columns, j < end);
    }
  }
}

struct Sums { float at[8][8][2]; };   // [row i ^ p][feature][partial 2p + h]

// Units of sixteen columns, from `stage` on: that many links of every chain.
template <unsigned Units> __device__ inline void add_units(Sums& sums, const float* stage) {
  const unsigned lane = lane_of(), fg = lane % 2, rg = lane / 2 % 2, p = lane / 4, down = warp_of() / kAcross, across = warp_of() % kAcross;
  const float* const a = stage + (down * 16 + rg) * kPitch + 2 * p;
  const float* const b = stage + (kRows + across * 16 + fg) * kPitch + 2 * p;
#pragma unroll
  for (unsigned unit = 0; unit < Units; unit++) {
    Vec<float, 2> x[8], w[8];
#pragma unroll
    for (unsigned i = 0; i < 8; i++) x[i] = load_vec<2>(a + (i ^ p) * 2 * kPitch + unit * 16);
#pragma unroll
    for (unsigned c = 0; c < 8; c++) w[c] = load_vec<2>(b + c * 2 * kPitch + unit * 16);
#pragma unroll
    for (unsigned i = 0; i < 8; i++) {
#pragma unroll
      for (unsigned c = 0; c < 8; c++) {
#pragma unroll
        for (unsigned h = 0; h < 2; h++) sums.at[i][c][h] = fmaf(x[i].at[h], w[c].at[h], sums.at[i][c][h]);
      }
    }
  }
}

// 8-4-2-1 over the partial sums; dot[c] is of row p. A template, so that every register has a number.
template <unsigned Half> __device__ inline void fold_sums(Sums& sums, float (&dot)[8]) {
#pragma unroll
  for (unsigned i = 0; i < Half; i++) {
#pragma unroll
    for (unsigned c = 0; c < 8; c++) {
#pragma unroll
      for (unsigned h = 0; h < 2; h++) sums.at[i][c][h] += __shfl_xor_sync(kAllLanes, sums.at[i + Half][c][h], Half * 4);
    }
  }
  if constexpr (Half > 1) {
    fold_sums<Half / 2>(sums, dot);
  } else {
#pragma unroll
    for (unsigned c = 0; c < 8; c++) dot[c] = sums.at[0][c][0] + sums.at[0][c][1];
  }
}

// Cuts the lists that a tile of features might overflow to their best K, a warp a list.
__device__ inline void cut_lists(PlainState& state, const PlainWork& work, uint64_t begin, uint64_t pitch, unsigned k) {
  for (unsigned r = warp_of(); r < kRows; r += kWarps) {
    const unsigned count = state.count[r];
    if (count + kFeatures <= work.room) continue;
    uint32_t* index = work.index + begin + r * pitch;
    float* value = work.value + begin + r * pitch;
    const auto key = [&](unsigned i) { return rank_key(value[i], index[i]); };
    const unsigned long long edge = kth_largest(WarpTeam{}, key, count, k, state.select[warp_of()]);
    unsigned kept = 0;
    for (unsigned first = 0; first < count; first += 32) {
      const unsigned i = first + lane_of();
      const uint32_t f = i < count ? index[i] : 0;
      const float p = i < count ? value[i] : 0;
      const bool stays = i < count && rank_key(p, f) >= edge;
      const unsigned votes = __ballot_sync(kAllLanes, stays);
      const unsigned to = kept + __popc(votes & ((1u << lane_of()) - 1));
      __syncwarp();                    // all 32 have been read; what follows writes over them
      if (stays) {
        index[to] = f;
        value[to] = p;
      }
      kept += __popc(votes);
    }
    if (lane_of() == 0) {
      state.count[r] = kept;
      state.limit[r] = edge;
    }
    __syncwarp();
  }
}

// A warp's 16 x 16 outputs, 8 a lane, into the lists.
template <bool Positive>
__device__ inline void append_tile(const EncodeTask& task, PlainState& state, const PlainWork& work, const float (&dot)[8], uint64_t first,
                                   uint64_t end, uint64_t begin, uint64_t pitch, unsigned number) {
  const unsigned lane = lane_of(), r = warp_of() / kAcross * 16 + lane / 4 * 2 + lane / 2 % 2;
  const uint64_t j = first + warp_of() % kAcross * 16 + lane % 2;
  if (state.row[r] == kNoRow) return;
  const unsigned long long limit = state.limit[r];
  float p[8];
  unsigned passing = 0;
#pragma unroll
  for (unsigned c = 0; c < 8; c++) {
    const uint64_t place = j + 2 * c;
    if (place >= end) continue;
    p[c] = task.bias ? dot[c] + task.bias[task.feature(place)] : dot[c];
    const bool passes = Positive ? !(p[c] <= 0) : rank_key(p[c], static_cast<uint32_t>(place)) > limit;
    passing |= passes ? 1u << c : 0;
  }
  if (!passing) return;
  const unsigned count = __popc(passing);
  unsigned at = atomicAdd(&state.count[r], count);
  if (!Positive && work.room && at + count + kFeatures > work.room) atomicOr(&state.full[number % 2], 1u);
#pragma unroll
  for (unsigned c = 0; c < 8; c++) {
    if (!(passing >> c & 1)) continue;
    work.index[begin + r * pitch + at] = static_cast<uint32_t>(j + 2 * c);
    work.value[begin + r * pitch + at] = p[c];
    at++;
  }
}

template <bool Positive, int Width>
__global__ void __launch_bounds__(kThreads, 1) encode_plain_kernel(EncodeTask task, PlainWork work) {
  DYNAMIC_SHARED(float, stages);       // [kStages][96 rows][kPitch]: 64 columns each
  SHARED(PlainState, shared, [1]);
  PlainState& state = shared[0];
  const uint64_t slots = work.slots();
  const Spread spread = spread_of(slots, task.features, work.blocks, work.most_items);
  const unsigned chunks = task.columns ? static_cast<unsigned>(blocks_of(task.columns, kColumns)) : 1;
  for (uint64_t item = blockIdx.x; item < uint64_t{spread.tiles} * spread.splits; item += gridDim.x) {
    const uint64_t slot = item % spread.tiles * kRows;
    const uint32_t split = static_cast<uint32_t>(item / spread.tiles);
    const uint64_t from = uint64_t{split} * spread.share * kFeatures, through = from + uint64_t{spread.share} * kFeatures;
    const uint64_t end = through < task.features ? through : task.features;
    const uint64_t begin = work.begin(slot, split, task.features, spread), pitch = work.room ? spread.splits * work.room : task.features;
    if (threadIdx.x < kRows) {
      const uint64_t mine = slot + threadIdx.x;
      state.row[threadIdx.x] = mine < slots ? work.row(mine) : kNoRow;
      state.count[threadIdx.x] = 0;
      state.limit[threadIdx.x] = 0;    // below every key
      if (threadIdx.x < 2) state.full[threadIdx.x] = 0;
    }
    __syncthreads();                   // rows are known to those who fill
    const unsigned tiles = static_cast<unsigned>(blocks_of(end - from, kFeatures));
    const uint64_t steps = uint64_t{tiles} * chunks;
    uint64_t filled = 0, next_first = from;
    unsigned next_chunk = 0;
    const auto fill = [&] {            // the next stage, one group a call whether or not there is one
      if (filled < steps) {
        fill_stage<Width>(task, state, stages + filled % kStages * kStage, next_first, end, uint64_t{next_chunk} * kColumns);
        if (++next_chunk == chunks) {
          next_chunk = 0;
          next_first += kFeatures;
        }
      }
      filled++;
      copies_commit();
    };
    for (unsigned s = 0; s + 1 < kStages; s++) fill();
    // Warps beyond the last row or feature have nothing to add.
    const bool rows_here = slot + warp_of() / kAcross * 16 < slots;
    uint64_t step = 0;
    for (unsigned number = 0; number < tiles; number++) {
      const uint64_t first = from + uint64_t{number} * kFeatures;
      const bool here = rows_here && first + warp_of() % kAcross * 16 < end;
      Sums sums{};
      for (unsigned chunk = 0; chunk < chunks; chunk++, step++) {
        copies_wait<kStages - 2>();
        __syncthreads();               // this stage has arrived, and the one before it has been read by all
        fill();
        if (chunk == 0 && number && state.full[(number - 1) % 2]) {
          cut_lists(state, work, begin, pitch, static_cast<unsigned>(task.k));
          __syncthreads();             // limits and counts are new before anyone appends
          if (threadIdx.x == 0) state.full[(number - 1) % 2] = 0;
        }
        if (!here) continue;
        const uint64_t left = task.columns - uint64_t{chunk} * kColumns;
        const float* stage = stages + step % kStages * kStage;
        if (left >= kColumns) add_units<kColumns / 16>(sums, stage);
        else for (unsigned column = 0; column < left; column += 16) add_units<1>(sums, stage + column);
      }
      if (!here) continue;
      float dot[8];
      fold_sums<4>(sums, dot);
      append_tile<Positive>(task, state, work, dot, first, end, begin, pitch, number);
    }
    __syncthreads();                   // all entries are counted
    if (threadIdx.x < kRows && slot + threadIdx.x < slots) {
      work.counts[(slot + threadIdx.x) * spread.splits + split] = state.count[threadIdx.x];
    }
    __syncthreads();                   // before the state serves the next item
  }
}

// Enqueues the product over the rows of `work`.
inline tw_status plain_product(const EncodeCall& call, const PlainWork& work) {
  const tw_view &x = call.args.x, &weight = call.args.weight;
  const bool wide = divides(x, 4) && divides(weight, 4);
  auto* kernel = call.task.positive ? (wide ? encode_plain_kernel<true, 4> : encode_plain_kernel<true, 1>)
                                    : (wide ? encode_plain_kernel<false, 4> : encode_plain_kernel<false, 1>);
  constexpr size_t kBytes = kStages * kStage * sizeof(float);
  const cudaError_t error = launch(kernel, work.blocks, kThreads, kBytes, stream(call.context), call.task, work);
  return launched(call.context, error, "encode_plain_kernel");
}

}   // namespace
}   // namespace transweld
