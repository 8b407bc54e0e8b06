// A sum added to device memory that nobody cleared.
// Found by the value, NaN, in every order.
#include "fault.h"

__global__ void uninitialised_memory_kernel(float* out, const float* x) {
#ifndef FAULT
  out[threadIdx.x] = 0;
#endif
  out[threadIdx.x] += x[threadIdx.x];
}

inline Outcome uninitialised_memory() {
  Array<float> out(32), x(32);
  for (unsigned i = 0; i < 32; i++) x[i] = static_cast<float>(i);
  return judge(transweld::launch(uninitialised_memory_kernel, 1, 32, 0, nullptr, out.data, x.data), out, [&](unsigned i) { return x[i]; });
}
