// A write one past the end of a shared array.
// Found by the address sanitizer, with the line.
#include "fault.h"

__global__ void past_shared_array_kernel(float* out, const float* x) {
  SHARED(float, part, [64]);
  part[threadIdx.x] = x[threadIdx.x];
#ifdef FAULT
  if (threadIdx.x == 63) part[blockDim.x] = 0;   // found here
#endif
  __syncthreads();
  out[threadIdx.x] = part[63 - threadIdx.x];
}

inline Outcome past_shared_array() {
  Array<float> out(64), x(64);
  for (unsigned i = 0; i < 64; i++) x[i] = static_cast<float>(i);
  return judge(transweld::launch(past_shared_array_kernel, 1, 64, 0, nullptr, out.data, x.data), out, [&](unsigned i) { return x[63 - i]; });
}
