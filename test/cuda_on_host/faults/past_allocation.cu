// The last thread of a grid writes one element past a device allocation.
// Refused at the next synchronisation in plain builds (the red zone is broken); found by the address sanitizer, with the line.
#include "fault.h"

__global__ void past_allocation_kernel(float* out, unsigned count) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
#ifdef FAULT
  if (i <= count) out[i] = static_cast<float>(i);   // found here
#else
  if (i < count) out[i] = static_cast<float>(i);
#endif
}

inline Outcome past_allocation() {
  Array<float> out(100);
  return judge(transweld::launch(past_allocation_kernel, 2, 64, 0, nullptr, out.data, 100), out, [](unsigned i) { return i; });
}
