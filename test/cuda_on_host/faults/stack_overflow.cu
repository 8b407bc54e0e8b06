// A thread with more local memory than its stack has.
// Refused in every order of a plain build; a sanitizer's stacks are larger and end in a guard page.
#include "fault.h"

__global__ void stack_overflow_kernel(float* out) {
#ifdef FAULT
  volatile char local[100 << 10];
#else
  volatile char local[10 << 10];
#endif
  for (unsigned i = 0; i < sizeof local; i += 16) local[i] = static_cast<char>(i);
  out[threadIdx.x] = static_cast<float>(local[threadIdx.x * 16]);
}

inline Outcome stack_overflow() {
  Array<float> out(4);
  return judge(transweld::launch(stack_overflow_kernel, 1, 4, 0, nullptr, out.data), out, [](unsigned i) { return i * 16; });
}
