// What the emulation costs: the figures of README.md. Prints nanoseconds of CPU time, the minimum of 40 runs.
//   g++ -xc++ ... speed.cu; see README.md
#include <ctime>
#include <cstdio>
#include "../../cuda/device/launch.h"

namespace {
double cpu_s() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

__global__ void plain_kernel(float* y) { y[blockIdx.x * blockDim.x + threadIdx.x] += 1; }
__global__ void barrier_kernel(int* out, int rounds) {
  int sum = 0;
  for (int i = 0; i < rounds; i++) {
    sum += i;
    __syncthreads();
  }
  if (threadIdx.x == 0) *out = sum;
}
__global__ void shuffle_kernel(int* out, int rounds) {
  int sum = static_cast<int>(threadIdx.x);
  for (int i = 0; i < rounds; i++) sum = __shfl_xor_sync(~0u, sum, 1) + 1;
  if (threadIdx.x == 0) *out = sum;
}
// One collective with as much data and arithmetic as mma m16n8k16 has.
__global__ void product_kernel(float* out, int rounds) {
  struct In { float d[4]; unsigned a[4], b[2]; } mine{{0, 0, 0, 0}, {threadIdx.x, 1, 2, 3}, {4, 5}};
  struct Out { float d[4]; };
  for (int i = 0; i < rounds; i++) {
    const Out sum = cuda_on_host::collective<Out>(~0u, mine, [](const In* const* in, Out* const* to, unsigned) {
      for (int l = 0; l < 32; l++) {
        for (int r = 0; r < 4; r++) {
          float s = in[l]->d[r];
          for (int k = 0; k < 16; k++) s += static_cast<float>(in[(l & 28) + k % 4]->a[k / 4]) * static_cast<float>(in[k]->b[r & 1]);
          to[l]->d[r] = s;
        }
      }
    });
    for (int r = 0; r < 4; r++) mine.d[r] = sum.d[r];
  }
  if (threadIdx.x == 0) *out = mine.d[0];
}

template <class F> double least_s(F f) {
  double best = 1e9;
  for (int i = 0; i < 40; i++) {
    const double begin = cpu_s();
    f();
    const double took = cpu_s() - begin;
    best = took < best ? took : best;
  }
  return best;
}
}

int main() {
  float* y;
  int* out;
  cudaMalloc(&y, 65536 * sizeof(float));
  cudaMalloc(&out, sizeof(int));
  transweld::launch(barrier_kernel, 1, 1024, 0, nullptr, out, 1);   // all stacks are there
  std::printf("a launch of one block of 32 threads: %.0f\n", least_s([&] { transweld::launch(plain_kernel, 1, 32, 0, nullptr, y); }) * 1e9);
  for (unsigned threads : {32u, 128u, 256u, 1024u}) {
    const double launch = least_s([&] { transweld::launch(plain_kernel, 65536 / threads, threads, 0, nullptr, y); });
    const double barrier = least_s([&] { transweld::launch(barrier_kernel, 1, threads, 0, nullptr, out, 200); });
    const double shuffle = least_s([&] { transweld::launch(shuffle_kernel, 1, threads, 0, nullptr, out, 200); });
    const double product = least_s([&] { transweld::launch(product_kernel, 1, threads, 0, nullptr, y, 100); });
    std::printf("%4u threads a block: thread %.1f, barrier %.1f, shuffle %.1f a thread; product %.0f a warp\n", threads, launch / 65536 * 1e9,
                barrier / 200 / threads * 1e9, shuffle / 200 / threads * 1e9, product / 100 / (threads / 32) * 1e9);
  }
}
