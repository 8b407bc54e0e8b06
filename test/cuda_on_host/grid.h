// Launching a kernel: the host's form of kernel<<<grid, block, shared_bytes, stream>>>(args...).
#pragma once
#include <tuple>
#include <type_traits>
#include <utility>
#include "runtime_api.h"
#include "thread.h"

namespace cuda_on_host {
struct Launch {
  const void* kernel;
  dim3 grid, block;
  size_t shared_bytes;
  cudaStream_t stream;
  void (*body)(void*);      // runs one thread
  void* arguments;
};
cudaError_t run(const Launch& launch);

// Runs at once, on the calling thread. The arguments are converted to the kernel's own types, as by <<<>>>.
template <class... P>
cudaError_t launch(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared_bytes, cudaStream_t stream, std::type_identity_t<P>... args) {
  struct Call { void (*kernel)(P...); std::tuple<std::remove_cvref_t<P>...> args; } call{kernel, {args...}};
  return run({reinterpret_cast<const void*>(kernel), grid, block, shared_bytes, stream, [](void* c) CUDA_ON_HOST_SILENT {
    Call* k = static_cast<Call*>(c);
    std::apply(k->kernel, k->args);
  }, &call});
}
}
