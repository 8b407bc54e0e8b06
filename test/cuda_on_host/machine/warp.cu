// Shuffles of every width, votes, matches and reductions, with full and partial masks, against their definitions.
#include <algorithm>
#include "check.h"
#include "checks.h"

namespace {
constexpr unsigned kMask = 0x0003fff8u;   // lanes 3 ... 17

__global__ void shuffles_kernel(int* out, int width, int by) {
  const int lane = static_cast<int>(threadIdx.x), v = lane * 3 + 1;
  out[0 * 32 + lane] = __shfl_sync(~0u, v, lane * 5 + by, width);
  out[1 * 32 + lane] = __shfl_xor_sync(~0u, v, by, width);
  out[2 * 32 + lane] = __shfl_up_sync(~0u, v, static_cast<unsigned>(by), width);
  out[3 * 32 + lane] = __shfl_down_sync(~0u, v, static_cast<unsigned>(by), width);
}

__global__ void votes_kernel(unsigned* out, const int* x, unsigned mask) {
  const unsigned lane = threadIdx.x;
  if (!(mask >> lane & 1)) return;
  const int v = x[lane];
  unsigned* to = out + lane * 8;
  to[0] = __ballot_sync(mask, v > 2);
  to[1] = static_cast<unsigned>(__any_sync(mask, v == 5));
  to[2] = static_cast<unsigned>(__all_sync(mask, v >= 0));
  to[3] = __match_any_sync(mask, v);
  to[4] = __reduce_add_sync(mask, static_cast<unsigned>(v));
  to[5] = static_cast<unsigned>(__reduce_max_sync(mask, -v));
  to[6] = static_cast<unsigned>(__reduce_min_sync(mask, -v));
  to[7] = __reduce_max_sync(mask, static_cast<unsigned>(v));
}

// Two halves of a warp in different collectives at the same time, each with its own mask.
__global__ void halves_kernel(unsigned* out) {
  const unsigned lane = threadIdx.x;
  if (lane < 16) {
    unsigned v = lane;
    for (int i = 0; i < 3; i++) v = __shfl_down_sync(0x0000ffffu, v, 1, 16);
    out[lane] = v;
  } else {
    out[lane] = __reduce_add_sync(0xffff0000u, lane);
  }
}

// Values that only shuffles of 8 bytes carry.
__global__ void wide_kernel(double* out) { out[threadIdx.x] = __shfl_xor_sync(~0u, 1.0 / (1 + threadIdx.x), 3); }
}

Words shuffles(int) {
  Numbers<int> out(128);
  for (int width : {1, 2, 8, 16, 32}) {
    for (int by : {0, 1, 3, 7, 16, 31}) {
      if (Words w = run(shuffles_kernel, 1, 32, 0, out, width, by); !w.empty()) return w;
      Words w = compare("a shuffle", out, [&](unsigned i) {
        const int lane = static_cast<int>(i % 32), first = lane / width * width, last = first + width - 1;
        int from = first + (lane * 5 + by) % width;
        if (i / 32 == 1) from = (lane ^ by) <= last ? lane ^ by : lane;
        if (i / 32 == 2) from = lane - by >= first ? lane - by : lane;
        if (i / 32 == 3) from = lane + by <= last ? lane + by : lane;
        return from * 3 + 1;
      });
      if (!w.empty()) return w + " (width " + std::to_string(width) + ", by " + std::to_string(by) + ")";
    }
  }
  return {};
}

Words votes(int) {
  for (unsigned mask : {~0u, kMask, 1u << 9}) {
    Numbers<int> x(32);
    Numbers<unsigned> out(32 * 8);
    unsigned ballot = 0, sum = 0;
    int most = 0, least = 100;
    bool any = false;
    for (unsigned i = 0; i < 32; i++) {
      x[i] = static_cast<int>(scrambled(i) % 7);
      for (unsigned k = 0; k < 8; k++) out[i * 8 + k] = 0;
      if (!(mask >> i & 1)) continue;
      ballot |= (x[i] > 2) << i;
      sum += static_cast<unsigned>(x[i]);
      most = std::max(most, x[i]);
      least = std::min(least, x[i]);
      any |= x[i] == 5;
    }
    if (Words w = run(votes_kernel, 1, 32, 0, out, x, mask); !w.empty()) return w;
    Words w = compare("a vote", out, [&](unsigned i) -> unsigned {
      const unsigned lane = i / 8;
      if (!(mask >> lane & 1)) return 0;
      unsigned same = 0;
      for (unsigned j = 0; j < 32; j++) same |= static_cast<unsigned>((mask >> j & 1) && x[j] == x[lane]) << j;
      const unsigned answers[8] = {ballot, any, 1, same, sum, static_cast<unsigned>(-least), static_cast<unsigned>(-most), static_cast<unsigned>(most)};
      return answers[i % 8];
    });
    if (!w.empty()) return w;
  }
  return {};
}

Words halves(int) {
  Numbers<unsigned> out(32);
  if (Words w = run(halves_kernel, 1, 32, 0, out); !w.empty()) return w;
  Words w = compare("a half", out, [](unsigned i) { return i < 16 ? std::min(i + 3, 15u) : 16u * 47 / 2; });
  if (!w.empty()) return w;
  Numbers<double> wide(32);
  if (Words r = run(wide_kernel, 1, 32, 0, wide); !r.empty()) return r;
  return compare("8 bytes", wide, [](unsigned i) { return 1.0 / (1 + (i ^ 3)); });
}
