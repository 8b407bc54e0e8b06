// Every block writes the same flag without an atomic. All write the same value, so the result is right in every order.
// The barriers of a block order nothing between blocks.
// Found by the race detector alone, with the line.
#include "fault.h"

__global__ void global_race_kernel(unsigned* flag) {
  __syncthreads();
  if (threadIdx.x != 0) return;
#ifdef FAULT
  *flag = 1;   // found here
#else
  atomicExch(flag, 1);
#endif
}

inline Outcome global_race() {
  Array<unsigned> flag(1);
  return judge(transweld::launch(global_race_kernel, 4, 32, 0, nullptr, flag.data), flag, [](unsigned) { return 1; });
}
