// The three devices: an order of threads and blocks each, their memory, what went wrong on them.
#pragma once
#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include "block.h"
#include "runtime_api.h"

// What the opaque handles of the interface are.
struct CUstream_st { int device; };
struct CUevent_st { double recorded_s = -1; };
struct CUmemPoolHandle_st {
  int device;
  uint64_t used = 0, reserved = 0, used_high = 0, reserved_high = 0, threshold = 0;
};

namespace cuda_on_host {
constexpr int kDevices = 3;
constexpr size_t kDeviceBytes = size_t{8} << 30;

struct Device {
  const char* name;
  Order order;
  uint64_t seed;
  int major;
  CUmemPoolHandle_st pool;                // the default one
  std::mutex mutex{};                     // of all below, and of the numbers of the device's pools
  struct Held { size_t bytes; cudaMemPool_t pool; };
  std::map<char*, Held> held{};           // allocations by their first byte
  uint64_t used = 0;
  uint64_t launches = 0;
  std::string failure{};                  // of the first launch that failed; until cudaDeviceReset
};

Device& device(int i);
int current_device();
int device_of(cudaStream_t stream);
cudaError_t remember(cudaError_t error);  // as the calling thread's last error

cudaError_t broken(Device& device, const std::string& why);   // the device answers nothing but launch failures from here on
cudaError_t state(Device& device);                            // success, or that failure

// Memory with red zones on both sides, filled with 0xFF when it is given out and when it comes back.
cudaError_t allocate(cudaMemPool_t pool, void** data, size_t bytes);
cudaError_t release_memory(Device& device, void* data);
cudaError_t check_memory(Device& device);                     // every red zone; under ASan that is its own affair
void reset_memory(Device& device);
}
