// Two halves of a block come to different __syncthreads.
// Refused in every order, with both lines.
#include "fault.h"

__global__ void divergent_barrier_kernel(float* out, const float* x) {
  SHARED(float, part, [64]);
  part[threadIdx.x] = x[threadIdx.x];
#ifdef FAULT
  if (threadIdx.x < 32) __syncthreads();   // found here
  else
#endif
    __syncthreads();
  out[threadIdx.x] = part[63 - threadIdx.x];
}

inline Outcome divergent_barrier() {
  Array<float> out(64), x(64);
  for (unsigned i = 0; i < 64; i++) x[i] = static_cast<float>(i);
  return judge(transweld::launch(divergent_barrier_kernel, 1, 64, 0, nullptr, out.data, x.data), out, [&](unsigned i) { return x[63 - i]; });
}
