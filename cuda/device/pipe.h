// Copies that run beside the arithmetic: global memory to shared memory without passing through registers (sm_80 and up).
//   copy_async<Bytes>(to_shared, from, valid)   4, 8 or 16 bytes, both sides aligned to them; those past `valid` become zero
//   copies_commit()                             closes a group
//   copies_wait<left>()                         waits until at most `left` groups of this thread are under way
// What a thread copied is seen by it after copies_wait, by the block after a barrier that follows.
#pragma once
#include "launch.h"

namespace transweld {

template <int Bytes> __device__ inline void copy_async(void* to_shared, const void* from, unsigned valid = Bytes) {
  static_assert(Bytes == 4 || Bytes == 8 || Bytes == 16, "an asynchronous copy moves 4, 8 or 16 bytes");
#ifdef TRANSWELD_CUDA_ON_HOST
  cuda_on_host::defer(to_shared, from, Bytes, valid);
#else
  const unsigned to = static_cast<unsigned>(__cvta_generic_to_shared(to_shared));
  if constexpr (Bytes == 16) asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(valid) : "memory");
  else asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(to), "l"(from), "n"(Bytes), "r"(valid) : "memory");
#endif
}

__device__ inline void copies_commit() {
#ifdef TRANSWELD_CUDA_ON_HOST
  cuda_on_host::commit_copies();
#else
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

template <int Left> __device__ inline void copies_wait() {
#ifdef TRANSWELD_CUDA_ON_HOST
  cuda_on_host::wait_copies(Left);
#else
  asm volatile("cp.async.wait_group %0;" ::"n"(Left) : "memory");
#endif
}

}   // namespace transweld
