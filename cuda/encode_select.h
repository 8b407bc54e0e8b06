// From lists to codes: what a row's lists hold (encode_plain.h, or the screened path's RowLists) becomes its positions.
//
//   TOPK      z[n, rank] = max(p, 0): the exact K best of the row's entries, a block a row: the K-th by radix select over 2 to 3
//             readings of the list, then ranks by counting (K <= 256) or a bitonic sort.
//   POSITIVE  count, a row; starts, one block, the running sum of the rows; place, a block a row: features in ascending order by a
//             bitmap of the row's features and the prefix sums of its words, so that nothing is sorted.
//
// Bytes: 8 an entry, read from the second cache as a rule, and 8 a position written. Rows come from a source: a struct
// whose open() says how many there are, and of which find(slot, row, entries) says which row it is and where its entries lie.
#pragma once
#include "encode_plain.h"

namespace transweld {
namespace {

using tile::encode::kCounted, tile::encode::kPlaceThreads, tile::encode::kSegment, tile::encode::kSelectThreads, tile::encode::kSorted;

// A row's entries, fewer than 2^32 places: list s has counts[s] of them at s·span.
struct Entries {
  const uint32_t *counts, *index;
  const float* value;
  uint32_t lists, span;

  __device__ unsigned count() const {
    unsigned sum = 0;
    for (uint32_t s = 0; s < lists; s++) sum += counts[s];
    return sum;
  }
  // Places to look at, and whether one holds an entry: all of them where there is one list.
  __device__ unsigned places() const { return lists == 1 ? counts[0] : (lists - 1) * span + counts[lists - 1]; }
  __device__ bool holds(unsigned i) const { return lists == 1 || i % span < counts[i / span]; }
  __device__ unsigned long long key(unsigned i) const { return holds(i) ? rank_key(value[i], index[i]) : 0; }
};

struct PlainRows {
  PlainWork work;
  uint64_t features;
  Spread spread;               // once a thread: it costs divisions

  __device__ uint64_t open() {
    const uint64_t slots = work.slots();
    spread = spread_of(slots, features, work.blocks, work.most_items);
    return slots;
  }
  __device__ bool find(uint64_t slot, uint32_t& row, Entries& e) const {
    const uint64_t begin = work.begin(slot, 0, features, spread);
    row = work.row(slot);
    e = {work.counts + slot * spread.splits, work.index + begin, work.value + begin, spread.splits,
         work.room ? static_cast<uint32_t>(work.room) : spread.share * kFeatures};
    return true;
  }
};

struct ScreenedRows {
  RowLists lists;
  uint64_t first, rows;

