// Orders, coordinates, named barriers, asynchronous copies, barrier objects and atomics of a block and a grid.
#include <algorithm>
#include "../../../cuda/device/pipe.h"
#include "check.h"
#include "checks.h"

namespace {
// Who came when, before and after a barrier.
__global__ void order_kernel(unsigned* turn, unsigned* came) {
  came[atomicAdd(turn, 1)] = blockIdx.x * blockDim.x + threadIdx.x;
  __syncthreads();
  came[atomicAdd(turn, 1)] = blockIdx.x * blockDim.x + threadIdx.x;
}

__global__ void coordinates_kernel(unsigned* out) {
  const unsigned in_block = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  const unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  out[block * blockDim.x * blockDim.y * blockDim.z + in_block] += 1;
}

// Warps 0 and 1 hand values to warps 2 and 3 through barriers of 64 threads, while the pairs never meet.
__global__ void named_kernel(float* out) {
  SHARED(float, box, [2][32]);
  const unsigned warp = threadIdx.x / 32, lane = threadIdx.x % 32, pair = warp % 2;
  float sum = 0;
  for (int i = 0; i < 5; i++) {
    if (warp < 2) box[pair][lane] = static_cast<float>(i * 100 + pair * 50 + lane);
    transweld::barrier_sync(static_cast<int>(1 + pair), 64);
    if (warp >= 2) sum += box[pair][31 - lane];
    transweld::barrier_sync(static_cast<int>(3 + pair), 64);
  }
  if (warp >= 2) out[pair * 32 + lane] = sum;
}

// The part of a row that exists, zeros after it; two groups under way.
__global__ void copies_kernel(float* out, const float* x, unsigned width) {
  SHARED(float, rows, [3][32][4]);
  const unsigned lane = threadIdx.x;
  for (unsigned r = 0; r < 3; r++) {
    const unsigned at = lane * 4, there = at >= width ? 0 : width - at < 4 ? width - at : 4;
    transweld::copy_async<16>(rows[r][lane], x + r * 128 + (there ? at : 0), there * 4);
    transweld::copies_commit();
  }
  transweld::copies_wait<1>();
  for (unsigned i = 0; i < 4; i++) out[lane * 4 + i] = rows[0][lane][i] + rows[1][lane][i];
  const bool early = rows[2][lane][0] == rows[2][lane][0];
  transweld::copies_wait<0>();
  for (unsigned i = 0; i < 4; i++) out[lane * 4 + i] += early ? 1e9f : rows[2][lane][i];
}

// One producer lane, three stages, 64 consumers: `full` counts the producer and its bytes, `empty` the consumers.
__global__ void pipeline_kernel(float* out, const float* x, unsigned tiles) {
  SHARED(float, stage, [3][64]);
  SHARED(uint64_t, full, [3]);
  SHARED(uint64_t, empty, [3]);
  if (threadIdx.x == 0) {
    for (unsigned s = 0; s < 3; s++) {
      cuda_on_host::barrier_init(&full[s], 1);
      cuda_on_host::barrier_init(&empty[s], 64);
    }
  }
  __syncthreads();
  if (threadIdx.x >= 64) {
    if (threadIdx.x != 64) return;
    for (unsigned i = 0; i < tiles; i++) {
      const unsigned s = i % 3, round = i / 3;
      if (round) cuda_on_host::barrier_wait(&empty[s], (round - 1) & 1);
      cuda_on_host::barrier_expect(&full[s], sizeof stage[s]);
      cuda_on_host::bulk_copy(stage[s], x + i * 64, 128, &full[s]);
      cuda_on_host::bulk_copy(stage[s] + 32, x + i * 64 + 32, 128, &full[s]);
    }
    return;
  }
  float sum = 0;
  for (unsigned i = 0; i < tiles; i++) {
    const unsigned s = i % 3;
    cuda_on_host::barrier_wait(&full[s], i / 3 & 1);
    sum += stage[s][63 - threadIdx.x] * static_cast<float>(i + 1);
    cuda_on_host::barrier_arrive(&empty[s]);
  }
  out[threadIdx.x] = sum;
}

__global__ void atomics_kernel(unsigned long long* out) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  atomicAdd(&out[0], static_cast<unsigned long long>(i));
  atomicMax(&out[1], static_cast<unsigned long long>(scrambled(i)));
  atomicMin(&out[2], static_cast<unsigned long long>(scrambled(i)));
  atomicOr(reinterpret_cast<unsigned*>(&out[3]), 1u << i % 32);
  atomicAnd(reinterpret_cast<unsigned*>(&out[4]), ~(1u << i % 31));
  for (unsigned long long old = 0, seen; (seen = atomicCAS(&out[5], old, old + 2)) != old;) old = seen;
  atomicMax(reinterpret_cast<int*>(&out[6]), static_cast<int>(i % 5) - 9);
}
}

