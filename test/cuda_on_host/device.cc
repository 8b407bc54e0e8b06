// What tells the devices apart. CUDA_ON_HOST_ORDER=forward|reverse|SEED and CUDA_ON_HOST_CAPABILITY=8.0 override all of them.
#include "device.h"
#include <cstdlib>
#include <cstring>

namespace cuda_on_host {
namespace {
thread_local int current = 0;
thread_local cudaError_t last = cudaSuccess;
thread_local std::string report;

Device devices[kDevices] = {
  {"CUDA on the host, forward", kForward, 0, 9, {0}},
  {"CUDA on the host, reverse", kReverse, 0, 8, {1}},
  {"CUDA on the host, seeded", kSeeded, 0x9e3779b97f4a7c15, 9, {2}},
};

const bool overridden = [] {
  const char* order = std::getenv("CUDA_ON_HOST_ORDER");
  const char* capability = std::getenv("CUDA_ON_HOST_CAPABILITY");
  for (Device& d : devices) {
    if (order) {
      d.order = !std::strcmp(order, "forward") ? kForward : !std::strcmp(order, "reverse") ? kReverse : kSeeded;
      d.seed = std::strtoull(order, nullptr, 10);
    }
    if (capability) d.major = std::atoi(capability);
  }
  return true;
}();
}

Device& device(int i) { return devices[i]; }
int current_device() { return current; }
int device_of(cudaStream_t stream) { return stream ? stream->device : current; }

cudaError_t remember(cudaError_t error) {
  if (error != cudaSuccess && error != cudaErrorNotReady) last = error;
  return error;
}

cudaError_t broken(Device& d, const std::string& why) {
  std::lock_guard lock(d.mutex);
  if (d.failure.empty()) d.failure = why;
  report = why;
  return cudaErrorLaunchFailure;
}

cudaError_t state(Device& d) {
  std::lock_guard lock(d.mutex);
  if (d.failure.empty()) return cudaSuccess;
  report = d.failure;
  return cudaErrorLaunchFailure;
}
}

using namespace cuda_on_host;

cudaError_t cudaGetDeviceCount(int* count) { return *count = kDevices, cudaSuccess; }
cudaError_t cudaGetDevice(int* out) { return *out = current, cudaSuccess; }
cudaError_t cudaSetDevice(int i) {
  if (i < 0 || i >= kDevices) return remember(cudaErrorInvalidDevice);
  current = i;
  return cudaSuccess;
}
cudaError_t cudaDeviceReset() {
  Device& d = device(current);
  reset_memory(d);
  std::lock_guard lock(d.mutex);
  d.failure.clear();
  last = cudaSuccess;
  return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* version) { return *version = 13000, cudaSuccess; }
cudaError_t cudaRuntimeGetVersion(int* version) { return *version = 13000, cudaSuccess; }

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* out, int i) {
  if (i < 0 || i >= kDevices) return remember(cudaErrorInvalidDevice);
  *out = {};
  std::strcpy(out->name, device(i).name);
  out->totalGlobalMem = kDeviceBytes;
  out->sharedMemPerBlock = 48 << 10;
  out->sharedMemPerBlockOptin = kMostSharedBytes;
  out->sharedMemPerMultiprocessor = kMostSharedBytes + 1024;
  out->warpSize = 32;
  out->maxThreadsPerBlock = kMostThreads;
  out->major = device(i).major;
  out->multiProcessorCount = 4;   // small, so that persistent grids stay small
  out->l2CacheSize = 4 << 20;
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int i) {
  cudaDeviceProp p;
  if (const cudaError_t error = cudaGetDeviceProperties(&p, i)) return error;
  switch (attribute) {
    case cudaDevAttrMaxThreadsPerBlock: *value = p.maxThreadsPerBlock; break;
    case cudaDevAttrMaxSharedMemoryPerBlock: *value = static_cast<int>(p.sharedMemPerBlock); break;
    case cudaDevAttrWarpSize: *value = p.warpSize; break;
    case cudaDevAttrClockRate: *value = 1000000; break;
    case cudaDevAttrMultiProcessorCount: *value = p.multiProcessorCount; break;
    case cudaDevAttrL2CacheSize: *value = p.l2CacheSize; break;
    case cudaDevAttrComputeCapabilityMajor: *value = p.major; break;
    case cudaDevAttrComputeCapabilityMinor: *value = p.minor; break;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor: *value = static_cast<int>(p.sharedMemPerMultiprocessor); break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin: *value = static_cast<int>(p.sharedMemPerBlockOptin); break;
    case cudaDevAttrMemoryPoolsSupported: *value = 1; break;
    default: return remember(cudaErrorInvalidValue);
  }
  return cudaSuccess;
}

cudaError_t cudaPeekAtLastError() { return last; }
cudaError_t cudaGetLastError() {
  const cudaError_t error = last;
  last = cudaSuccess;
  return error;
}
const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
    case cudaSuccess: return "cudaSuccess";
    case cudaErrorInvalidValue: return "cudaErrorInvalidValue";
    case cudaErrorMemoryAllocation: return "cudaErrorMemoryAllocation";
    case cudaErrorInvalidConfiguration: return "cudaErrorInvalidConfiguration";
    case cudaErrorInvalidDevice: return "cudaErrorInvalidDevice";
    case cudaErrorInvalidResourceHandle: return "cudaErrorInvalidResourceHandle";
    case cudaErrorLaunchFailure: return "cudaErrorLaunchFailure";
    default: return "unrecognized error code";
  }
}
// For a launch failure: what the emulation found, on the thread that was told of it.
const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaSuccess: return "no error";
    case cudaErrorInvalidValue: return "invalid argument";
    case cudaErrorMemoryAllocation: return "out of memory";
    case cudaErrorInvalidConfiguration: return "invalid configuration argument";
    case cudaErrorInvalidDevice: return "invalid device ordinal";
    case cudaErrorInvalidResourceHandle: return "invalid resource handle";
    case cudaErrorLaunchFailure: return report.empty() ? "unspecified launch failure" : report.c_str();
    default: return "unrecognized error code";
  }
}
