// A tile used before the barrier object of its bulk copy was waited for.
// Found by the value, NaN, in every order, and by the race detector.
#include "fault.h"

__global__ void missing_bulk_wait_kernel(float* out, const float* x) {
  SHARED(float, tile, [128]);
  SHARED(uint64_t, landed, [1]);
  if (threadIdx.x == 0) cuda_on_host::barrier_init(landed, 1);
  __syncthreads();
  if (threadIdx.x == 0) {
    cuda_on_host::barrier_expect(landed, sizeof tile);
    cuda_on_host::bulk_copy(tile, x, sizeof tile, landed);
  }
#ifndef FAULT
  cuda_on_host::barrier_wait(landed, 0);
#endif
  out[threadIdx.x] = tile[127 - threadIdx.x];   // found here
}

inline Outcome missing_bulk_wait() {
  Array<float> out(128), x(128);
  for (unsigned i = 0; i < 128; i++) x[i] = static_cast<float>(i);
  return judge(transweld::launch(missing_bulk_wait_kernel, 1, 128, 0, nullptr, out.data, x.data), out, [&](unsigned i) { return x[127 - i]; });
}
