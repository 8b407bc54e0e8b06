// Streams, events, copies and memory pools of the runtime interface. Everything has happened when the call returns.
#include "runtime_api.h"
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include "device.h"

using namespace cuda_on_host;

namespace {
double now_s() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}
cudaError_t on(cudaStream_t stream) { return remember(state(device(device_of(stream)))); }
}

cudaError_t cudaDeviceSynchronize() { return cudaStreamSynchronize(nullptr); }

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  if (const cudaError_t error = on(nullptr)) return error;
  *stream = new CUstream_st{current_device()};
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  if (!stream) return remember(cudaErrorInvalidResourceHandle);
  delete stream;
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  if (const cudaError_t error = on(stream)) return error;
  return remember(check_memory(device(device_of(stream))));
}
cudaError_t cudaStreamQuery(cudaStream_t stream) { return on(stream); }
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t, unsigned) { return on(stream); }

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) { return *event = new CUevent_st, cudaSuccess; }
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  event->recorded_s = now_s();
  return on(stream);
}
cudaError_t cudaEventSynchronize(cudaEvent_t) { return on(nullptr); }
cudaError_t cudaEventQuery(cudaEvent_t) { return on(nullptr); }
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  if (start->recorded_s < 0 || end->recorded_s < 0) return remember(cudaErrorInvalidResourceHandle);
  *milliseconds = static_cast<float>((end->recorded_s - start->recorded_s) * 1e3);
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}

cudaError_t cudaMallocAsync(void** data, size_t bytes, cudaStream_t stream) {
  return cudaMallocFromPoolAsync(data, bytes, &device(device_of(stream)).pool, stream);
}
cudaError_t cudaMallocFromPoolAsync(void** data, size_t bytes, cudaMemPool_t pool, cudaStream_t stream) {
  if (const cudaError_t error = on(stream)) return error;
  return remember(allocate(pool, data, bytes));
}
cudaError_t cudaFreeAsync(void* data, cudaStream_t stream) { return remember(release_memory(device(device_of(stream)), data)); }
cudaError_t cudaMalloc(void** data, size_t bytes) { return cudaMallocAsync(data, bytes, nullptr); }
// As on the device any context may free: the memory is looked for on all of them.
cudaError_t cudaFree(void* data) {
  cudaError_t error = cudaErrorInvalidValue;
  for (int i = 0; i < kDevices && error == cudaErrorInvalidValue; i++) error = release_memory(device(i), data);
  return remember(error);
}
cudaError_t cudaMallocHost(void** data, size_t bytes) {
  *data = std::aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
  if (*data) std::memset(*data, 0xff, bytes);
  return remember(*data || !bytes ? cudaSuccess : cudaErrorMemoryAllocation);
}
cudaError_t cudaHostAlloc(void** data, size_t bytes, unsigned) { return cudaMallocHost(data, bytes); }
cudaError_t cudaFreeHost(void* data) {
  std::free(data);
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind, cudaStream_t stream) {
  if (const cudaError_t error = on(stream)) return error;
  if (bytes) std::memmove(to, from, bytes);
  return cudaSuccess;
}
cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  return cudaMemcpyAsync(to, from, bytes, kind, nullptr);
}
cudaError_t cudaMemsetAsync(void* data, int value, size_t bytes, cudaStream_t stream) {
  if (const cudaError_t error = on(stream)) return error;
  if (bytes) std::memset(data, value, bytes);
  return cudaSuccess;
}
cudaError_t cudaMemset(void* data, int value, size_t bytes) { return cudaMemsetAsync(data, value, bytes, nullptr); }

cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  Device& d = device(current_device());
  std::lock_guard lock(d.mutex);
  *free = kDeviceBytes - d.used;
  *total = kDeviceBytes;
  return cudaSuccess;
}
cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int i) {
  if (i < 0 || i >= kDevices) return remember(cudaErrorInvalidDevice);
  *pool = &device(i).pool;
  return cudaSuccess;
}
cudaError_t cudaMemPoolCreate(cudaMemPool_t* pool, const cudaMemPoolProps* properties) {
  const int i = properties->location.id;
  if (properties->allocType != cudaMemAllocationTypePinned || properties->location.type != cudaMemLocationTypeDevice || i < 0 || i >= kDevices) {
    return remember(cudaErrorInvalidValue);
  }
  if (const cudaError_t error = remember(state(device(i)))) return error;
  *pool = new CUmemPoolHandle_st{i};
  return cudaSuccess;
}
// As on the device a pool outlives its last allocation only: memory that is still held keeps it.
cudaError_t cudaMemPoolDestroy(cudaMemPool_t pool) {
  Device& d = device(pool->device);
  std::lock_guard lock(d.mutex);
  for (auto& [data, held] : d.held) {
    if (held.pool != pool) continue;
    held.pool = &d.pool;
    d.pool.used += held.bytes;
  }
  delete pool;
  return cudaSuccess;
}
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t pool, cudaMemPoolAttr attribute, void* value) {
  std::lock_guard lock(device(pool->device).mutex);
  const uint64_t number = *static_cast<uint64_t*>(value);
  if (attribute == cudaMemPoolAttrReleaseThreshold) pool->threshold = number;
  else if (attribute == cudaMemPoolAttrUsedMemHigh && !number) pool->used_high = pool->used;
  else if (attribute == cudaMemPoolAttrReservedMemHigh && !number) pool->reserved_high = pool->reserved;
  else return remember(cudaErrorInvalidValue);
  return cudaSuccess;
}
cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t pool, cudaMemPoolAttr attribute, void* value) {
  std::lock_guard lock(device(pool->device).mutex);
  uint64_t& out = *static_cast<uint64_t*>(value);
  switch (attribute) {
    case cudaMemPoolAttrReleaseThreshold: out = pool->threshold; break;
    case cudaMemPoolAttrReservedMemCurrent: out = pool->reserved; break;
    case cudaMemPoolAttrReservedMemHigh: out = pool->reserved_high; break;
    case cudaMemPoolAttrUsedMemCurrent: out = pool->used; break;
    case cudaMemPoolAttrUsedMemHigh: out = pool->used_high; break;
    default: return remember(cudaErrorInvalidValue);
  }
  return cudaSuccess;
}
cudaError_t cudaMemPoolTrimTo(cudaMemPool_t pool, size_t bytes_to_keep) {
  std::lock_guard lock(device(pool->device).mutex);
  pool->reserved = std::max<uint64_t>(pool->used, std::min<uint64_t>(pool->reserved, bytes_to_keep));
  return cudaSuccess;
}
cudaError_t cudaFuncSetAttribute(const void*, cudaFuncAttribute attribute, int value) {
  if (attribute == cudaFuncAttributeMaxDynamicSharedMemorySize && (value < 0 || static_cast<size_t>(value) > kMostSharedBytes)) {
    return remember(cudaErrorInvalidValue);
  }
  return cudaSuccess;
}
