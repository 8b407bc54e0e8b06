// Values used before their asynchronous copies were waited for.
// Found by the value, NaN, in every order.
#include "../../../cuda/device/pipe.h"
#include "fault.h"

__global__ void missing_copies_wait_kernel(float* out, const float* x) {
  SHARED(float, tile, [128]);
  transweld::copy_async<4>(&tile[threadIdx.x], x + threadIdx.x);
  transweld::copies_commit();
#ifndef FAULT
  transweld::copies_wait<0>();
#endif
  __syncthreads();
  out[threadIdx.x] = tile[(threadIdx.x + 1) % 128];
}

inline Outcome missing_copies_wait() {
  Array<float> out(128), x(128);
  for (unsigned i = 0; i < 128; i++) x[i] = static_cast<float>(i);
  return judge(transweld::launch(missing_copies_wait_kernel, 1, 128, 0, nullptr, out.data, x.data), out, [&](unsigned i) { return x[(i + 1) % 128]; });
}
