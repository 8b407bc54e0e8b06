// wgmma: the matrix product of a warpgroup (four warps, 128 lanes), asynchronous. From the issue until the wait its accumulators
// are NaN; the operands in shared memory are read at the wait, the latest the device may.
#pragma once
#include <type_traits>
#include "thread.h"

namespace cuda_on_host {
using Product = void (*)(const void* const* in, float* const* d, unsigned lanes);
void wgmma_issue(float* d, unsigned count, const void* in, unsigned bytes, Product product, place where);

// Every lane of the group gives its `count` accumulators and an In (pointers into shared memory, operands in registers: taken
// now). At the wait f(const In* const* in, float* const* d, unsigned lanes) adds the product to all 128 lanes' accumulators.
// f captures nothing: what it needs is in In.
template <class In, class F>
CUDA_ON_HOST_QUIET void wgmma(float* d, unsigned count, const In& in, F, place where = place::current()) {
  static_assert(std::is_empty_v<F> && std::is_trivially_copyable_v<In> && sizeof(In) <= 128);
  wgmma_issue(d, count, &in, sizeof in, [](const void* const* i, float* const* o, unsigned lanes) CUDA_ON_HOST_SILENT {
    F{}(reinterpret_cast<const In* const*>(i), o, lanes);
  }, where);
}
void wgmma_fence(place where = place::current());
void wgmma_commit(place where = place::current());
void wgmma_wait_groups(unsigned groups_left, place where);
template <unsigned left> void wgmma_wait(place where = place::current()) { wgmma_wait_groups(left, where); }
}
