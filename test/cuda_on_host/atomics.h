// Atomic functions of 32- and 64-bit integers, relaxed as on the device, and the fences. There is none for floats: a sum whose
// order depends on the schedule is refused by this project, here by a compile error.
#pragma once
#include <concepts>
#include <type_traits>
#include "thread.h"

namespace cuda_on_host {
template <class T>
concept AtomicInteger = std::integral<T> && (sizeof(T) == 4 || sizeof(T) == 8);

// A fence between a block's writes and an atomic, and one between an atomic and a block's reads, order the two blocks.
void fence();

template <AtomicInteger T, class F>
T replace(T* p, F next) {
  T old = __atomic_load_n(p, __ATOMIC_RELAXED);
  while (!__atomic_compare_exchange_n(p, &old, next(old), false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
  return old;
}
}

template <cuda_on_host::AtomicInteger T> T atomicAdd(T* p, std::type_identity_t<T> v) { return __atomic_fetch_add(p, v, __ATOMIC_RELAXED); }
template <cuda_on_host::AtomicInteger T> T atomicSub(T* p, std::type_identity_t<T> v) { return __atomic_fetch_sub(p, v, __ATOMIC_RELAXED); }
template <cuda_on_host::AtomicInteger T> T atomicOr(T* p, std::type_identity_t<T> v) { return __atomic_fetch_or(p, v, __ATOMIC_RELAXED); }
template <cuda_on_host::AtomicInteger T> T atomicAnd(T* p, std::type_identity_t<T> v) { return __atomic_fetch_and(p, v, __ATOMIC_RELAXED); }
template <cuda_on_host::AtomicInteger T> T atomicXor(T* p, std::type_identity_t<T> v) { return __atomic_fetch_xor(p, v, __ATOMIC_RELAXED); }
template <cuda_on_host::AtomicInteger T> T atomicExch(T* p, std::type_identity_t<T> v) { return __atomic_exchange_n(p, v, __ATOMIC_RELAXED); }
template <cuda_on_host::AtomicInteger T> T atomicMax(T* p, std::type_identity_t<T> v) {
  return cuda_on_host::replace(p, [v](T old) { return old < v ? v : old; });
}
template <cuda_on_host::AtomicInteger T> T atomicMin(T* p, std::type_identity_t<T> v) {
  return cuda_on_host::replace(p, [v](T old) { return v < old ? v : old; });
}
template <cuda_on_host::AtomicInteger T> T atomicCAS(T* p, std::type_identity_t<T> compare, std::type_identity_t<T> v) {
  __atomic_compare_exchange_n(p, &compare, v, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
  return compare;
}
float atomicAdd(float*, float) = delete;
double atomicAdd(double*, double) = delete;

inline void __threadfence() { cuda_on_host::fence(); }
inline void __threadfence_block() { cuda_on_host::fence(); }
inline void __threadfence_system() { cuda_on_host::fence(); }
