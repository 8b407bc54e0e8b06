// No barrier between the block's writes to shared memory and the reads by other threads.
// Found by the value, NaN, in every order, and by the race detector.
#include "fault.h"

__global__ void missing_barrier_kernel(float* out, const float* x) {
  SHARED(float, part, [128]);
  part[threadIdx.x] = x[threadIdx.x];
#ifndef FAULT
  __syncthreads();
#endif
  out[threadIdx.x] = part[127 - threadIdx.x];   // found here
}

inline Outcome missing_barrier() {
  Array<float> out(128), x(128);
  for (unsigned i = 0; i < 128; i++) x[i] = static_cast<float>(i + 1);
  return judge(transweld::launch(missing_barrier_kernel, 1, 128, 0, nullptr, out.data, x.data), out, [&](unsigned i) { return x[127 - i]; });
}
