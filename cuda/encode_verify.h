// From candidates to pre-activations: each row's lists become one, and its entries are evaluated by the canonical dot.
//
//   merge   L = the K-th largest lower end of all splits' lists; what has upper >= L stays: RowLists, value = upper end
//   count ─► offsets ─► place    (row, slot) pairs ordered by feature: a counting sort by integers
//   verify  value = dot(x[row], weight[feature]) + bias[feature]
//
// PAIRS BY FEATURE. Rows · candidates weight rows are read, many more bytes than the weight has, and the weight does not fit the
// second cache where it matters. In the order of features the weight passes once and the rows of x, which do fit, are what is
// read at random. A warp takes eight neighbouring pairs, four lanes of 16 bytes each; as a rule they share a feature, so that the
// weight row is one broadcast for the eight: 4·D bytes a pair through the second cache. Flops 2·D a pair.
//
// TWO GOES. Lower ends are a weak limit where intervals are wide (i8): the K entries of a row with the largest upper ends go
// first, and the smallest p of these excludes most of the others before they are evaluated.
#pragma once
#include "device/dot.h"
#include "encode_products.h"

namespace transweld {
namespace {

// Entries of the rows' lists, of which `pairs` is an order.
struct VerifyTask {
  RowLists lists;
  unsigned* fronts;                  // [rows] entries of the first go: the head of the list
  unsigned* places;                  // [F] counts of a feature's pairs, then where they end
  uint2* pairs;                      // row, slot
  unsigned long long* total;
  uint64_t rows, features;
  bool front, two_goes;              // front: the go that is under way

