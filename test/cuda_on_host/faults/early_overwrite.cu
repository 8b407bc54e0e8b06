// The operand of a warpgroup's product overwritten before the product was waited for: operands are read as late as that.
// Found by the value in every order.
#include "fault.h"

__global__ void early_overwrite_kernel(float* out, const float* x) {
  SHARED(float, tile, [128]);
  tile[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  struct Operand { const float* tile; } operand{tile};
  float d[1] = {0};
  cuda_on_host::wgmma_fence();
  cuda_on_host::wgmma(d, 1, operand, [](const Operand* const* in, float* const* to, unsigned lanes) CUDA_ON_HOST_SILENT {
    for (unsigned l = 0; l < lanes; l++) to[l][0] += in[l]->tile[127 - l];
  });
  cuda_on_host::wgmma_commit();
#ifndef FAULT
  cuda_on_host::wgmma_wait<0>();
  __syncthreads();
#endif
  tile[threadIdx.x] = -1;
#ifdef FAULT
  cuda_on_host::wgmma_wait<0>();
#endif
  out[threadIdx.x] = d[0] + tile[threadIdx.x];
}

inline Outcome early_overwrite() {
  Array<float> out(128), x(128);
  for (unsigned i = 0; i < 128; i++) x[i] = static_cast<float>(i);
  return judge(transweld::launch(early_overwrite_kernel, 1, 128, 0, nullptr, out.data, x.data), out, [&](unsigned i) { return x[127 - i] - 1; });
}
