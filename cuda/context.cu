// The context of a GPU: its stream, memory in stream order with its account, pinned staging, words about failures.
#include "context.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace transweld {
namespace {

// Pageable memory crosses in pieces through two pinned ones: while the engine copies one, the host fills the other. From
// about 1 MB on a piece the bus is the limit.
constexpr uint64_t kStagingBytes = 4u << 20;
constexpr unsigned kStages = 2;

constexpr unsigned long long kNoFault = ~0ull;

// What a kernel found wrong: expected ..., for which argument. The order is FaultKind's; the words are the CPU's.
struct FaultWords { const char *expected, *name; };
constexpr FaultWords kFaultWords[kFaultKinds] = {
    {"", ""},
    {"feature indices below F", "codes.index"},
    {"ascending starts from 0", "codes.starts"},
    {"starts within the capacity", "codes.starts"},
    {"room for every position", "rows"},
    {"room for every position", "slots"},
    {"ascending features below F", "subset"},
    {"ascending starts from 0", "terms.feature_starts"},
    {"indices of rows of source", "index"},
    {"ids below V", "ids"},
    {"places below P", "places"},
    {"ascending starts from 0 to N", "starts"},
    {"targets below V or 4294967295", "targets"},
    {"starts within the capacity", "terms.feature_starts"},
    {"rows of dense", "terms.rows"},
    {"positions of the plane", "terms.slots"},
    {"as many keys as queries, or more", "key_counts"},
    {"keys that lie in k", "key_starts + key_counts"},
    {"indices of rows of out", "index"},
};

// Device memory of a size that the pool can reuse. Sizes are counted as they are held.
uint64_t rounded(uint64_t bytes) { return padded(bytes ? bytes : 1, 256); }

// Sticky: nothing on this device works any more until the process ends.
bool is_lost(cudaError_t error) {
  switch (error) {
    case cudaErrorLaunchFailure: case cudaErrorIllegalAddress: case cudaErrorLaunchTimeout: case cudaErrorAssert:
    case cudaErrorHardwareStackError: case cudaErrorIllegalInstruction: case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace: case cudaErrorInvalidPc: case cudaErrorECCUncorrectable: case cudaErrorNvlinkUncorrectable:
    case cudaErrorContained: case cudaErrorContextIsDestroyed: case cudaErrorMpsClientTerminated: case cudaErrorExternalDevice:
    case cudaErrorUnknown: return true;
    default: return false;
  }
}

tw_status status_of(cudaError_t error) {
  return error == cudaErrorMemoryAllocation ? TW_MEMORY : is_lost(error) ? TW_DEVICE_LOST : TW_INTERNAL;
}

}   // namespace

cudaError_t Opened::begin(uint32_t index, uint64_t limit_bytes) {
  device = static_cast<int>(index);
  held.limit_bytes = limit_bytes;
  cudaDeviceProp properties{};
  cudaError_t error = cudaSetDevice(device);
  if (error == cudaSuccess) error = cudaGetDeviceProperties(&properties, device);
  if (error != cudaSuccess) return error;
  chip = {properties.major, properties.minor, static_cast<unsigned>(properties.multiProcessorCount), properties.sharedMemPerBlockOptin,
          static_cast<uint64_t>(properties.l2CacheSize)};
  cudaMemPoolProps pooled{};
  pooled.allocType = cudaMemAllocationTypePinned;
  pooled.location = {cudaMemLocationTypeDevice, device};
  uint64_t keep = UINT64_MAX;   // what was freed is kept for the next allocation, until memory is short
  error = cudaMemPoolCreate(&pool, &pooled);
  if (error == cudaSuccess) error = cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &keep);
  if (error == cudaSuccess) error = cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
  void* memory = nullptr;
  if (error == cudaSuccess) error = take(sizeof(Faults), &memory);
  faults = static_cast<Faults*>(memory);
  if (error == cudaSuccess) error = cudaMemsetAsync(faults, 0xff, sizeof(Faults), stream);
  if (error == cudaSuccess) error = cudaMallocHost(&memory, sizeof(Faults));
  if (error == cudaSuccess) seen = static_cast<Faults*>(memory);
  if (error == cudaSuccess) error = cudaMallocHost(&memory, kStages * kStagingBytes);
  if (error == cudaSuccess) staging = static_cast<char*>(memory);
  for (auto& event : staged) if (error == cudaSuccess) error = cudaEventCreateWithFlags(&event, cudaEventDisableTiming);
  return error;
}

