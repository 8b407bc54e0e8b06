// The positions of codes regrouped by feature, rows ascending within a feature: a stable radix sort (device/sort.h) of P pairs
// { feature, slot } by feature, lowest digit first, of digits of up to 9 bits: two of them up to 262144 features.
//
//   codes [N, K] or ragged → feature_starts [F+1], rows [P], slots [P], fired [F]
//   bytes: the first digit reads index twice and z once (12P), pairs are written by one digit and read twice by the next (24P),
//          the last one writes feature, row and slot apart (12P): 48P with two digits, and counters: 8P where digits
//          have 8 bits and threads 4 positions. Nearly all of it in the second-level cache (the pairs of P = 2^19 are 4 MB)
//
// How many positions a ragged pattern has is known on the device alone: blocks are launched for its capacity, and those
// beyond leave. A position's row is not carried but found again from its slot, by division or in the starts. feature_starts
// are looked up in the sorted features by bisection, one thread a feature, empty features included.
#include "ops.h"
#include "tile.h"
#include "device/pattern.h"
#include "device/scratch.h"
#include "device/sort.h"

namespace transweld {
namespace {

using namespace tile::feature_major;
constexpr uint32_t kNone = UINT32_MAX;   // no feature: F is a u32

struct alignas(8) Item { uint32_t feature, slot; };

// What the kernels of one digit are given.
struct Sort {
  Pattern codes;
  uint64_t rows_room, slots_room;
  const Item* from;                      // null: the first digit, which reads the pattern
  Item* to;                              // null: the last digit, which writes these:
  uint32_t *features, *rows, *slots;
  const float* z;
  uint32_t* fired;                       // null: not asked for
  Digit digit;
  unsigned blocks;
  uint32_t *counts, *totals;             // [bins][blocks], [bins]
  uint32_t* kept;                        // positions whose feature is below F, from the first digit on
  Report report;

  __device__ uint64_t positions() const {
    if (from) return *kept;
    if (!codes.starts) return codes.rows * codes.width;
    const uint64_t end = codes.starts[codes.rows], room = rows_room < slots_room ? rows_room : slots_room;
    return end < codes.width ? min_of(end, room) : min_of(codes.width, room);
  }
  __device__ static uint64_t min_of(uint64_t a, uint64_t b) { return a < b ? a : b; }

  __device__ Item item(uint64_t i) const {
    if (from) return from[i];
    const uint32_t at = static_cast<uint32_t>(i), width = static_cast<uint32_t>(codes.width);
    const uint64_t slot = codes.starts ? i : at / width * codes.stride + at % width;
    const uint32_t feature = codes.index[slot];
    return {feature < codes.features ? feature : kNone, static_cast<uint32_t>(slot)};
  }

