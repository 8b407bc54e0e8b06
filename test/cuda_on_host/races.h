// The race detector's interface for threads that are not the system's (ThreadSanitizer fibers). It is told where a CUDA thread
// begins, where control goes to another, and what orders memory; all of it is nothing in other builds.
//   An access that the emulation makes for a kernel is reported at the kernel's line: CUDA_ON_HOST_CALLER.
//   The kernels are compiled with -fsanitize=thread, the emulation is not: what it writes is nobody's access.
//   A switch orders nothing. The grid's start and end, barriers, __syncwarp, fences and barrier objects do, by release and acquire.
#pragma once
#include <cstddef>

#define CUDA_ON_HOST_CALLER __builtin_return_address(0)

namespace cuda_on_host {
// What is released and acquired within a block, by its barriers, the warps' __syncwarp and its barrier objects. Each block has new
// memory for it: a token used before would order the block after its predecessor, and hide what races between the two.
struct Tokens {
  char barrier[16][2];          // in turn: with one, a fast thread's next arrival would order a slow one
  char come[32], gone[32][4];
  char phase[64][4];
};

#ifdef CUDA_ON_HOST_TSAN
constexpr bool kRaces = true;
extern "C" {
void __tsan_acquire(void*);
void __tsan_release(void*);
void* __tsan_get_current_fiber();
void* __tsan_create_fiber(unsigned);
void __tsan_destroy_fiber(void*);
void __tsan_switch_to_fiber(void*, unsigned);
void __tsan_read_range_pc(void*, size_t, void*);
void __tsan_write_range_pc(void*, size_t, void*);
}
inline void acquire(void* token) { __tsan_acquire(token); }
inline void release(void* token) { __tsan_release(token); }
inline void* current_context() { return __tsan_get_current_fiber(); }
inline void* create_context() { return __tsan_create_fiber(0); }
inline void destroy_context(void* context) { __tsan_destroy_fiber(context); }
inline void switch_context(void* context) { __tsan_switch_to_fiber(context, 1); }   // 1: no synchronisation
inline void reads(const void* p, size_t bytes, void* caller) { __tsan_read_range_pc(const_cast<void*>(p), bytes, caller); }
inline void writes(void* p, size_t bytes, void* caller) { __tsan_write_range_pc(p, bytes, caller); }
#else
constexpr bool kRaces = false;
inline void acquire(void*) {}
inline void release(void*) {}
inline void* current_context() { return nullptr; }
inline void* create_context() { return nullptr; }
inline void destroy_context(void*) {}
inline void switch_context(void*) {}
inline void reads(const void*, size_t, void*) {}
inline void writes(void*, size_t, void*) {}
#endif
}