// A driver that is already unloading (at exit) refuses these calls: there is nothing left to free then.
Opened::~Opened() {
  cudaSetDevice(device);
  if (stream) {
    if (scratch_block) cudaFreeAsync(scratch_block, stream);
    if (faults) cudaFreeAsync(faults, stream);
    cudaStreamSynchronize(stream);
    cudaStreamDestroy(stream);
  }
  if (pool) cudaMemPoolDestroy(pool);
  for (auto& event : staged) if (event) cudaEventDestroy(event);
  if (staging) cudaFreeHost(staging);
  if (seen) cudaFreeHost(seen);
}

// From the pool; where that is short, once more after all that was freed has gone back to the device.
cudaError_t Opened::take(uint64_t bytes, void** out) {
  cudaError_t error = cudaMallocFromPoolAsync(out, bytes, pool, stream);
  if (error == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    cudaStreamSynchronize(stream);
    cudaMemPoolTrimTo(pool, 0);
    error = cudaMallocFromPoolAsync(out, bytes, pool, stream);
  }
  if (error == cudaSuccess) return error;
  cudaGetLastError();
  *out = nullptr;
  return error;
}

tw_status Opened::alloc(uint64_t bytes, void** out) {
  *out = nullptr;
  if (bytes > UINT64_MAX / 2) return TW_MEMORY;
  const uint64_t size = rounded(bytes);
  std::lock_guard lock(mutex);
  cudaSetDevice(device);
  const uint64_t taken = held.used_bytes + scratch_bytes;
  if (held.limit_bytes && taken + size > held.limit_bytes) return TW_MEMORY;
  if (const cudaError_t error = take(size, out)) return status_of(error);
  held.used_bytes += size;
  held.peak_bytes = std::max(held.peak_bytes, taken + size);
  return TW_OK;
}

void Opened::free(void* p, uint64_t bytes) {
  if (!p) return;
  std::lock_guard lock(mutex);
  cudaSetDevice(device);
  cudaFreeAsync(p, stream);
  held.used_bytes -= rounded(bytes);
}

void* Opened::scratch(uint64_t bytes) {
  if (bytes <= scratch_bytes) return scratch_block;
  const uint64_t size = rounded(bytes);
  std::lock_guard lock(mutex);
  if (held.limit_bytes && held.used_bytes + size > held.limit_bytes) return nullptr;
  if (scratch_block) cudaFreeAsync(scratch_block, stream);   // in stream order: after the kernels that still use it
  scratch_block = nullptr;
  scratch_bytes = 0;
  if (take(size, &scratch_block) != cudaSuccess) return nullptr;
  scratch_bytes = size;
  held.peak_bytes = std::max(held.peak_bytes, held.used_bytes + scratch_bytes);
  return scratch_block;
}

// Ends when `from` has been read: the last pieces may still wait for what was enqueued before them, which the caller need not.
cudaError_t Opened::upload(char* to, const char* from, uint64_t bytes) {
  for (uint64_t at = 0; at < bytes; at += kStagingBytes, turn = (turn + 1) % kStages) {
    char* const piece = staging + turn * kStagingBytes;
    const uint64_t size = std::min(kStagingBytes, bytes - at);
    cudaError_t error = cudaEventSynchronize(staged[turn]);   // what was in it has left
    if (error != cudaSuccess) return error;
    std::memcpy(piece, from + at, size);
    error = cudaMemcpyAsync(to + at, piece, size, cudaMemcpyHostToDevice, stream);
    if (error == cudaSuccess) error = cudaEventRecord(staged[turn], stream);
    if (error != cudaSuccess) return error;
  }
  return cudaSuccess;
}

// Step i starts piece i and finishes piece i − 1: two pieces are under way. One that still goes up goes before it, in stream order.
cudaError_t Opened::download(char* to, const char* from, uint64_t bytes) {
  const auto size = [&](uint64_t i) { return std::min(kStagingBytes, bytes - i * kStagingBytes); };
  const uint64_t pieces = blocks_of(bytes, kStagingBytes);
  for (uint64_t i = 0; i <= pieces; i++) {
    cudaError_t error = cudaSuccess;
    if (i < pieces) {
      error = cudaMemcpyAsync(staging + i % kStages * kStagingBytes, from + i * kStagingBytes, size(i), cudaMemcpyDeviceToHost, stream);
      if (error == cudaSuccess) error = cudaEventRecord(staged[i % kStages], stream);
    }
    if (i && error == cudaSuccess) error = cudaEventSynchronize(staged[(i - 1) % kStages]);
    if (error != cudaSuccess) return error;
    if (i) std::memcpy(to + (i - 1) * kStagingBytes, staging + (i - 1) % kStages * kStagingBytes, size(i - 1));
  }
  return cudaSuccess;
}

