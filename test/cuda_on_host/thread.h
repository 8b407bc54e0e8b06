// What a kernel sees of its own thread and block: where it stands, the block's barriers, shared memory.
#pragma once
#include <source_location>
#include "language.h"

// The emulation's own code inside a kernel's translation unit: the race detector must not take it for the kernel's.
#ifdef __SANITIZE_THREAD__
#define CUDA_ON_HOST_SILENT __attribute__((no_sanitize("thread")))
#define CUDA_ON_HOST_QUIET __attribute__((no_sanitize("thread"), noinline))
#else
#define CUDA_ON_HOST_SILENT
#define CUDA_ON_HOST_QUIET
#endif
// One load from the thread pointer: the default model of a shared library is a call. All thread_local data of the library must
// then fit into what the loader keeps free for such libraries, some 1600 bytes: no thread_local arrays in kernels or here.
#define CUDA_ON_HOST_TLS __attribute__((tls_model("initial-exec")))

namespace cuda_on_host {
using place = std::source_location;
struct Fiber;

struct Thread {
  uint3 index;
  unsigned linear;          // x fastest, as the hardware forms warps
  Fiber* fiber = nullptr;   // the stack it runs on; none before its first instruction
  place where;              // of the barrier or collective it came to last
  char* token = nullptr;    // what the race detector must see acquired when it goes on
  unsigned copies_issued, copies_done, copies_group;
  unsigned char phase[16];  // how often it came to each barrier, for the race detector
};

struct Coordinates {
  uint3 block_index;
  dim3 block_size, grid_size;
};

extern thread_local constinit Thread* self CUDA_ON_HOST_TLS;
extern thread_local constinit Coordinates here CUDA_ON_HOST_TLS;

// Barrier `id` of the block; `threads` = 0 means all that have not exited.
void wait_barrier(int id, unsigned threads, place where);
// The block's memory behind one __shared__ declaration, found by the address of a static object of that declaration.
// All bytes are 0xFF when a block first asks.
void* shared(const void* key, size_t bytes, size_t align);
void* dynamic_shared(size_t align = 16);
}

#define threadIdx (cuda_on_host::self->index)
#define blockIdx (cuda_on_host::here.block_index)
#define blockDim (cuda_on_host::here.block_size)
#define gridDim (cuda_on_host::here.grid_size)

inline void __syncthreads(cuda_on_host::place at = cuda_on_host::place::current()) { cuda_on_host::wait_barrier(0, 0, at); }
