// A barrier object used by other threads without a barrier after its initialisation.
// Refused in reverse order, with the line of the first use; found by the race detector in the others.
#include "fault.h"

__global__ void missing_init_barrier_kernel(float* out, const float* x) {
  SHARED(float, part, [64]);
  SHARED(uint64_t, written, [1]);
  if (threadIdx.x == 0) cuda_on_host::barrier_init(written, 64);
#ifndef FAULT
  __syncthreads();
#endif
  part[threadIdx.x] = x[threadIdx.x];
  cuda_on_host::barrier_arrive(written);   // found here
  cuda_on_host::barrier_wait(written, 0);
  out[threadIdx.x] = part[63 - threadIdx.x];
}

inline Outcome missing_init_barrier() {
  Array<float> out(64), x(64);
  for (unsigned i = 0; i < 64; i++) x[i] = static_cast<float>(i);
  return judge(transweld::launch(missing_init_barrier_kernel, 1, 64, 0, nullptr, out.data, x.data), out, [&](unsigned i) { return x[63 - i]; });
}