Words orders(int device) {
  constexpr unsigned kBlocks = 5, kThreads = 96, kAll = kBlocks * kThreads;
  Numbers<unsigned> turn(1), came(2 * kAll), again(2 * kAll);
  turn[0] = 0;
  if (Words w = run(order_kernel, kBlocks, kThreads, 0, turn, came); !w.empty()) return w;
  turn[0] = 0;
  if (Words w = run(order_kernel, kBlocks, kThreads, 0, turn, again); !w.empty()) return w;
  if (device < 2) {
    return compare("an arrival", came, [&](unsigned k) {
      const unsigned block = k / (2 * kThreads), i = k % kThreads, forward = block * kThreads + i;
      return device ? kAll - 1 - forward : forward;
    });
  }
  // Seeded: everybody comes once before the barrier and once after it, in a mixed order that is another one the next time.
  std::vector<unsigned> times(kAll, 0);
  unsigned ascents = 0, different = 0, warps_left = 0;
  for (unsigned k = 0; k < 2 * kAll; k++) {
    times[came[k]]++;
    if (k) ascents += came[k] == came[k - 1] + 1;
    if (k) warps_left += came[k] / 32 != came[k - 1] / 32;
    different += came[k] != again[k];
  }
  for (unsigned n : times) if (n != 2) return "a thread came " + std::to_string(n) + " times";
  if (ascents > kAll / 4 || different < kAll || warps_left < 2 * kAll / 32) return "the seeded order is hardly mixed";
  return {};
}

Words coordinates(int) {
  const dim3 grid(3, 2, 4), block(5, 7, 3);
  Numbers<unsigned> out(24 * 105);
  for (unsigned i = 0; i < out.count; i++) out[i] = i;
  if (Words w = run(coordinates_kernel, grid, block, 0, out); !w.empty()) return w;
  return compare("a thread", out, [](unsigned i) { return i + 1; });
}

Words named(int) {
  Numbers<float> out(64);
  if (Words w = run(named_kernel, 1, 128, 0, out); !w.empty()) return w;
  return compare("a box", out, [](unsigned i) { return 1000 + 5 * (i / 32 * 50 + 31 - i % 32); });
}

Words copies(int) {
  Numbers<float> out(128), x(384);
  for (unsigned i = 0; i < 384; i++) x[i] = static_cast<float>(scrambled(i) % 1000);
  for (unsigned width : {128u, 101u, 3u, 0u}) {
    if (Words w = run(copies_kernel, 1, 32, 0, out, x, width); !w.empty()) return w;
    Words w = compare("a copy", out, [&](unsigned i) { return i < width ? x[i] + x[128 + i] + x[256 + i] : 0; });
    if (!w.empty()) return w;
  }
  return {};
}

Words pipeline(int) {
  constexpr unsigned kTiles = 11;
  Numbers<float> out(64), x(kTiles * 64);
  for (unsigned i = 0; i < x.count; i++) x[i] = static_cast<float>(scrambled(i) % 100);
  if (Words w = run(pipeline_kernel, 1, 96, 0, out, x, kTiles); !w.empty()) return w;
  return compare("a sum", out, [&](unsigned t) {
    float sum = 0;
    for (unsigned i = 0; i < kTiles; i++) sum += x[i * 64 + 63 - t] * static_cast<float>(i + 1);
    return sum;
  });
}

Words atomics(int) {
  Numbers<unsigned long long> out(7);
  for (unsigned i = 0; i < 7; i++) out[i] = i == 2 || i == 4 ? ~0ull : i == 6 ? 0xfffffff0ull : 0;
  if (Words w = run(atomics_kernel, 4, 160, 0, out); !w.empty()) return w;
  unsigned long long most = 0, least = ~0ull;
  for (unsigned i = 0; i < 640; i++) {
    most = std::max<unsigned long long>(most, scrambled(i));
    least = std::min<unsigned long long>(least, scrambled(i));
  }
  const unsigned long long want[7] = {640 * 639 / 2, most, least, 0xffffffff, 0xffffffff80000000, 1280, 0xfffffffb};
  return compare("an atomic", out, [&](unsigned i) { return want[i]; });
}