tw_status Opened::copy(void* to, const void* from, uint64_t bytes, uint32_t direction) {
  cudaSetDevice(device);
  char* const there = static_cast<char*>(to);
  const char* const here = static_cast<const char*>(from);
  const cudaError_t error = direction == TW_TO_DEVICE   ? upload(there, here, bytes)
                          : direction == TW_FROM_DEVICE ? download(there, here, bytes)
                                                        : cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream);
  return launched(static_cast<tw_context*>(this), error, "a copy");
}

// Waits, and takes what kernels have reported since the last look. Eight bytes cross where nothing is wrong.
cudaError_t Opened::look() {
  cudaError_t error = cudaMemcpyAsync(&seen->any, &faults->any, sizeof faults->any, cudaMemcpyDeviceToHost, stream);
  if (error == cudaSuccess) error = cudaStreamSynchronize(stream);
  if (error != cudaSuccess || seen->any == kNoFault) return error;
  error = cudaMemcpyAsync(seen, faults, sizeof(Faults), cudaMemcpyDeviceToHost, stream);
  if (error == cudaSuccess) error = cudaMemsetAsync(faults, 0xff, sizeof(Faults), stream);
  if (error == cudaSuccess) error = cudaStreamSynchronize(stream);
  if (error != cudaSuccess) return error;
  for (unsigned slot = 0; slot < kFaultCalls; slot++) {
    if (seen->first[slot] != kNoFault) late.push_back({seen->first[slot], seen->received[slot]});
  }
  std::sort(late.begin(), late.end(), [](const Late& a, const Late& b) { return a.first > b.first; });
  return error;
}

tw_status Opened::wait(uint64_t* late_call) {
  *late_call = 0;
  tw_context* context = static_cast<tw_context*>(this);
  cudaSetDevice(device);
  if (const cudaError_t error = look()) return launched(context, error, "the work that was enqueued");
  if (late.empty()) return TW_OK;
  const Late told = late.back();
  late.pop_back();
  *late_call = told.first >> 8;
  const unsigned kind = static_cast<unsigned>(told.first & 0xff);
  if (kind >= kFaultKinds) return fail(context, TW_INTERNAL, "a kernel reported what has no words: %u", kind);
  return fail(context, TW_INVALID, "expected %s for %s but received %llu", kFaultWords[kind].expected, kFaultWords[kind].name, told.received);
}

void Opened::memory(tw_memory* out) {
  std::lock_guard lock(mutex);
  *out = held;
  uint64_t reserved = 0;
  cudaSetDevice(device);
  cudaMemPoolGetAttribute(pool, cudaMemPoolAttrReservedMemCurrent, &reserved);
  out->cached_bytes = std::max(scratch_bytes, reserved > held.used_bytes ? reserved - held.used_bytes : 0);
}

cudaStream_t stream(tw_context* c) { return c->stream; }
const Chip& chip(tw_context* c) { return c->chip; }
void* scratch(tw_context* c, size_t bytes) { return c->scratch(bytes); }
Report report(tw_context* c) { return {c->faults, c->call}; }

tw_status out_of_scratch(tw_context* c, size_t bytes) { return fail(c, TW_MEMORY, "out of memory: %zu bytes of scratch", bytes); }

tw_status launched(tw_context* c, cudaError_t error, const char* what) {
  if (error == cudaSuccess) return TW_OK;
  const tw_status status = status_of(error);
  return fail(c, status, "%s%s: %s (%d): %s", status == TW_DEVICE_LOST ? "the device is lost; " : "", what, cudaGetErrorName(error),
              static_cast<int>(error), cudaGetErrorString(error));
}

tw_status fail(tw_context* c, tw_status status, const char* format, ...) {
  va_list list;
  va_start(list, format);
  std::vsnprintf(c->error, sizeof c->error, format, list);
  va_end(list);
  return status;
}

}   // namespace transweld