  __device__ uint32_t row_of(uint32_t slot) const {
    if (!codes.starts) return static_cast<uint32_t>(slot / codes.stride);
    const uint64_t begun = lower_bound(codes.starts, codes.rows + 1, uint64_t{slot} + 1);   // rows that begin at or before it
    return static_cast<uint32_t>(begun == 0 ? 0 : min_of(begun, codes.rows) - 1);
  }
};

// The first digit's count meets every number of the pattern first, so it alone reports.
__device__ void check_starts(const Sort& s) {
  if (!s.codes.starts) return;
  const uint64_t thread = uint64_t{blockIdx.x} * kThreads + threadIdx.x;
  for (uint64_t n = thread; n < s.codes.rows; n += uint64_t{gridDim.x} * kThreads) s.codes.span(n, s.report);
  if (thread) return;
  const uint64_t end = s.codes.starts[s.codes.rows];
  if (end > s.rows_room) s.report(kFaultRows, s.rows_room);
  else if (end > s.slots_room) s.report(kFaultSlots, s.slots_room);
}

// counts[bin][block] of a tile, and who fired: sums of integers, the same in any order.
template <int Items> __global__ void feature_major_count_kernel(const __grid_constant__ Sort s) {
  SHARED(uint32_t, count, [1 << kMostBits]);
  if (!s.from) check_starts(s);
  const uint64_t positions = s.positions(), first = uint64_t{blockIdx.x} * Items * kThreads;
  if (first >= positions) return;
  for (unsigned bin = threadIdx.x; bin < s.digit.bins(); bin += kThreads) count[bin] = 0;
  __syncthreads();
#pragma unroll
  for (int i = 0; i < Items; i++) {
    const uint64_t at = first + i * kThreads + threadIdx.x;
    if (at >= positions) continue;
    const Item item = s.item(at);
    if (item.feature == kNone) {
      s.report(kFaultIndex, s.codes.index[item.slot]);
      continue;
    }
    atomicAdd(&count[s.digit.of(item.feature)], 1u);
    if (!s.from && s.fired && s.z[item.slot] != 0) atomicAdd(&s.fired[item.feature], 1u);
  }
  __syncthreads();
  for (unsigned bin = threadIdx.x; bin < s.digit.bins(); bin += kThreads) s.counts[uint64_t{bin} * s.blocks + blockIdx.x] = count[bin];
}

// counts[bin][block] → items of the bin in the blocks before; totals[bin]. A warp a bin.
template <int Items> __global__ void feature_major_offsets_kernel(const __grid_constant__ Sort s) {
  const unsigned bin = blockIdx.x * kWarps + warp_of();
  if (bin >= s.digit.bins()) return;
  const uint64_t filled = blocks_of(s.positions(), Items * kThreads);   // the others have counted nothing
  const uint32_t total = warp_offsets(s.counts + uint64_t{bin} * s.blocks, static_cast<unsigned>(filled));
  if (lane_of() == 0) s.totals[bin] = total;
}

template <int Items> __global__ __launch_bounds__(kThreads) void feature_major_place_kernel(const __grid_constant__ Sort s) {
  SHARED(uint32_t, place, [kWarps << kMostBits]);   // [warp][bin]: items so far, then where the warp's first one goes
  SHARED(uint32_t, before, [1 << kMostBits]);       // items of the bins before it in its piece of bins
  SHARED(uint32_t, pieces, [kWarps]);               // a warp adds up a piece of the bins
  const unsigned bins = s.digit.bins(), piece = bins / kWarps;
  const uint64_t positions = s.positions(), first = (uint64_t{blockIdx.x} * kWarps + warp_of()) * Items * 32 + lane_of();
  if (uint64_t{blockIdx.x} * Items * kThreads >= positions && blockIdx.x) return;   // the first one tells how many there are
  for (unsigned i = threadIdx.x; i < kWarps * bins; i += kThreads) place[i] = 0;
  for (unsigned bin = threadIdx.x; bin < bins; bin += kThreads) before[bin] = s.totals[bin];
  Item item[Items];
#pragma unroll
  for (int i = 0; i < Items; i++) item[i] = first + i * 32 < positions ? s.item(first + i * 32) : Item{kNone, 0};
  __syncthreads();   // the counters are clear, the totals are here

  const uint32_t sum = warp_offsets(before + warp_of() * piece, piece);
  if (lane_of() == 0) pieces[warp_of()] = sum;
  uint32_t* own = place + warp_of() * bins;
  uint32_t rank[Items];
#pragma unroll
  for (int i = 0; i < Items; i++) rank[i] = rank_in_warp(item[i].feature != kNone, s.digit.of(item[i].feature), own);
  __syncthreads();   // the counts of all warps, the sums of all pieces

  for (unsigned bin = threadIdx.x; bin < bins; bin += kThreads) {
    uint32_t at = before[bin] + s.counts[uint64_t{bin} * s.blocks + blockIdx.x];
    for (unsigned p = 0; p < bin / piece; p++) at += pieces[p];
    for (unsigned warp = 0; warp < kWarps; warp++) {
      const uint32_t many = place[warp * bins + bin];
      place[warp * bins + bin] = at;
      at += many;
    }
  }
  if (!s.from && blockIdx.x == 0 && threadIdx.x == 0) {
    uint32_t kept = 0;
    for (unsigned p = 0; p < kWarps; p++) kept += pieces[p];
    *s.kept = kept;
  }
  __syncthreads();   // where every warp's items go

#pragma unroll
  for (int i = 0; i < Items; i++) {
    if (item[i].feature == kNone) continue;
    const uint32_t at = own[s.digit.of(item[i].feature)] + rank[i];
    if (s.to) {
      s.to[at] = item[i];
    } else {
      s.features[at] = item[i].feature;
      s.rows[at] = s.row_of(item[i].slot);
      s.slots[at] = item[i].slot;
    }
  }
}

__global__ void feature_major_starts_kernel(const uint32_t* sorted, const uint32_t* kept, uint64_t features, unsigned long long* starts) {
  for (uint64_t f = uint64_t{blockIdx.x} * kThreads + threadIdx.x; f <= features; f += uint64_t{gridDim.x} * kThreads) {
    starts[f] = lower_bound(sorted, *kept, f);
  }
}

template <int Items> cudaError_t sort_digit(const Sort& s, cudaStream_t stream) {
  cudaError_t error = launch(feature_major_count_kernel<Items>, s.blocks, kThreads, 0, stream, s);
  if (error == cudaSuccess) error = launch(feature_major_offsets_kernel<Items>, grid_of(s.digit.bins(), kWarps), kThreads, 0, stream, s);
  return error == cudaSuccess ? launch(feature_major_place_kernel<Items>, s.blocks, kThreads, 0, stream, s) : error;
}

// Features need this many bits; digits are as even as they can be, and a warp has a bin at least.
unsigned bits_of_feature(uint64_t features) {
  unsigned bits = 0;
  while (features > uint64_t{1} << bits) bits++;
  return bits;
}

}   // namespace

tw_status feature_major(tw_context* context, const tw_feature_major_args& a) {
  Sort s{};
  Check check{context};
  read_pattern(check, a.codes, a.code_rows, a.features, s.codes);
  const uint64_t reach = a.codes.index.rows ? (a.codes.index.rows - 1) * a.codes.index.stride + a.codes.index.columns : 0;
  check.that(a.code_rows <= UINT32_MAX, "at most 2^32 - 1 rows", "code_rows", a.code_rows);
  check.that(reach <= UINT32_MAX, "at most 2^32 - 1 positions", "codes.index", reach);
  check.view("feature_starts", a.feature_starts, {TW_U64, 1, a.features + uint64_t{1}});
  check.view("rows", a.rows, {TW_U32, 1, kAny}).view("slots", a.slots, {TW_U32, 1, kAny});
  check.optional("fired", a.fired, {TW_U32, 1, a.features});
  if (has(a.fired)) read_plane(check, "z", a.codes, a.z);
  if (check.status) return check.status;
  const uint64_t most = s.codes.rows ? most_positions(s.codes) : 0;
  if (!s.codes.starts) {
    check.that(a.rows.columns >= most, "room for every position", "rows", a.rows.columns);
    check.that(a.slots.columns >= most, "room for every position", "slots", a.slots.columns);
    if (check.status) return check.status;
  }

  const bool many = most >= uint64_t{kMany} * kThreads * kFull * chip(context).processors;
  const unsigned bits = bits_of_feature(a.features), digits = bits > kMostBits ? static_cast<unsigned>(blocks_of(bits, kMostBits)) : 1;
  const unsigned width = bits < kLeastBits ? kLeastBits : static_cast<unsigned>(blocks_of(bits, digits));
  s.blocks = most ? grid_of(most, uint64_t{kThreads} * (many ? kMany : kFew)) : 1;
  Item* pairs[2];
  const auto divide = [&](Divider& d) {
    for (unsigned i = 0; i < 2; i++) pairs[i] = d.take<Item>(digits > i + 1 ? most : 0);
    s.features = d.take<uint32_t>(most);
    s.counts = d.take<uint32_t>((size_t{1} << width) * s.blocks);
    s.totals = d.take<uint32_t>(size_t{1} << width);
    s.kept = d.take<uint32_t>(1);
  };
  Divider counting;
  divide(counting);
  void* block = scratch(context, counting.used);
  if (!block) return out_of_scratch(context, counting.used);
  Divider divider(block);
  divide(divider);
  s.rows_room = a.rows.columns;
  s.slots_room = a.slots.columns;
  s.rows = u32(a.rows);
  s.slots = u32(a.slots);
  s.z = f32(a.z);
  s.fired = u32(a.fired);
  s.report = report(context);

  cudaError_t error = cudaSuccess;
  if (s.fired && a.features) error = cudaMemsetAsync(s.fired, 0, a.features * sizeof(uint32_t), stream(context));
  if (error != cudaSuccess) return launched(context, error, "clearing of fired");
  for (unsigned i = 0; i < digits; i++) {
    s.digit = {i * width, width};
    s.from = i ? pairs[(i - 1) % 2] : nullptr;
    s.to = i + 1 < digits ? pairs[i % 2] : nullptr;
    error = many ? sort_digit<kMany>(s, stream(context)) : sort_digit<kFew>(s, stream(context));
    if (error != cudaSuccess) return launched(context, error, "a digit of feature_major");
  }
  error = launch(feature_major_starts_kernel, grid_of(a.features + uint64_t{1}, kThreads), kThreads, 0, stream(context), s.features, s.kept,
                 a.features, reinterpret_cast<unsigned long long*>(a.feature_starts.data));
  return launched(context, error, "feature_major_starts_kernel");
}

}   // namespace transweld
