// Nanoseconds by the device's own clock: differences of one device's readings mean something, nothing else does.
#pragma once
#ifdef TRANSWELD_CUDA_ON_HOST
#include <time.h>
#endif
#include "launch.h"

namespace transweld {

__device__ inline unsigned long long clock_ns() {
#ifdef TRANSWELD_CUDA_ON_HOST
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<unsigned long long>(t.tv_sec) * 1000000000u + static_cast<unsigned long long>(t.tv_nsec);
#else
  unsigned long long t;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(t));
  return t;
#endif
}

}   // namespace transweld
