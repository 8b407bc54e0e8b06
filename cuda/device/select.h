// Ranking: numbers as integers in ranking order, the k-th largest of many without sorting them, and a sort.
//
//   rank_code(p)          32 bits: NaN first, then larger values; −0 and +0 are the same
//   rank_key(p, i)        64 bits: the code above the complement of the index, so that ties go to the lower index and all keys
//                         of a row differ; 0 is below every key
//   kth_largest(team, key, count, k, work)   key(i) is the i-th of `count` unsigned numbers; an edge that exactly k of them reach
//                         (where keys are equal to the k-th: at least k). By all threads of the team, every one gets it
//   sort_descending(team, keys, values, count)   count a power of two; shared or global memory
//
// kth_largest is a radix select: 256 bins of the bits that decide next, from the highest bit in which any two keys differ
// (candidates beyond a limit share sign, exponent and more), until the bin that holds the k-th is wanted whole. 2 to 3 rounds for
// a few hundred numbers, 8 at most; a round reads the keys once.
#pragma once
#include "reduce.h"

namespace transweld {

__device__ inline uint32_t rank_code(float p) {
  const uint32_t bits = bits_of(p + 0.0f);   // −0 becomes +0
  return p != p ? UINT32_MAX : bits >> 31 ? ~bits : bits | 0x80000000u;
}
__device__ inline unsigned long long rank_key(float p, uint32_t index) {
  return static_cast<unsigned long long>(rank_code(p)) << 32 | static_cast<uint32_t>(~index);
}
// The number of a code; NaN's code gives a NaN.
__device__ inline float ranked_value(uint32_t code) { return float_of(code >> 31 ? code & 0x7fffffffu : ~code); }

// Threads that work together: a warp, or a block of whole warps.
struct WarpTeam {
  __device__ unsigned rank() const { return lane_of(); }
  __device__ unsigned size() const { return 32; }
  __device__ void sync() const { __syncwarp(); }
};
struct BlockTeam {
  __device__ unsigned rank() const { return threadIdx.x; }
  __device__ unsigned size() const { return blockDim.x; }
  __device__ void sync() const { __syncthreads(); }
};

constexpr unsigned kBinBits = 8, kBins = 1u << kBinBits;
struct SelectWork {                          // shared memory of one team
  unsigned bins[kBins];
  unsigned long long differ;
  unsigned bin, above, inside;
};

// By the team's first warp: the bin, counted from the highest, in which the need-th number lies.
__device__ inline void find_bin(SelectWork& work, unsigned need) {
  constexpr unsigned kEach = kBins / 32;
  const unsigned top = kBins - 1 - lane_of() * kEach;
  unsigned mine = 0, all;
#pragma unroll
  for (unsigned i = 0; i < kEach; i++) mine += work.bins[top - i];
  unsigned before = warp_before(mine, all);
  if (before >= need || before + mine < need) return;
  for (unsigned i = 0; i < kEach; i++) {
    const unsigned inside = work.bins[top - i];
    if (before + inside >= need) {
      work.bin = top - i;
      work.above = before;
      work.inside = inside;
      return;
    }
    before += inside;
  }
}

template <class Team, class Key>
__device__ auto kth_largest(const Team& team, const Key& key, unsigned count, unsigned k, SelectWork& work) -> decltype(key(0u)) {
  using Number = decltype(key(0u));
  const Number first = key(0u);
  if (team.rank() == 0) work.differ = 0;
  team.sync();                               // before others add to it
  unsigned long long differ = 0;
  for (unsigned i = team.rank(); i < count; i += team.size()) differ |= key(i) ^ first;
  if (differ) atomicOr(&work.differ, differ);
  team.sync();                               // all have added
  const Number any = static_cast<Number>(work.differ);
  if (!any) {
    team.sync();                             // all have read `differ`
    return first;
  }
  int low = 64 - __clzll(static_cast<long long>(any));   // bits from here up are decided: the same in all keys so far
  Number chosen = low == sizeof(Number) * 8 ? 0 : static_cast<Number>(first >> low << low);
  unsigned need = k;
  while (low > 0) {
    const int next = low > static_cast<int>(kBinBits) ? low - static_cast<int>(kBinBits) : 0;
    const Number undecided = low == sizeof(Number) * 8 ? ~Number{0} : static_cast<Number>((Number{1} << low) - 1);
    const unsigned last = (1u << (low - next)) - 1;
    for (unsigned b = team.rank(); b < kBins; b += team.size()) work.bins[b] = 0;
    team.sync();                             // bins are empty before they count
    for (unsigned i = team.rank(); i < count; i += team.size()) {
      const Number v = key(i);
      if ((v & ~undecided) == chosen) atomicAdd(&work.bins[static_cast<unsigned>(v >> next) & last], 1u);
    }
    team.sync();                             // bins are complete
    if (team.rank() < 32) find_bin(work, need);
    team.sync();                             // the choice is there, and stays until the bins have been cleared and synchronised again
    chosen |= static_cast<Number>(work.bin) << next;
    need -= work.above;
    low = next;
    if (work.inside == need) break;
  }
  return chosen;
}

// Bitonic: log²(count)/2 rounds of compare and exchange.
template <class Team> __device__ void sort_descending(const Team& team, unsigned long long* keys, float* values, unsigned count) {
  for (unsigned run = 2; run <= count && run; run *= 2) {
    for (unsigned step = run / 2; step; step /= 2) {
      for (unsigned i = team.rank(); i < count / 2; i += team.size()) {
        const unsigned a = i / step * 2 * step + i % step, b = a + step;
        const bool falling = (a & run) == 0;
        if ((keys[a] < keys[b]) != falling) continue;
        const unsigned long long key = keys[a];
        const float value = values[a];
        keys[a] = keys[b];
        values[a] = values[b];
        keys[b] = key;
        values[b] = value;
      }
      team.sync();                           // a round reads what the one before wrote
    }
  }
}

}   // namespace transweld
