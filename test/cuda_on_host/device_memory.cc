// Device memory: host memory with red zones, NaN bytes when it is given out and when it is given back. Freed memory is counted as
// reserved until the pool is trimmed, as on the device, but is really returned at once, so that its use after that is found.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include "device.h"
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

namespace cuda_on_host {
namespace {
constexpr size_t kZone = 256;                 // on each side; also the alignment of what CUDA gives out
constexpr unsigned char kZoneByte = 0xa5;

size_t whole(size_t bytes) { return (bytes + kZone - 1) / kZone * kZone; }
// The zone above begins at the very byte after the last.
size_t zone_above(size_t bytes) { return whole(bytes) - bytes + kZone; }

bool intact(const char* data, size_t bytes) {
#ifdef __SANITIZE_ADDRESS__
  (void)data, (void)bytes;
  return true;
#else
  for (size_t i = 1; i <= kZone; i++) {
    if (static_cast<unsigned char>(data[-static_cast<ptrdiff_t>(i)]) != kZoneByte) return false;
  }
  for (size_t i = 0; i < zone_above(bytes); i++) {
    if (static_cast<unsigned char>(data[bytes + i]) != kZoneByte) return false;
  }
  return true;
#endif
}

cudaError_t overwritten(Device& d, size_t bytes) {
  char why[160];
  std::snprintf(why, sizeof why, "somebody wrote past an end of a device allocation of %zu bytes", bytes);
  return broken(d, why);
}

void give_back(char* data, size_t bytes) {
#ifdef __SANITIZE_ADDRESS__
  ASAN_UNPOISON_MEMORY_REGION(data - kZone, kZone + bytes + zone_above(bytes));
#endif
  std::memset(data, 0xff, bytes);
  std::free(data - kZone);
}
}

cudaError_t allocate(cudaMemPool_t pool, void** out, size_t bytes) {
  Device& d = device(pool->device);
  *out = nullptr;
  if (!bytes) return cudaSuccess;
  std::lock_guard lock(d.mutex);
  if (bytes > kDeviceBytes - d.used) return cudaErrorMemoryAllocation;
  char* p = static_cast<char*>(std::aligned_alloc(kZone, whole(bytes) + 2 * kZone));
  if (!p) return cudaErrorMemoryAllocation;
  char* data = p + kZone;
  std::memset(p, kZoneByte, kZone);
  std::memset(data, 0xff, bytes);
  std::memset(data + bytes, kZoneByte, zone_above(bytes));
#ifdef __SANITIZE_ADDRESS__
  ASAN_POISON_MEMORY_REGION(p, kZone);
  ASAN_POISON_MEMORY_REGION(data + bytes, zone_above(bytes));
#endif
  d.held[data] = {bytes, pool};
  d.used += bytes;
  pool->used += bytes;
  pool->reserved = std::max(pool->reserved, pool->used);
  pool->used_high = std::max(pool->used_high, pool->used);
  pool->reserved_high = std::max(pool->reserved_high, pool->reserved);
  *out = data;
  return cudaSuccess;
}

cudaError_t release_memory(Device& d, void* data) {
  if (!data) return cudaSuccess;
  size_t bytes = 0;
  {
    std::lock_guard lock(d.mutex);
    const auto found = d.held.find(static_cast<char*>(data));
    if (found == d.held.end()) return cudaErrorInvalidValue;
    bytes = found->second.bytes;
    d.used -= bytes;
    found->second.pool->used -= bytes;
    d.held.erase(found);
  }
  const bool whole_zones = intact(static_cast<char*>(data), bytes);
  give_back(static_cast<char*>(data), bytes);
  return whole_zones ? cudaSuccess : overwritten(d, bytes);
}

cudaError_t check_memory(Device& d) {
  size_t bytes = 0;
  {
    std::lock_guard lock(d.mutex);
    for (const auto& [data, held] : d.held) {
      if (!intact(data, held.bytes)) bytes = held.bytes;
    }
  }
  return bytes ? overwritten(d, bytes) : cudaSuccess;
}

void reset_memory(Device& d) {
  std::lock_guard lock(d.mutex);
  for (const auto& [data, held] : d.held) {
    held.pool->used = held.pool->reserved = 0;
    give_back(data, held.bytes);
  }
  d.held.clear();
  d.used = 0;
}
}
