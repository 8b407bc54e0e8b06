// A loop over tiles without the barrier at its end: a fast thread writes the next tile over values a slow one still has to read.
// Found by the value in every order, and by the race detector.
#include "fault.h"

__global__ void missing_second_barrier_kernel(float* out, const float* x, unsigned tiles) {
  SHARED(float, tile, [128]);
  float sum = 0;
  for (unsigned i = 0; i < tiles; i++) {
    tile[threadIdx.x] = x[i * 128 + threadIdx.x];
    __syncthreads();
    sum += tile[(threadIdx.x + 1) % 128] - tile[(threadIdx.x + 127) % 128];   // found here
#ifndef FAULT
    __syncthreads();
#endif
  }
  out[threadIdx.x] = sum;
}

inline Outcome missing_second_barrier() {
  constexpr unsigned kTiles = 4;
  Array<float> out(128), x(kTiles * 128);
  for (unsigned i = 0; i < x.count; i++) x[i] = static_cast<float>(i * i % 251);
  return judge(transweld::launch(missing_second_barrier_kernel, 1, 128, 0, nullptr, out.data, x.data, kTiles), out, [&](unsigned t) {
    float sum = 0;
    for (unsigned i = 0; i < kTiles; i++) sum += x[i * 128 + (t + 1) % 128] - x[i * 128 + (t + 127) % 128];
    return sum;
  });
}
