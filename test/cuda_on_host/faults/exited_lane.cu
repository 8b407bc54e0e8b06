// Lanes beyond the row's width return before a shuffle whose mask names them.
// Refused in every order, with the shuffle's line.
#include "fault.h"

__global__ void exited_lane_kernel(float* out, const float* x, unsigned width) {
#ifdef FAULT
  if (threadIdx.x >= width) return;
#endif
  float v = threadIdx.x < width ? x[threadIdx.x] : 0;
  v += __shfl_down_sync(transweld::kAllLanes, v, 1);   // found here
  if (threadIdx.x < width) out[threadIdx.x] = v;
}

inline Outcome exited_lane() {
  Array<float> out(20), x(20);
  for (unsigned i = 0; i < 20; i++) x[i] = static_cast<float>(i);
  return judge(transweld::launch(exited_lane_kernel, 1, 32, 0, nullptr, out.data, x.data, 20), out,
               [&](unsigned i) { return x[i] + (i + 1 < 20 ? x[i + 1] : 0); });
}
