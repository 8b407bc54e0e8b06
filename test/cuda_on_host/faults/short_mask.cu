// Seven lanes call a shuffle whose mask names all; the others wait at the barrier.
// Refused in every order as a deadlock, with the line of the first thread that waits.
#include "fault.h"

__global__ void short_mask_kernel(float* out, const float* x) {
  float v = x[threadIdx.x];
#ifdef FAULT
  if (threadIdx.x < 7)
#endif
    v = __shfl_xor_sync(transweld::kAllLanes, v, 1);   // found here
  __syncthreads();
  out[threadIdx.x] = v;
}

inline Outcome short_mask() {
  Array<float> out(32), x(32);
  for (unsigned i = 0; i < 32; i++) x[i] = static_cast<float>(i);
  return judge(transweld::launch(short_mask_kernel, 1, 32, 0, nullptr, out.data, x.data), out, [&](unsigned i) { return x[i ^ 1]; });
}
