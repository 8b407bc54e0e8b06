// The seam between nvcc and the host's compiler: how a kernel is launched and how it names shared memory. Kernels keep to
// what stands here and in the other files of this folder; these are the only ones that know which compiler reads them.
//   launch(kernel, grid, block, shared_bytes, stream, args...)   arguments are converted to the kernel's own types
//   most_threads(kernel)                                          of a block, in the code that the current device runs
//   SHARED(float, tile, [16][17]);                                a shared array
//   DYNAMIC_SHARED(float, tile);                                  the block's shared_bytes, aligned to 1024 bytes
//   barrier_sync(id, threads)                                     a barrier of `threads` threads; id 0 is __syncthreads
#pragma once
#include <cuda_runtime.h>
#include <stddef.h>
#include <stdint.h>

#ifdef TRANSWELD_CUDA_ON_HOST
#include "cuda_on_host.h"
#else
#define SHARED(type, name, dims) __shared__ __align__(16) type name dims
#define DYNAMIC_SHARED(type, name) \
  extern __shared__ __align__(1024) unsigned char dynamic_shared_bytes[]; \
  type* name = reinterpret_cast<type*>(dynamic_shared_bytes)
#endif

namespace transweld {

// Names the class of bits: what the host does for a tensor core has not a tensor core's roundings.
#ifdef TRANSWELD_CUDA_ON_HOST
constexpr const char* kPlatform = "cuda-host";
#else
constexpr const char* kPlatform = "cuda";
#endif

// What a block may have without asking for more.
constexpr size_t kPlainShared = 48 * 1024;

template <class... P, class... A>
cudaError_t launch(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared_bytes, cudaStream_t stream, A... args) {
#ifdef TRANSWELD_CUDA_ON_HOST
  return cuda_on_host::launch(kernel, grid, block, shared_bytes, stream, static_cast<P>(args)...);
#else
  if (shared_bytes > kPlainShared) {
    const cudaError_t error = cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared_bytes));
    if (error != cudaSuccess) return error;
  }
  // Its own result, where <<< >>> would leave one to be asked for: the last error may be that of a call before it.
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = shared_bytes;
  config.stream = stream;
  return cudaLaunchKernelEx(&config, kernel, static_cast<P>(args)...);
#endif
}

// Threads a block that the code of `kernel` which this device runs was compiled for.
template <class... P> unsigned most_threads([[maybe_unused]] void (*kernel)(P...)) {
#ifdef TRANSWELD_CUDA_ON_HOST
  return 1024;
#else
  cudaFuncAttributes attributes{};
  return cudaFuncGetAttributes(&attributes, kernel) == cudaSuccess ? static_cast<unsigned>(attributes.maxThreadsPerBlock) : 0;
#endif
}

#ifdef TRANSWELD_CUDA_ON_HOST
inline void barrier_sync(int id, unsigned threads, cuda_on_host::place at = cuda_on_host::place::current()) {
  cuda_on_host::wait_barrier(id, threads, at);
}
#else
__device__ inline void barrier_sync(int id, unsigned threads) { asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory"); }
#endif

// The thread's place in its warp, and its warp's in the block (blocks are one-dimensional).
__device__ inline unsigned lane_of() { return threadIdx.x % 32; }
__device__ inline unsigned warp_of() { return threadIdx.x / 32; }

constexpr unsigned kAllLanes = 0xffffffffu;

__host__ __device__ constexpr uint64_t blocks_of(uint64_t items, uint64_t size) { return (items + size - 1) / size; }
__host__ __device__ constexpr uint64_t padded(uint64_t items, uint64_t size) { return blocks_of(items, size) * size; }

// Grid sizes are 32-bit and limited in y and z: work that could be more walks its items by this many blocks at most.
constexpr uint64_t kMostBlocks = 1u << 20;
inline unsigned grid_of(uint64_t items, uint64_t size = 1) {
  const uint64_t blocks = blocks_of(items, size);
  return static_cast<unsigned>(blocks < kMostBlocks ? blocks : kMostBlocks);
}

}   // namespace transweld