  __device__ unsigned begin(uint64_t r) const { return front ? 0 : fronts[r]; }
  __device__ unsigned end(uint64_t r) const { return lists.counts[r] == kLost ? begin(r) : front ? fronts[r] : lists.counts[r]; }
};

constexpr unsigned kRowThreads = tile::screen::kThreads, kRowWarps = kRowThreads / 32;
constexpr unsigned kOffsetThreads = 256, kOffsetWarps = kOffsetThreads / 32;

__device__ inline unsigned lanes_before() { return (1u << lane_of()) - 1; }

// Entry i of a row is moved to the list's place `kept + rank` where it passes: by a warp, in order.
template <class Pass, class Put> __device__ inline unsigned keep_entries(unsigned count, unsigned kept, const Pass& pass, const Put& put) {
  for (unsigned i = lane_of(); i / 32 * 32 < count; i += 32) {
    const unsigned votes = __ballot_sync(kAllLanes, i < count && pass(i));
    if (votes >> lane_of() & 1) put(i, kept + static_cast<unsigned>(__popc(votes & lanes_before())));
    kept += static_cast<unsigned>(__popc(votes));
  }
  return kept;
}

// The splits' lists of a row moved together, in place: what is written lies never ahead of what was read.
__device__ inline unsigned gather_splits(const ScreenTask& task, uint64_t r, Candidate* all) {
  const unsigned* const counts = task.counts + r * task.splits;
  unsigned filled = counts[0];
  for (unsigned s = 1; s < task.splits; s++) {
    const Candidate* const part = all + uint64_t{s} * task.room;
    for (unsigned i = lane_of(); i / 32 * 32 < counts[s]; i += 32) {
      const Candidate entry = i < counts[s] ? part[i] : Candidate{};
      __syncwarp();   // all lanes have read before one writes
      if (i < counts[s]) all[filled + i] = entry;
    }
    filled += counts[s];
  }
  __syncwarp();       // the list is whole
  return filled;
}

__global__ void __launch_bounds__(kRowThreads) encode_merge_kernel(ScreenTask task, VerifyTask verify) {
  SHARED(SelectWork, works, [kRowWarps]);
  SelectWork& work = works[warp_of()];
  for (uint64_t r = blockIdx.x * uint64_t{kRowWarps} + warp_of(); r < task.rows; r += uint64_t{gridDim.x} * kRowWarps) {
    unsigned lost = 0;
    for (unsigned s = lane_of(); s < task.splits; s += 32) lost |= task.counts[r * task.splits + s];
    if (__any_sync(kAllLanes, lost >= kGivenUp)) {
      if (lane_of() == 0) verify.lists.counts[r] = kLost;
      if (lane_of() == 0) verify.fronts[r] = 0;
      continue;
    }
    Candidate* const all = task.lists + r * task.splits * task.room;
    const unsigned count = gather_splits(task, r, all), k = static_cast<unsigned>(task.k);
    float limit = task.certificates[r].limit;
    uint32_t edge = 0;   // of upper ends that go first
    if (!task.positive && count >= k) {
      const auto lower = [&](unsigned i) { return lower_key(all[i].lower); };
      limit = fmaxf(limit, limit_of(kth_largest(WarpTeam{}, lower, count, k, work)));
      const auto upper = [&](unsigned i) { return rank_code(all[i].upper); };
      if (verify.two_goes) edge = kth_largest(WarpTeam{}, upper, count, k, work);
    }
    uint32_t* const index = verify.lists.index + r * verify.lists.room;
    float* const value = verify.lists.value + r * verify.lists.room;
    const auto put = [&](unsigned i, unsigned at) {
      if (at >= verify.lists.room) return;
      index[at] = all[i].index;
      value[at] = all[i].upper;
    };
    const auto stays = [&](unsigned i) { return !(all[i].upper < limit); };
    const unsigned front = keep_entries(count, 0, [&](unsigned i) { return stays(i) && rank_code(all[i].upper) >= edge; }, put);
    const unsigned kept = keep_entries(count, front, [&](unsigned i) { return stays(i) && rank_code(all[i].upper) < edge; }, put);
    if (lane_of()) continue;
    verify.fronts[r] = front;
    verify.lists.counts[r] = kept > verify.lists.room || kept < k ? kLost : kept;
  }
}

// After the first go: the smallest p of a row's front is a limit for the rest of it.
__global__ void __launch_bounds__(kRowThreads) encode_prune_kernel(VerifyTask verify) {
  for (uint64_t r = blockIdx.x * uint64_t{kRowWarps} + warp_of(); r < verify.rows; r += uint64_t{gridDim.x} * kRowWarps) {
    if (verify.lists.counts[r] == kLost) continue;
    uint32_t* const index = verify.lists.index + r * verify.lists.room;
    float* const value = verify.lists.value + r * verify.lists.room;
    const unsigned front = verify.fronts[r], count = verify.lists.counts[r];
    uint32_t least = UINT32_MAX;
    for (unsigned i = lane_of(); i < front; i += 32) least = min(least, rank_code(value[i]));
    least = __reduce_min_sync(kAllLanes, least);
    const float limit = least == UINT32_MAX ? kInfinite : ranked_value(least);   // all NaN: only what may be NaN stays
    unsigned kept = front;
    for (unsigned i = front + lane_of(); i - lane_of() < count; i += 32) {
      const uint32_t f = i < count ? index[i] : 0;
      const float upper = i < count ? value[i] : 0;
      const unsigned votes = __ballot_sync(kAllLanes, i < count && !(upper < limit));
      __syncwarp();   // all lanes have read before one writes
      if (votes >> lane_of() & 1) {
        const unsigned at = kept + static_cast<unsigned>(__popc(votes & lanes_before()));
        index[at] = f;
        value[at] = upper;
      }
      kept += static_cast<unsigned>(__popc(votes));
    }
    __syncwarp();     // everybody has read the count
    if (lane_of() == 0) verify.lists.counts[r] = kept;
  }
}

// counts: of each feature's pairs. places: each pair to the next free place of its feature.
template <bool kPlace> __global__ void __launch_bounds__(kRowThreads) encode_pairs_kernel(VerifyTask verify) {
  for (uint64_t r = blockIdx.x * uint64_t{kRowWarps} + warp_of(); r < verify.rows; r += uint64_t{gridDim.x} * kRowWarps) {
    const uint32_t* const index = verify.lists.index + r * verify.lists.room;
    const unsigned end = verify.end(r);
    for (unsigned i = verify.begin(r) + lane_of(); i < end; i += 32) {
      const unsigned at = atomicAdd(&verify.places[index[i]], 1u);
      if (kPlace) verify.pairs[at] = make_uint2(static_cast<unsigned>(r), i);
    }
  }
}

// Counts become places. A block adds up all counters before its own 1024 by itself: at most 0.5 MB from the second cache.
__global__ void __launch_bounds__(kOffsetThreads) encode_offsets_kernel(VerifyTask verify, unsigned* out, unsigned long long* evaluated) {
  SHARED(unsigned, sums, [kOffsetWarps]);
  const uint64_t begin = blockIdx.x * uint64_t{tile::screen::kOffsets};
  unsigned before = 0;
  for (uint64_t f = threadIdx.x; f < begin; f += kOffsetThreads) before += verify.places[f];
  constexpr unsigned kEach = tile::screen::kOffsets / kOffsetThreads;
  unsigned mine[kEach], here = 0;
#pragma unroll
  for (unsigned i = 0; i < kEach; i++) {
    const uint64_t f = begin + threadIdx.x * kEach + i;
    mine[i] = f < verify.features ? verify.places[f] : 0;
    here += mine[i];
  }
  before = warp_sum(before);
  unsigned all, at = warp_before(here, all);
  if (lane_of() == 0) sums[warp_of()] = before;
  __syncthreads();   // the warps' sums of what lies before the block
  for (unsigned w = 0; w < kOffsetWarps; w++) at += sums[w];
  __syncthreads();   // they have been read
  if (lane_of() == 0) sums[warp_of()] = all;
  __syncthreads();   // the warps' own sums
  for (unsigned w = 0; w < warp_of(); w++) at += sums[w];
#pragma unroll
  for (unsigned i = 0; i < kEach; i++) {
    const uint64_t f = begin + threadIdx.x * kEach + i;
    if (f < verify.features) out[f] = at;
    at += mine[i];
  }
  if (blockIdx.x + 1 < gridDim.x || threadIdx.x + 1 < kOffsetThreads) return;
  *verify.total = at;
  *evaluated += at;
}

template <int W> __global__ void __launch_bounds__(kRowThreads) encode_verify_kernel(EncodeTask task, VerifyTask verify, uint64_t from) {
  constexpr unsigned kPairs = 32 / kGroup<W>;   // of a warp
  const uint64_t total = *verify.total, stride = uint64_t{gridDim.x} * kRowWarps * kPairs;
  for (uint64_t first = (blockIdx.x * uint64_t{kRowWarps} + warp_of()) * kPairs; first < total; first += stride) {
    const uint64_t at = first + lane_of() / kGroup<W>;
    const uint2 pair = verify.pairs[at < total ? at : total - 1];
    const uint64_t place = uint64_t{pair.x} * verify.lists.room + pair.y;
    const uint32_t f = verify.lists.index[place];
    const float *const x = task.x + (from + pair.x) * task.x_stride, *const w = task.weight + f * task.weight_stride;
    const float dot = group_dot<W, tile::screen::kAhead>(x, w, task.columns);
    if (at < total && group_lane<W>() == 0) verify.lists.value[place] = task.bias ? dot + task.bias[f] : dot;
  }
}

}   // namespace
}   // namespace transweld
