// A barrier object that counts more arrivals than come.
// Refused in every order as a deadlock, with the line of the wait and the number of arrivals that are missing.
#include "fault.h"

__global__ void missing_arrival_kernel(float* out, const float* x) {
  SHARED(float, part, [64]);
  SHARED(uint64_t, written, [1]);
  if (threadIdx.x == 0) cuda_on_host::barrier_init(written, 64);
  __syncthreads();
  part[threadIdx.x] = x[threadIdx.x];
#ifdef FAULT
  if (threadIdx.x != 5)
#endif
    cuda_on_host::barrier_arrive(written);
  cuda_on_host::barrier_wait(written, 0);   // found here
  out[threadIdx.x] = part[63 - threadIdx.x];
}

inline Outcome missing_arrival() {
  Array<float> out(64), x(64);
  for (unsigned i = 0; i < 64; i++) x[i] = static_cast<float>(i);
  return judge(transweld::launch(missing_arrival_kernel, 1, 64, 0, nullptr, out.data, x.data), out, [&](unsigned i) { return x[63 - i]; });
}