  __device__ uint64_t open() const { return rows; }
  __device__ bool find(uint64_t slot, uint32_t& row, Entries& e) const {
    row = static_cast<uint32_t>(first + slot);
    e = {lists.counts + slot, lists.index + slot * lists.room, lists.value + slot * lists.room, 1, 0};
    return lists.counts[slot] != kLost;
  }
};

// The rows that the screened product handed back, in any order: no result depends on it.
__global__ void __launch_bounds__(kSelectThreads) encode_lost_kernel(EncodeTask task, RowLists lists, uint64_t first, uint64_t rows,
                                                                    uint32_t* list, unsigned* listed) {
  for (uint64_t r = blockIdx.x * uint64_t{blockDim.x} + threadIdx.x; r < rows; r += uint64_t{gridDim.x} * blockDim.x) {
    if (lists.counts[r] != kLost) continue;
    list[atomicAdd(listed, 1u)] = static_cast<uint32_t>(first + r);
    atomicAdd(&task.counts[2], 1ull);
  }
}

// ---- TOPK --------------------------------------------------------------------------------------------------------------

struct SortRoom {              // of one block, in scratch, where K > kSorted
  unsigned long long* keys;
  float* values;
  unsigned padded;             // K to a power of two
};

__device__ inline void write_rank(const EncodeTask& task, uint64_t n, unsigned rank, unsigned long long key, float p) {
  task.index[n * task.index_stride + rank] = task.feature(static_cast<uint32_t>(~key));
  task.z[n * task.z_stride + rank] = p != p ? float_of(0x7fc00000u) : task.relu && !(p > 0) ? 0.0f : p;
}

template <class Source>
__global__ void __launch_bounds__(kSelectThreads) encode_select_kernel(EncodeTask task, Source source, SortRoom room) {
  SHARED(SelectWork, work, [1]);
  SHARED(unsigned long long, sorted_keys, [kSorted]);
  SHARED(float, sorted_values, [kSorted]);
  SHARED(unsigned, taken, [1]);
  const unsigned k = static_cast<unsigned>(task.k);
  unsigned long long* keys = k <= kSorted ? sorted_keys : room.keys + uint64_t{blockIdx.x} * room.padded;
  float* values = k <= kSorted ? sorted_values : room.values + uint64_t{blockIdx.x} * room.padded;
  const uint64_t slots = source.open();
  for (uint64_t slot = blockIdx.x; slot < slots; slot += gridDim.x) {
    uint32_t n;
    Entries e;
    if (!source.find(slot, n, e)) continue;
    const unsigned places = e.places();
    if (threadIdx.x == 0) taken[0] = 0;
    const auto key = [&](unsigned i) { return e.key(i); };
    const unsigned long long edge = e.count() > k ? kth_largest(BlockTeam{}, key, places, k, work[0]) : 1;   // 1: every entry
    __syncthreads();           // `taken` is 0
    for (unsigned i = threadIdx.x; i < places; i += blockDim.x) {
      const unsigned long long mine = e.key(i);
      if (mine < edge) continue;
      const unsigned at = atomicAdd(taken, 1u);
      if (at >= k) continue;   // never, where a row has each feature once
      keys[at] = mine;
      values[at] = e.value[i];
    }
    __syncthreads();           // the K are together
    const unsigned count = taken[0] < k ? taken[0] : k;
    if (k <= kCounted) {
      for (unsigned i = threadIdx.x; i < count; i += blockDim.x) {
        const unsigned long long mine = keys[i];
        unsigned rank = 0;
        for (unsigned j = 0; j < count; j++) rank += keys[j] > mine;
        write_rank(task, n, rank, mine, values[i]);
      }
    } else {
      for (unsigned i = count + threadIdx.x; i < room.padded; i += blockDim.x) keys[i] = 0;
      __syncthreads();         // padded with what ranks last
      sort_descending(BlockTeam{}, keys, values, room.padded);
      for (unsigned i = threadIdx.x; i < count; i += blockDim.x) write_rank(task, n, i, keys[i], values[i]);
    }
    __syncthreads();           // before the next row overwrites keys and `taken`
  }
}

// ---- POSITIVE ----------------------------------------------------------------------------------------------------------

__device__ inline bool is_positive(float p) { return !(p <= 0); }   // NaN is

// found[row − first]: positives of a row. A warp a row.
template <class Source>
__global__ void __launch_bounds__(kPlaceThreads) encode_count_kernel(Source source, uint64_t first, uint32_t* found) {
  const uint64_t slots = source.open(), warps = uint64_t{gridDim.x} * (blockDim.x / 32);
  for (uint64_t slot = blockIdx.x * uint64_t{blockDim.x / 32} + warp_of(); slot < slots; slot += warps) {
    uint32_t n;
    Entries e;
    if (!source.find(slot, n, e)) continue;
    unsigned count = 0;
    for (uint32_t s = 0; s < e.lists; s++) {
      for (unsigned i = lane_of(); i < e.counts[s]; i += 32) count += is_positive(e.value[uint64_t{s} * e.span + i]);
    }
    count = warp_sum(count);
    if (lane_of() == 0) found[n - first] = count;
  }
}

// Between the chunks of a call, and its clock.
struct EncodeState {
  unsigned long long began, needed, given;   // given: positions of the rows that fit
};

// The sum of `x` over the threads before this one, and of all of them, in `total`. words: one a warp.
__device__ inline unsigned long long block_before(unsigned long long x, unsigned long long* words, unsigned long long& total) {
  unsigned long long sum = x;
#pragma unroll
  for (unsigned step = 1; step < 32; step *= 2) {
    const unsigned long long from = __shfl_up_sync(kAllLanes, sum, step);
    if (lane_of() >= step) sum += from;
  }
  __syncthreads();             // the words of the call before have been read
  if (lane_of() == 31) words[warp_of()] = sum;
  __syncthreads();             // every warp's sum is there
  unsigned long long before = 0;
  total = 0;
  for (unsigned w = 0; w < blockDim.x / 32; w++) {
    before += w < warp_of() ? words[w] : 0;
    total += words[w];
  }
  return before + sum - x;
}

// starts and the home of rows first ... first + rows − 1; one block. A row that does not fit whole gets nothing, nor does any after.
__global__ void __launch_bounds__(kThreads) encode_starts_kernel(EncodeTask task, EncodeState* state, uint64_t first, uint64_t rows,
                                                                const uint32_t* found, unsigned long long* home) {
  SHARED(unsigned long long, words, [kThreads / 32]);
  SHARED(unsigned long long, given, [1]);
  unsigned long long base = state->needed;
  if (threadIdx.x == 0) given[0] = state->given;
  for (uint64_t r0 = 0; r0 < rows; r0 += blockDim.x) {
    const uint64_t r = r0 + threadIdx.x;
    const unsigned long long mine = r < rows ? found[r] : 0;
    unsigned long long all;
    const unsigned long long from = base + block_before(mine, words, all), to = from + mine;
    const bool fits = to <= task.capacity;
    if (r < rows && fits) atomicMax(given, to);
    __syncthreads();           // what is given up to this piece is known
    if (r < rows) {
      task.starts[first + r + 1] = fits ? to : given[0];
      home[r] = fits && mine ? from : kNowhere;
    }
    base += all;
  }
  __syncthreads();             // `given` has been read, and state by all
  if (threadIdx.x == 0) {
    state->needed = base;
    state->given = given[0];
  }
}

// A row's positives to their places, ascending.
template <class Source>
__global__ void __launch_bounds__(kPlaceThreads) encode_place_kernel(EncodeTask task, Source source, uint64_t first,
                                                                     const unsigned long long* home) {
  SHARED(uint32_t, bits, [kSegment / 32]);   // a bit a feature of this segment
  SHARED(uint32_t, before, [kSegment / 32]); // positives in the words before
  SHARED(unsigned long long, sums, [kPlaceThreads / 32]);
  const uint64_t slots = source.open();
  for (uint64_t slot = blockIdx.x; slot < slots; slot += gridDim.x) {
    uint32_t n;
    Entries e;
    if (!source.find(slot, n, e) || home[n - first] == kNowhere) continue;
    uint64_t to = home[n - first];
    const auto each = [&](uint64_t segment, const auto& body) {
      for (uint32_t s = 0; s < e.lists; s++) {
        for (unsigned i = threadIdx.x; i < e.counts[s]; i += blockDim.x) {
          const uint32_t f = e.index[uint64_t{s} * e.span + i];
          const float p = e.value[uint64_t{s} * e.span + i];
          if (f >= segment && f - segment < kSegment && is_positive(p)) body(static_cast<uint32_t>(f - segment), f, p);
        }
      }
    };
    for (uint64_t segment = 0; segment < task.features; segment += kSegment) {
      const uint64_t left = task.features - segment;
      const unsigned words = static_cast<unsigned>(blocks_of(left < kSegment ? left : kSegment, 32));
      const unsigned share = (words + blockDim.x - 1) / blockDim.x;
      for (unsigned w = threadIdx.x; w < words; w += blockDim.x) bits[w] = 0;
      __syncthreads();         // an empty bitmap
      each(segment, [&](uint32_t at, uint32_t, float) { atomicOr(&bits[at / 32], 1u << at % 32); });
      __syncthreads();         // a full one
      unsigned mine = 0;
      const unsigned begin = threadIdx.x * share, end = begin + share < words ? begin + share : words;
      for (unsigned w = begin; w < end; w++) mine += __popc(bits[w]);
      unsigned long long all;
      unsigned sum = static_cast<unsigned>(block_before(mine, sums, all));
      for (unsigned w = begin; w < end; w++) {
        before[w] = sum;
        sum += __popc(bits[w]);
      }
      __syncthreads();         // ranks are known
      each(segment, [&](uint32_t at, uint32_t f, float p) {
        const uint64_t place = to + before[at / 32] + __popc(bits[at / 32] & ((1u << at % 32) - 1));
        task.index[place] = task.feature(f);
        task.z[place] = p == p ? p : float_of(0x7fc00000u);
      });
      to += all;
      __syncthreads();         // before the bitmap is emptied
    }
  }
}

}   // namespace
}   // namespace transweld
