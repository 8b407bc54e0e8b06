// Two stages of asynchronous copies without __syncwarp between the reads of a stage and the copy that overwrites it. The shuffle
// in between makes all lanes meet, so every order gives the right value; but a shuffle orders no memory.
// Found by the race detector alone.
#include "../../../cuda/device/pipe.h"
#include "fault.h"

__global__ void missing_warp_sync_kernel(float* out, const float* x, unsigned tiles) {
  SHARED(float, stage, [2][32]);
  const unsigned lane = threadIdx.x;
  transweld::copy_async<4>(&stage[0][lane], x + lane);
  transweld::copies_commit();
  float sum = 0;
  for (unsigned i = 0; i < tiles; i++) {
    if (i + 1 < tiles) transweld::copy_async<4>(&stage[(i + 1) % 2][lane], x + (i + 1) * 32 + lane);   // found here
    transweld::copies_commit();
    transweld::copies_wait<1>();
    __syncwarp();
    sum += __shfl_xor_sync(transweld::kAllLanes, stage[i % 2][31 - lane], 31);
#ifndef FAULT
    __syncwarp();
#endif
  }
  out[lane] = sum;
}

inline Outcome missing_warp_sync() {
  constexpr unsigned kTiles = 5;
  Array<float> out(32), x(kTiles * 32);
  for (unsigned i = 0; i < x.count; i++) x[i] = static_cast<float>(i);
  return judge(transweld::launch(missing_warp_sync_kernel, 1, 32, 0, nullptr, out.data, x.data, kTiles), out, [&](unsigned lane) {
    float sum = 0;
    for (unsigned i = 0; i < kTiles; i++) sum += x[i * 32 + lane];
    return sum;
  });
}
